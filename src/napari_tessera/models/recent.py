"""The model files that were used last, remembered from one session to the next."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import platformdirs

from napari_tessera.models.kept_files import kept_folder, read_json, write_json

VARIABLE = "NAPARI_TESSERA_STATE"
"""Environment variable that names another folder; where it is empty, nothing is remembered."""

MOST = 10
"""Models that are remembered."""


def recent_models() -> list[str]:
    """Paths of the model files that were used last and are still there, newest first."""
    path = _file()
    known = None if path is None else read_json(path)
    if not isinstance(known, list):
        return []
    return [item for item in known if isinstance(item, str) and _is_there(item)][:MOST]


def remember_model(source: str | PathLike[str]) -> None:
    """Put a model file first among those that were used last.

    Parameters
    ----------
    source : str or path
        As `load_model` takes it. Built-in models and what is no file are not remembered.
    """
    path = _file()
    model = Path(source).expanduser().absolute()
    if path is not None and _is_there(str(model)):
        kept = [known for known in recent_models() if known != str(model)]
        write_json(path, [str(model), *kept][:MOST])


def _file() -> Path | None:
    folder = kept_folder(VARIABLE, platformdirs.user_state_dir("napari-tessera", appauthor=False))
    return None if folder is None else folder / "recent_models.json"


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        # a name that the system does not take
        return False
