"""Figures that do not change, kept in a file, so that a new network alone is run anew."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROTOCOL = 1
"""Of how methods are run and measured: raise it where that changes."""


class Kept:
    """Figures by method, its version and the pixels that they are of; never seconds.

    Parameters
    ----------
    path : pathlib.Path or None
        A JSON file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stored: dict[str, Any] = {}
        self.found: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self._read()

    def _read(self) -> None:
        if self._path is not None and self._path.exists():
            self._stored |= json.loads(self._path.read_text("utf-8"))

    def of(
        self, method: str, version: str, case: str, digest: str, work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """What is kept of a method on a case of these pixels, or is made now and kept."""
        key = " | ".join((method, version, case, digest, str(PROTOCOL)))
        self.asked[method] += 1
        if key in self._stored:
            self.found[method] += 1
        else:
            self._stored[key] = work()
            self._write()
        found: dict[str, Any] = self._stored[key]
        return found

    @property
    def words(self) -> str:
        """What came from the file."""
        if not self.found:
            return "No figure came from a file."
        counts = (f"{name} ({n} of {self.asked[name]})" for name, n in self.found.items())
        return f"From {self._path}: figures of {', '.join(counts)}. Seconds never do."

    def _write(self) -> None:
        if self._path is None:
            return
        # another process may have added to it meanwhile
        self._read()
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.partial")
        beside.write_text(json.dumps(self._stored, indent=1, ensure_ascii=False), "utf-8")
        os.replace(beside, self._path)
