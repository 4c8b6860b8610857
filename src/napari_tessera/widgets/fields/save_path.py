"""Paths to save to, as people type them."""

from __future__ import annotations

from pathlib import Path

ENDING = ".ome.zarr"


def typed_path(text: str) -> Path | None:
    """Read where to save as typed, with the ending that was left out; None where nothing is.

    Raises
    ------
    ValueError
        If a name is missing, with the way out.
    """
    typed = text.strip()
    if not typed:
        return None
    try:
        path = Path(typed).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{typed}: {error}; type the whole path") from None
    if typed.endswith(("/", "\\")) or path.name in ("", ".."):
        raise ValueError(f"{typed} is a folder: add a name, like {typed.rstrip('/')}/NAME{ENDING}")
    return path if path.suffix == ".zarr" else path.with_name(path.name + ENDING)


def is_there(path: Path) -> bool:
    """Whether there is something; what cannot be looked at is left for planning to refuse."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
