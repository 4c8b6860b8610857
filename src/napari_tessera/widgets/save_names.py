"""Names to save under, as people type them: the ending follows the format, and the other way."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

from napari_tessera.widgets.place_report import is_taken
from napari_tessera.writing.files.formats import FORMATS, FileFormat

ZIP_ENDING = ".zip"


def split_ending(name: str) -> tuple[str, str]:
    """A file name without the ending that a format has, and that ending; empty where it has none.

    The longest one counts: ``cells.ome.tif`` ends in ``.ome.tif``.
    """
    endings = [e for known in FORMATS for e in known.endings if name.casefold().endswith(e)]
    length = max(map(len, endings), default=0)
    return name[: len(name) - length], name[len(name) - length :]


def format_typed(name: str) -> FileFormat | None:
    """Format that the ending of a file name asks for; None where it has the ending of none."""
    ending = split_ending(name)[1].casefold()
    return next((known for known in FORMATS if ending in known.endings), None)


def with_format(name: str, chosen: FileFormat) -> str:
    """A file name with the usual ending of a format, instead of that of another one."""
    stem, ending = split_ending(name)
    return name if ending.casefold() in chosen.endings else stem + chosen.ending


def typed_path(text: str, chosen: FileFormat) -> Path | None:
    """Read where to save as typed, with the ending that was left out; None where nothing is.

    Parameters
    ----------
    text : str
        What was typed.
    chosen : FileFormat
        The format whose ending a name without one gets.

    Raises
    ------
    ValueError
        If a name is missing, or a run cannot be saved to such a one, with the way out.
    """
    typed = text.strip()
    if not typed:
        return None
    if "\0" in typed:
        shown = typed.replace("\0", "\N{SYMBOL FOR NULL}")
        raise ValueError(f"{shown}: no name holds the invisible character NUL: type it anew")
    if "://" in typed:
        raise ValueError(
            f"{typed}: only a folder of this computer can be saved to here; Python and the command "
            "write to a URL"
        )
    try:
        path = Path(typed).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{typed}: {error}; type the whole path") from None
    stem, ending = split_ending(path.name)
    if typed.endswith(("/", "\\")) or stem in ("", ".."):
        folder = str(path.parent if ending else typed).rstrip("/")
        example = f"{folder}/NAME{ending or chosen.ending}"
        raise ValueError(f"{typed} has no name: add one, like {example}")
    if ending.casefold().endswith(ZIP_ENDING):
        raise ValueError(
            f"{path.name}: a zip cannot be gone on with once a run was stopped; save as "
            f"{stem}{chosen.ending}, or let Python or the command write the zip"
        )
    try:
        path = path.absolute()
    except OSError as error:
        raise ValueError(f"{typed}: {error}; type the whole path") from None
    return path if ending else path.with_name(path.name + chosen.ending)


def unknown_ending(typed: str, chosen: FileFormat) -> str:
    """Say that a name has an ending of no format, and so gets a second one; empty else."""
    name = Path(typed).name
    ending = "" if split_ending(name)[1] else Path(name).suffix
    if not re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]*", ending):
        return ""
    return f"Nothing is saved as {ending} here: it is {chosen.label}, named {name}{chosen.ending}."


def next_free(path: Path, taken: Callable[[Path], bool], first: int) -> Path:
    """First of ``NAME_1``, ``NAME_2``, … that is not taken, counted from ``first``."""
    stem, ending = split_ending(path.name)
    numbered = (path.with_name(f"{stem}_{number}{ending}") for number in count(first))
    return next(one for one in numbered if not taken(one))


def is_there(path: Path, chosen: FileFormat) -> bool:
    """Whether a place is taken; what cannot be looked at is left for planning to refuse."""
    try:
        return is_taken(path, chosen)
    except (OSError, ValueError):
        return False
