"""What is at a place to save to: found in the background, told beside the field."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.plan_differences import can_be_adopted, differences
from napari_tessera.writing.files.formats import FileFormat
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.places.removal import is_free
from napari_tessera.writing.places.replaceable import why_kept
from napari_tessera.writing.stored.stored_run import read_unfinished

FREE, REPLACEABLE, FIXED = "free", "replaceable", "fixed"
RESUMABLE, OTHER_RUN, FINISHED, WRITTEN = "resumable", "other run", "finished", "written"


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
    kept : str
        Why it is never replaced, with the way out; empty where it may be.
    plan : mapping
        Plan of the run that is there, where the dock can be set to its settings.
    """

    path: Path
    kind: str
    done: int = 0
    total: int = 0
    why: str = ""
    kept: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def look_at_place(
    path: Path, chosen: FileFormat, plan: PredictionPlan, shown_by: str = ""
) -> PlaceReport:
    """Look what is at a place. Takes time: not for the GUI thread.

    Parameters
    ----------
    path : Path
        The place.
    chosen : FileFormat
        What is to be written there.
    plan : PredictionPlan
        Plan of the settings, made without the image's pixels.
    shown_by : str
        Name of the layer that shows what is there, if one does.
    """
    if chosen.while_running and (why := who_writes(path)):
        return PlaceReport(path, WRITTEN, why=why)
    if not is_taken(path, chosen):
        return PlaceReport(path, FREE)
    kept = kept_because(path, chosen, shown_by)
    if not chosen.while_running:
        return PlaceReport(path, FIXED if kept else REPLACEABLE, kept=kept)
    stored = read_unfinished(path)
    if stored is None:
        return PlaceReport(path, FIXED if kept else REPLACEABLE, kept=kept)
    done, total = stored.n_done, stored.total_tiles
    if stored.completed:
        return PlaceReport(path, FINISHED, total, total, kept=kept)
    why = differences(stored.plan, plan, pixels=False)
    kind = OTHER_RUN if why else RESUMABLE
    adopted = stored.plan if why and can_be_adopted(stored.plan, plan) else {}
    return PlaceReport(path, kind, done, total, why, kept, adopted)


def is_taken(path: Path, chosen: FileFormat) -> bool:
    """Whether something is at a place, an empty folder for a Zarr image left out."""
    return not is_free(path) if chosen.while_running else os.path.lexists(path)


def kept_because(path: Path, chosen: FileFormat, shown_by: str = "") -> str:
    """Say why what is at a place is never replaced, and the way out; empty where it may be.

    Parameters
    ----------
    path : Path
        A place with something.
    chosen : FileFormat
        What is to be written there.
    shown_by : str
        Name of the layer that shows it, if one does.
    """
    is_file = "" if path.is_file() else "it is no file"
    if why := why_kept(path) if chosen.while_running else is_file:
        return f"{path.name} exists, and {why}, so it stays: rename"
    if shown_by:
        return f"{path.name} is shown by the layer {shown_by}: rename, or remove that layer first"
    return ""


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
    settings : mapping
        Plan of the run that is there, where taking over its settings is one.
    """

    question: str = ""
    resumable: bool = False
    replaceable: bool = True
    resumes: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def excludes(self, answer: str) -> bool:
        """Whether an answer to what to do with what is there cannot be followed."""
        if answer == "continue":
            return not self.resumable
        return not self.replaceable and (answer == "overwrite" or not self.resumable)


def offer_of(reports: Sequence[PlaceReport]) -> Offer:
    """What to offer for what was found; what stands most in the way comes first."""
    by_kind = {report.kind: report for report in reversed(reports)}
    if WRITTEN in by_kind:
        return Offer(by_kind[WRITTEN].why, replaceable=False)
    if FIXED in by_kind:
        return Offer(by_kind[FIXED].kept, replaceable=False)
    kept = next((report.kept for report in reports if report.kept), "")
    if OTHER_RUN in by_kind:
        other = by_kind[OTHER_RUN]
        return Offer(
            f"Exists, {other.done:,} of {other.total:,} tiles, with {other.why}",
            replaceable=not kept,
            settings=other.plan,
        )
    if REPLACEABLE in by_kind:
        return Offer(kept or "Exists: rename, or Overwrite", replaceable=not kept)
    if RESUMABLE in by_kind:
        going_on = [report for report in reports if report.kind in (RESUMABLE, FINISHED)]
        done, total = (sum(getattr(r, name) for r in going_on) for name in ("done", "total"))
        where = going_on[0].path.name if len(going_on) == 1 else f"{len(going_on)} files"
        return Offer(
            "Exists: rename, or Resume" if kept else "Exists: rename, Resume, or Overwrite",
            resumable=True,
            replaceable=not kept,
            resumes=f"{done:,} of {total:,} tiles are in {where}",
        )
    if FINISHED in by_kind:
        question = kept or "Exists, and is finished: rename, or Overwrite"
        return Offer(question, replaceable=not kept)
    return Offer()
