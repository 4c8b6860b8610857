"""What became of each file of a run over many, in memory and as JSON beside the results."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from napari_tessera.whole_files import partial_of

REPORT_NAME = "report.json"
"""Name of the report in the output folder."""

REPORT_NAMES = (REPORT_NAME, "napari-tessera-report.json")
"""The same, and what it was called before."""

_PROGRAM = "napari-tessera"

WAITING, RUNNING, DONE, SKIPPED, STOPPED, FAILED = (
    "waiting",
    "running",
    "done",
    "skipped",
    "stopped",
    "failed",
)
"""What can have become of a file."""

Stat = tuple[int, int]
"""Size in bytes and time of change in ns of a file."""


@dataclass(frozen=True)
class FileEntry:
    """What became of one image.

    Parameters
    ----------
    source : str
        The image, as `open_stack` takes it.
    output : str
        Where its prediction is, or would be; empty where it was left out from the start.
    state : str
        ``"waiting"``, ``"running"``, ``"done"``, ``"skipped"``, ``"stopped"`` or ``"failed"``.
    message : str
        Why it failed or was skipped, or what to know of it: one line.
    warnings : tuple of str
        What the plan warned of.
    tiles_done, tiles : int
        Tiles that are on disk, and of the plan; 0 where there was no plan.
    seconds : float
        How long it took in the run that finished it.
    input_stat, output_before : (int, int) or None
        Size and time of change of the input file, and of what was at the output when the run
        began; None for folders and what is not there.
    """

    source: str
    output: str = ""
    state: str = WAITING
    message: str = ""
    warnings: tuple[str, ...] = ()
    tiles_done: int = 0
    tiles: int = 0
    seconds: float = 0.0
    input_stat: Stat | None = None
    output_before: Stat | None = None

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FileEntry:
        """What `to_dict` gave; unknown keys are left out.

        Raises
        ------
        TypeError
            If it is none.
        """
        known = {entry.name: stored[entry.name] for entry in fields(cls) if entry.name in stored}
        for name in ("input_stat", "output_before"):
            if known.get(name) is not None:
                size, changed = known[name]
                known[name] = (int(size), int(changed))
        known["warnings"] = tuple(known.get("warnings", ()))
        return cls(**known)


@dataclass(frozen=True)
class Report:
    """What became of all images of a run, in the order in which they were found.

    Parameters
    ----------
    entries : tuple of FileEntry
        One for each image, those left out from the start too.
    run : mapping
        What decides the results: model, settings, format.
    seconds : float
        How long the run took.
    earlier : tuple of str
        Results of earlier runs into the same folder: they are no images to denoise.
    """

    entries: tuple[FileEntry, ...]
    run: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    earlier: tuple[str, ...] = ()

    def count(self, *states: str) -> int:
        """Number of images in some states."""
        return sum(entry.state in states for entry in self.entries)

    @property
    def outputs(self) -> frozenset[str]:
        """Places of all results, those of earlier runs too."""
        own = (entry.output for entry in self.entries if entry.output)
        return frozenset((*own, *self.earlier))

    @property
    def completed(self) -> bool:
        """Whether no image is left to go on with: each is done, skipped or failed."""
        return not self.count(WAITING, RUNNING, STOPPED)

    @property
    def summary(self) -> str:
        """One line: ``"10 of 12 images done, 1 skipped, 1 failed"``."""
        n = len(self.entries)
        parts = [f"{self.count(DONE)} of {n} {'image' if n == 1 else 'images'} done"]
        for state, name in ((SKIPPED, "skipped"), (FAILED, "failed")):
            if self.count(state):
                parts.append(f"{self.count(state)} {name}")
        left = self.count(WAITING, RUNNING, STOPPED)
        return ", ".join([*parts, f"{left} left"] if left else parts)

    def with_entry(self, number: int, entry: FileEntry) -> Report:
        """The same with another entry."""
        entries = list(self.entries)
        entries[number] = entry
        return replace(self, entries=tuple(entries))

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            "program": _PROGRAM,
            "summary": self.summary,
            "seconds": self.seconds,
            "run": dict(self.run),
            "files": [asdict(entry) for entry in self.entries],
            "earlier": list(self.earlier),
        }

    def write(self, folder: Path) -> None:
        """Write it as `REPORT_NAME` into a folder: whole, or not at all."""
        partial = partial_of(folder / REPORT_NAME)
        try:
            partial.write_text(
                json.dumps(self.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8"
            )
            partial.replace(folder / REPORT_NAME)
        finally:
            partial.unlink(missing_ok=True)


def read_report(folder: Path) -> Report | None:
    """The report of an earlier run in a folder; None where there is none that can be read."""
    return next(filter(None, (_read(folder / name) for name in REPORT_NAMES)), None)


def _read(file: Path) -> Report | None:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["program"] != _PROGRAM:
            return None
        entries = tuple(FileEntry.from_dict(entry) for entry in stored["files"])
        earlier = tuple(map(str, stored["earlier"]))
        return Report(entries, dict(stored["run"]), float(stored["seconds"]), earlier)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def check_report_place(folder: Path) -> None:
    """Raise where a report would replace a file of somebody else.

    Raises
    ------
    FileExistsError
        If there is a file of the report's name in the folder that is no report.
    """
    file = folder / REPORT_NAME
    if os.path.lexists(file) and _read(file) is None:
        raise FileExistsError(
            f"{file} is no report of {_PROGRAM}, and would be replaced by one: move it, or choose "
            "another output folder"
        )


def stat_of(path: Path | str) -> Stat | None:
    """Size and time of change of a file; None of a folder, and of what is not there."""
    with suppress(OSError, ValueError):
        found = os.stat(path)
        if not os.path.isdir(path):
            return found.st_size, found.st_mtime_ns
    return None
