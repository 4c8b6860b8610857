"""What was measured of a model, kept so that it is measured once.

Nothing but time depends on it: whatever is damaged, from another version, or cannot be written is
measured anew.
"""

from __future__ import annotations

import contextlib
import time
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs
import torch

from napari_tessera import __version__
from napari_tessera.models.kept_files import kept_folder, read_json, write_json

VARIABLE = "NAPARI_TESSERA_CACHE"
"""Environment variable that names another folder; where it is empty, nothing is kept on disk."""

VERSION = 2
"""Goes up whenever something else is measured, or measured in another way."""

MOST_FILES = 256
"""Models whose facts are kept on disk."""

_LEFT_BEHIND = 3600.0
"""Seconds after which a file that was never finished is taken for one of a killed process."""


class Facts:
    """Facts of one model, by name: whatever JSON takes.

    Parameters
    ----------
    key : str or None
        Tells models apart, in letters that a file name may have. None where no key is sure to: such
        facts are not kept.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key
        folder = kept_folder(VARIABLE, platformdirs.user_cache_dir("napari-tessera", False))
        self._path: Path | None = None
        self._known: dict[str, Any] = {}
        if key is not None:
            self._path = None if folder is None else folder / "models" / f"{key}.json"
            self._known = _of_process(key, folder)

    def get(self, name: str) -> Any:
        """A fact, for the caller to keep or change; None where it is not known."""
        if name not in self._known and self._path is not None:
            self._known.update({**_read(self._path, self._key), **self._known})
        return deepcopy(self._known.get(name))

    def put(self, name: str, value: Any) -> None:
        """Keep a fact, here and, if it can be, on disk."""
        self._known[name] = deepcopy(value)
        if self._path is not None:
            facts = {**_read(self._path, self._key), name: value}
            if write_json(self._path, {**_stamp(self._key), "facts": facts}):
                _prune(self._path.parent)


@lru_cache(maxsize=MOST_FILES)
def _of_process(key: str, folder: Path | None) -> dict[str, Any]:
    """The facts that all models of a key share in this process."""
    return {}


def _stamp(key: str | None) -> dict[str, Any]:
    return {"version": [VERSION, __version__, torch.__version__], "key": key}


def _read(path: Path, key: str | None) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        return {}
    facts = content.pop("facts", None)
    is_ours = content == _stamp(key) and isinstance(facts, dict)
    return dict(facts) if is_ours else {}


def _prune(folder: Path) -> None:
    """Remove the oldest files where there are too many, and those of killed processes."""
    # another process may do the same at the same time
    with contextlib.suppress(OSError):
        found = [(path.stat().st_mtime, path) for path in folder.iterdir() if path.is_file()]
        whole = sorted(entry for entry in found if entry[1].suffix == ".json")
        partial = [entry for entry in found if entry[1].suffix == ".partial"]
        old = [entry for entry in partial if entry[0] < time.time() - _LEFT_BEHIND]
        for _, path in (*whole[: max(len(whole) - MOST_FILES, 0)], *old):
            path.unlink(missing_ok=True)
