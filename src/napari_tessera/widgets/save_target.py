"""Where a run saves, decided before it starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_tessera.prediction import PlanError
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.widgets.place_report import who_writes
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.widgets.save_names import next_free
from napari_tessera.writing import WriteTilesZarr
from napari_tessera.writing.files.formats import OME_ZARR, FileFormat
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.removal import is_free
from napari_tessera.writing.stored.stored_run import read_unfinished


@dataclass(frozen=True)
class ResolvedTarget:
    """Where to save and how, and what to do with what is there.

    Parameters
    ----------
    path : Path
        OME-Zarr folder or file.
    file_format : FileFormat, default `OME_ZARR`
        What it is.
    compression : str, default "zstd"
        One of the format's.
    resume : bool
        Go on with the run of ours that is there.
    overwrite : bool
        Replace what is there.
    """

    path: Path
    file_format: FileFormat = OME_ZARR
    compression: str = OME_ZARR.default_compression
    resume: bool = False
    overwrite: bool = False

    @property
    def while_running(self) -> bool:
        """Whether it is written while tiles are predicted; else when all is done."""
        return self.file_format.while_running


def resolve_target(
    path: Path, save: SaveTarget, source: str | Path | Sequence[str | Path] | None = None
) -> ResolvedTarget:
    """Decide where to save.

    Parameters
    ----------
    path : Path
        What was asked for, for one layer.
    save : SaveTarget
        How, and what to do where it exists; ``"rename"`` takes the next free number.
    source : str or path, or sequence of these, optional
        Where the input comes from; it is never replaced.

    Raises
    ------
    PlanError
        If the place cannot be written to, or what is there is not what was asked for; its field
        is ``"save"``.
    """
    chosen, if_exists = save.file_format, save.if_exists
    compression = chosen.compression(save.compression)
    taken = _store_there if chosen.while_running else _file_there
    try:
        check_place(path, source)
    except (OSError, ValueError) as error:
        raise PlanError(str(error), "save") from None
    if not taken(path):
        return ResolvedTarget(path, chosen, compression)
    if if_exists == "rename":
        return ResolvedTarget(next_free(path, taken, 1), chosen, compression)
    if chosen.while_running and (path.is_symlink() or not is_zarr_folder(path)):
        raise PlanError(
            f"{path.name} exists and is no Zarr store, so it is never replaced: rename", "save"
        )
    if not chosen.while_running and not path.is_file():
        raise PlanError(
            f"{path.name} exists and is no file, so it is never replaced: rename", "save"
        )
    if busy := chosen.while_running and who_writes(path):
        raise PlanError(str(busy), "save")
    if if_exists == "ask":
        go_on = ", Resume," if chosen.while_running else ","
        raise PlanError(f"{path.name} exists: rename{go_on} or Overwrite", "save")
    if if_exists == "overwrite":
        return ResolvedTarget(path, chosen, compression, overwrite=True)
    if not chosen.while_running:
        raise PlanError(
            f"{path.name} is written when all is done, so there is no run to resume in it: "
            "rename, or Overwrite",
            "save",
        )
    if read_unfinished(path) is None:
        raise PlanError(f"{path.name} holds no run to resume: rename, or Overwrite", "save")
    return ResolvedTarget(path, chosen, compression, resume=True)


def store_writer(save: ResolvedTarget, *, overwrite: bool = False) -> WriteTilesZarr:
    """What writes an OME-Zarr image while tiles are predicted; channels left out are copied."""
    return WriteTilesZarr(
        save.path, overwrite=overwrite, compression=save.compression, copy_channels=True
    )


def _store_there(path: Path) -> bool:
    return not is_free(path)


def _file_there(path: Path) -> bool:
    return os.path.lexists(path)
