"""Small files that outlive the process; nothing depends on them."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def kept_folder(variable: str, default: str) -> Path | None:
    """Folder for files of one kind.

    Parameters
    ----------
    variable : str
        Environment variable that names another folder, or is empty where nothing is to be kept.
    default : str
        The folder where it is not set.

    Returns
    -------
    Path or None
        None where nothing is to be kept.
    """
    named = os.environ.get(variable, default)
    return Path(named) if named else None


def read_json(path: Path) -> Any:
    """Content of a file; None where there is none, or where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def write_json(path: Path, content: object) -> bool:
    """Replace a file as a whole, so that readers see the old one or the new one.

    Returns
    -------
    bool
        False where it cannot be written: a full disk or a folder of somebody else's.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(".partial", path.stem, path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False
    return True
