"""What is at a place to save to: found in the background, told beside the field."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_tessera.prediction import PredictionPlan
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.widgets.plan_differences import differences
from napari_tessera.writing.files.formats import FileFormat
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.places.removal import is_free
from napari_tessera.writing.stored.stored_run import read_unfinished

FREE, REPLACEABLE, FIXED = "free", "replaceable", "fixed"
RESUMABLE, OTHER_RUN, FINISHED, WRITTEN = "resumable", "other run", "finished", "written"


BUSY_PLACE = "is being written by"
"""What is said of a store that somebody else writes: by and by it is free."""


@dataclass(frozen=True)
class PlaceReport:
    """What is at one place.

    Parameters
    ----------
    path : Path
        The place.
    kind : str
        `FREE`: nothing; `REPLACEABLE`: a store or file of the kind; `FIXED`: something else,
        which is never replaced; `RESUMABLE`, `OTHER_RUN`: an unfinished run of the same settings,
        or of others; `FINISHED`: a finished run; `WRITTEN`: a run that another process writes.
    done, total : int
        Tiles that are there, and tiles of the run.
    why : str
        What differs, or who writes.
    """

    path: Path
    kind: str
    done: int = 0
    total: int = 0
    why: str = ""


def look_at_place(path: Path, chosen: FileFormat, plan: PredictionPlan) -> PlaceReport:
    """Look what is at a place. Takes time: not for the GUI thread.

    Parameters
    ----------
    path : Path
        The place.
    chosen : FileFormat
        What is to be written there.
    plan : PredictionPlan
        Plan of the settings, made without the image's pixels.
    """
    if not chosen.while_running:
        if not os.path.lexists(path):
            return PlaceReport(path, FREE)
        return PlaceReport(path, REPLACEABLE if path.is_file() else FIXED)
    if is_free(path):
        return PlaceReport(path, FREE)
    if path.is_symlink() or not is_zarr_folder(path):
        return PlaceReport(path, FIXED)
    if why := who_writes(path):
        return PlaceReport(path, WRITTEN, why=why)
    stored = read_unfinished(path)
    if stored is None:
        return PlaceReport(path, REPLACEABLE)
    done, total = len(stored.done), stored.total_tiles
    if stored.completed:
        return PlaceReport(path, FINISHED, total, total)
    why = differences(stored.plan, plan, pixels=False)
    return PlaceReport(path, OTHER_RUN if why else RESUMABLE, done, total, why)


def who_writes(path: Path) -> str:
    """Say that somebody else is writing to a store; empty where nobody is."""
    lock = path.with_name(f".{path.name}.lock")
    if not lock.exists():
        return ""
    try:
        lock_store(path).release()
    except StoreBusyError as error:
        return str(error).replace(str(path), path.name)
    return ""


@dataclass(frozen=True)
class Offer:
    """What can be done with what is at the places of a run, one place for each layer.

    Parameters
    ----------
    question : str
        What is in the way, and the ways out; empty where nothing is.
    resumable : bool
        Whether going on is one of them.
    replaceable : bool
        Whether replacing it is.
    resumes : str
        ``"12 of 40 tiles are in cells.ome.zarr"`` where going on is one.
    """

    question: str = ""
    resumable: bool = False
    replaceable: bool = True
    resumes: str = ""

    def excludes(self, answer: str) -> bool:
        """Whether an answer to what to do with what is there cannot be followed."""
        return not self.replaceable or (answer == "continue" and not self.resumable)


def offer_of(reports: Sequence[PlaceReport]) -> Offer:
    """What to offer for what was found; what stands most in the way comes first."""
    by_kind = {report.kind: report for report in reversed(reports)}
    if WRITTEN in by_kind:
        return Offer(by_kind[WRITTEN].why, replaceable=False)
    if FIXED in by_kind:
        name = by_kind[FIXED].path.name
        question = f"{name} exists and is nothing that was saved here, so it stays: rename"
        return Offer(question, replaceable=False)
    if OTHER_RUN in by_kind:
        other = by_kind[OTHER_RUN]
        there = f"{other.done:,} of {other.total:,} tiles of other settings are in it"
        return Offer(f"Exists, and {there} ({other.why}): rename, or Overwrite")
    if REPLACEABLE in by_kind:
        return Offer("Exists: rename, or Overwrite")
    if RESUMABLE in by_kind:
        going_on = [report for report in reports if report.kind in (RESUMABLE, FINISHED)]
        done, total = (sum(getattr(r, name) for r in going_on) for name in ("done", "total"))
        where = going_on[0].path.name if len(going_on) == 1 else f"{len(going_on)} files"
        return Offer(
            "Exists: rename, Resume, or Overwrite",
            resumable=True,
            resumes=f"{done:,} of {total:,} tiles are in {where}",
        )
    if FINISHED in by_kind:
        return Offer("Exists, and is finished: rename, or Overwrite")
    return Offer()
