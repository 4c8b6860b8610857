"""What a TorchScript file that this package exported says of itself.

Such a program takes grey levels and gives grey levels. A program without the note is one of other
software: it is given (x − mean)/std, as most networks want.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from napari_tessera.models.architectures import multiples
from napari_tessera.models.archive import ArchiveError, checked_members, opened, read_member
from napari_tessera.models.errors import ModelError
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.own_format.document import MOST_TEXT, OwnFormatError, TrainedDocument
from napari_tessera.models.own_format.history import method_name
from napari_tessera.models.own_format.loading import about_of
from napari_tessera.models.processing import Processing
from napari_tessera.models.ways_out import SAVE_AGAIN

NOTE = "napari_tessera.json"
"""Name of the note among the extra files of a TorchScript archive."""

FORMAT = 1


def program_document(path: Path) -> TrainedDocument | None:
    """What a program says of itself; None where it is one of other software.

    Parameters
    ----------
    path : Path
        A TorchScript file.

    Raises
    ------
    ModelError
        If it has a note that is damaged: grey levels would be scaled twice, or not at all.
    """
    try:
        with opened(path) as archive:
            members = checked_members(archive, path.stat().st_size)
            info = members.get(f"extra/{NOTE}")
            if info is None:
                return None
            if info.file_size > MOST_TEXT:
                raise OwnFormatError(f"its {NOTE} has {info.file_size:,} bytes")
            note = _parsed(read_member(archive, info))
        if note.get("format") != FORMAT or note.get("grey_levels") != "built in":
            raise OwnFormatError(
                f"its {NOTE} is not of format {FORMAT}", "Update it: pip install -U napari-tessera"
            )
        return TrainedDocument.from_json(json.dumps(note.get("model")))
    except ArchiveError as error:
        raise ModelError.not_loadable(path.name, str(error), SAVE_AGAIN) from error
    except OwnFormatError as error:
        raise ModelError.not_loadable(path.name, str(error), error.way_out) from error


def _parsed(content: bytes) -> dict[str, object]:
    try:
        note = json.loads(content)
    except (ValueError, RecursionError):
        raise OwnFormatError(f"its {NOTE} is no JSON") from None
    if not isinstance(note, dict):
        raise OwnFormatError(f"its {NOTE} is no JSON object")
    return note


def exported_program(path: Path, loaded: Loaded) -> Loaded:
    """What a program of this package says of itself, added; others come back as they are.

    Raises
    ------
    ModelError
        As `program_document`.
    """
    document = program_document(path)
    if document is None:
        return loaded
    settings = document.settings
    return replace(
        loaded,
        format=f"TorchScript of napari-tessera ({method_name(document.training)})",
        processing=Processing(),
        default_normalization="model",
        spatial_dims=settings.spatial_dims,
        in_channels=settings.in_channels,
        sizes=multiples(settings),
        sizes_are_strict=True,
        about=about_of(document),
    )
