"""Paths as people type them, with ``~`` for the home folder."""

from __future__ import annotations

import os
from pathlib import Path


def from_home(path: str | os.PathLike[str]) -> Path:
    """The path with ``~`` or ``~NAME`` as a home; as it is where there is none of that name."""
    # that of pathlib raises RuntimeError there, and what follows says in its words what is missing
    return Path(os.path.expanduser(path))
