"""Whether disks have room for what is saved and for what waits there, asked before a run."""

from __future__ import annotations

import shutil
import tempfile
from math import prod
from pathlib import Path

import numpy as np

from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.widgets.fields.text import bytes_text
from napari_tessera.widgets.save_target import ResolvedTarget
from napari_tessera.widgets.saved_region import saved_region
from napari_tessera.writing.chunks.halves import plane_levels
from napari_tessera.writing.files.formats import OME_TIFF


def saved_bytes(plan: PredictionPlan, save: ResolvedTarget) -> int:
    """Bytes of what is saved, were it not to become smaller by compression; levels included.

    Of a Zarr, that of the tiles that are predicted: what is skipped is not there.
    """
    sizes = dict(zip(plan.region.axes, saved_region(plan).selected_shape, strict=True))
    others = prod(size for letter, size in sizes.items() if letter not in "YX")
    pixels = sizes["Y"] * sizes["X"]
    if save.while_running or save.file_format is OME_TIFF:
        pixels += sum(map(prod, plane_levels(sizes["Y"], sizes["X"])))
    n_bytes = int(others * pixels * np.dtype(plan.output_dtype).itemsize)
    return n_bytes - _skipped(plan, n_bytes) if save.while_running else n_bytes


def _skipped(plan: PredictionPlan, n_bytes: int) -> int:
    """What of a result's bytes belongs to tiles that are skipped; copied channels never do."""
    predicted = prod(plan.region.selected_shape) / prod(saved_region(plan).selected_shape)
    return int(n_bytes * predicted * (1 - plan.total_tiles / plan.tiles.n_tiles))


def check_room_to_save(plan: PredictionPlan, save: ResolvedTarget) -> None:
    """Raise PlanError (field ``"save"``) unless there is room where a run is saved."""
    folder = save.path.absolute().parent
    free = shutil.disk_usage(folder).free
    wanted = saved_bytes(plan, save)
    # A store that is replaced is deleted first, and what is continued is there in part. A file is
    # replaced when the new one is complete.
    there = _bytes_there(save.path) if save.while_running and wanted > free else 0
    if wanted > free + there:
        raise PlanError(
            f"the result takes up to {bytes_text(wanted)} on disk, and {folder} has "
            f"{bytes_text(free)}: save elsewhere, or make room",
            "save",
        )


def check_room_to_wait(plan: PredictionPlan, save: ResolvedTarget | None) -> None:
    """Raise PlanError unless the temporary folder has room for a result too large for memory.

    Its field is ``"area"``; ``"save"`` where the file that is written of it lies on the same disk,
    and both do not fit.
    """
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    wanted = round(plan.output_bytes * plan.total_tiles / plan.tiles.n_tiles)
    if wanted > free:
        raise PlanError(
            f"the result takes {bytes_text(wanted)}: more than half of the free memory, "
            f"and {folder} has {bytes_text(free)}; choose a smaller area, or save where "
            "there is room",
            "area",
        )
    if save is None or save.path.absolute().parent.stat().st_dev != folder.stat().st_dev:
        return
    if wanted + saved_bytes(plan, save) > free:
        raise PlanError(
            f"the result waits in {folder} until {save.path.name} is written, which takes up to "
            f"{bytes_text(wanted + saved_bytes(plan, save))} together, and there is "
            f"{bytes_text(free)}: save as OME-Zarr, or on another disk",
            "save",
        )


def room_for_levels(plan: PredictionPlan, store: Path) -> int:
    """Bytes of the temporary folder that a run may use to be shown by: half of what it leaves.

    Parameters
    ----------
    plan : PredictionPlan
        The run.
    store : pathlib.Path
        Where its output is written; it need not exist.
    """
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    there = next((place for place in store.absolute().parents if place.exists()), None)
    if there is None or there.stat().st_dev == folder.stat().st_dev:
        free -= plan.output_bytes * 4 // 3
    return max(free, 0) // 2


def _bytes_there(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
