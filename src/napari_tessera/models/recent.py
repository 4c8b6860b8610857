"""The model files that were used last, remembered from one session to the next."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import platformdirs

from napari_tessera.home_paths import from_home
from napari_tessera.models.kept_files import kept_folder, read_json, write_json

VARIABLE = "NAPARI_TESSERA_STATE"
"""Environment variable that names another folder; where it is empty, nothing is remembered."""

MOST = 10
"""Models that are remembered."""


def recent_models(*, missing: bool = False) -> list[str]:
    """Paths of the model files that were used last, newest first.

    Parameters
    ----------
    missing : bool, default False
        Give those too that are not there any more, or not now: a drive can come back.
    """
    path = _file()
    known = None if path is None else read_json(path)
    if not isinstance(known, list):
        return []
    texts = [item for item in known if isinstance(item, str)]
    return [item for item in texts if missing or is_there(item)][:MOST]


def remember_model(source: str | PathLike[str]) -> None:
    """Put a model file first among those that were used last.

    Parameters
    ----------
    source : str or path
        As `load_model` takes it. Built-in models and what is no file are not remembered.
    """
    path = _file()
    model = from_home(source).absolute()
    if path is not None and is_there(str(model)):
        kept = [known for known in recent_models(missing=True) if known != str(model)]
        write_json(path, [str(model), *kept][:MOST])


def forget_models(sources: Iterable[str]) -> None:
    """Take model files out of those that were used last.

    Parameters
    ----------
    sources : iterable of str
        As `recent_models` gives them.
    """
    path, gone = _file(), set(sources)
    if path is not None and gone:
        known = recent_models(missing=True)
        write_json(path, [model for model in known if model not in gone])


def is_there(path: str) -> bool:
    """Whether a file or folder exists; looking can take long where a drive does not answer."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        # a name that the system does not take
        return False


def _file() -> Path | None:
    folder = kept_folder(VARIABLE, platformdirs.user_state_dir("napari-tessera", appauthor=False))
    return None if folder is None else folder / "recent_models.json"
