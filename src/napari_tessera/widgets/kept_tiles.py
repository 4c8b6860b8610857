"""What of a run is on disk, and what should be and is not. Takes time: not for the GUI thread."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari_tessera.writing.stored.stored_run import read_unfinished

if TYPE_CHECKING:
    from napari_tessera.widgets.layer_run import LayerRun


def kept_text(run: LayerRun) -> str:
    """What is on disk of a run that was stopped, in one line; empty where nothing is saved."""
    if run.save is None:
        return ""
    if run.has_to_write:
        return f"All tiles are done, {run.save.path.name} is not written yet"
    if run.file is not None:
        return f"{run.save.path.name} is not written before all tiles are done"
    stored = read_unfinished(run.save.path)
    if stored is None:
        return ""
    return f"{stored.n_done:,} of {stored.total_tiles:,} tiles are in {run.save.path.name}"


def clipped_pixels(run: LayerRun) -> int:
    """Saved pixels that were outside the range of their type; 0 where that cannot be read."""
    with suppress(OSError):
        if run.file is not None:
            return run.file.clipped_pixels
        stored = None if run.save is None else read_unfinished(run.save.path)
        return 0 if stored is None else stored.clipped_pixels
    return 0


def lost_tiles(run: LayerRun) -> list[int]:
    """Finished tiles that are not on disk, where the run is saved while it goes on."""
    assert run.schedule is not None
    if run.save is None or run.file is not None:
        return []
    stored = read_unfinished(run.save.path)
    on_disk = set(stored.done) if stored is not None else set()
    return [tile for tile in run.schedule.done() if tile not in on_disk]
