"""Results of a run over files, opened as layers of which only what is looked at is read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_tessera.prediction.read_block import read_block
from napari_tessera.prediction.several.report import DONE, Report
from napari_tessera.stacks import ImageStack, open_stack, read_metadata
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.widgets.lazy_array import Bounds, LazyArray
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.worker import Job, JobWorker, error_line, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel

MOST_OPENED = 12
"""Results that are opened at once."""

_SAMPLED = 256
"""Pixels along an axis of a plane, at most about, that contrast limits are taken from."""


class StackArray(LazyArray):
    """An open image as napari reads it: block by block, in its own axes.

    The two planes that were read last are kept: napari asks for the first one when a layer is
    made, and for the one on display, more than once, when it is added.

    Parameters
    ----------
    stack : ImageStack
        The image; open as long as this is.
    """

    def __init__(self, stack: ImageStack) -> None:
        super().__init__(stack.original_data_shape, stack.data_dtype)
        self.stack = stack
        self._kept: tuple[tuple[Bounds, NDArray[Any]], ...] = ()

    @property
    def reads(self) -> tuple[Any, ...]:
        """The image."""
        return (self.stack,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        kept = self._kept
        for at, block in kept:
            if at == bounds:
                return block
        block = np.asarray(read_block(self.stack, [slice(*part) for part in bounds]))
        block.flags.writeable = False
        if all(stop - start == 1 for start, stop in bounds[:-2]):
            self._kept = (*kept[-1:], (bounds, block))
        return block


@dataclass(frozen=True)
class ResultLayer:
    """What a layer of a result is made of.

    Parameters
    ----------
    data : array-like or list of array-like
        Its pixels, or levels of them.
    described : dict
        What `add_image` takes beside.
    """

    data: Any
    described: dict[str, Any]


class ResultOpener(QObject):
    """Opens results off the GUI thread, and adds them as layers one by one.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the layers go.
    parent : QObject
        Owner.

    Attributes
    ----------
    problem : Signal(str)
        What could not be opened, in one line.
    leash : Leash
        Ends it, by whomever the owner is destroyed.
    """

    problem = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.leash = Leash()
        self._viewer = viewer
        self._waiting: list[str] = []
        self._cancel = threading.Event()
        self._worker: JobWorker | None = None

    @property
    def busy(self) -> bool:
        """Whether results are being opened."""
        return self._worker is not None

    def open(self, report: Report) -> None:
        """Add the first results of a run as layers; what was being opened is left."""
        self.stop()
        results = [e.output for e in report.entries if e.state == DONE and e.output]
        if len(results) > MOST_OPENED:
            self.problem.emit(f"{MOST_OPENED} of {len(results)} results are opened")
        self._waiting = results[:MOST_OPENED]
        self._cancel = threading.Event()
        self.leash.hold([self._cancel])
        self._next()

    def stop(self) -> None:
        """Open no more."""
        self._cancel.set()
        self._waiting = []
        self._worker = None

    def _next(self) -> None:
        if not self._waiting or self._cancel.is_set():
            return
        point = tuple(self._viewer.dims.point) if len(self._viewer.layers) else ()
        job = Job(partial(read_result, self._waiting.pop(0), point), "opening results")
        self._worker = start_job(job, self._on_read, self._cancel, quiet=True)

    def _on_read(self) -> None:
        worker = self._worker
        # that of results that are left comes here too
        if worker is None or worker.job.outcome is None:
            return
        self._worker = None
        outcome = worker.job.outcome
        if self._cancel.is_set():
            return
        error = outcome.error
        if error is None:
            try:
                self._viewer.add_image(outcome.value.data, **outcome.value.described)
            except Exception as refused:
                error = refused
        if error is not None:
            self.problem.emit(error_line(error))
        self._next()


def read_result(output: str, point: Sequence[float]) -> ResultLayer:
    """Open a result, and read what napari asks for first. Not for the GUI thread.

    Parameters
    ----------
    output : str
        The result.
    point : sequence of float
        Where the viewer is, world units, of its last axes; empty where it shows nothing yet.

    Raises
    ------
    ValueError, OSError
        If it cannot be opened or read.
    """
    path = Path(output)
    stack = open_stack(output)
    metadata = read_metadata(stack)
    axes = stack.original_axes
    along = [metadata.along(letter) for letter in axes]
    levels = _levels(path) if is_zarr_folder(path) else []
    whole = StackArray(stack)
    data: Any = levels if len(levels) > 1 else whole
    plane = _plane(whole.shape, along, point)
    if data is whole:
        whole[(0,) * len(plane)]
    described = {
        "name": _name(path),
        "multiscale": len(levels) > 1,
        "axis_labels": tuple(letter.lower() for letter in axes),
        "scale": [step for step, _, _ in along],
        "translate": [start for _, _, start in along],
        "units": [unit or "pixel" for _, unit, _ in along],
        "contrast_limits": _limits(levels[-1] if len(levels) > 1 else whole, whole.shape, plane),
    }
    return ResultLayer(data, described)


def _plane(
    shape: Sequence[int], along: Sequence[tuple[float, str | None, float]], point: Sequence[float]
) -> tuple[int, ...]:
    """Index, along all axes but the last two, of the plane that napari shows first."""
    outer = len(shape) - 2
    # a viewer that shows nothing yet goes to the middle
    index = [0 if point else (size - 1) // 2 for size in shape[:outer]]
    # axes of layers and of the viewer are the same counted from the last one
    for d in range(outer):
        if (at := len(point) - len(shape) + d) >= 0:
            step, _, start = along[d]
            index[d] = min(max(round((point[at] - start) / step), 0), shape[d] - 1)
    return tuple(index)


def _limits(level: Any, shape: Sequence[int], plane: Sequence[int]) -> tuple[float, float]:
    """Darkest and brightest of one plane, of which some of the pixels are looked at."""
    index = tuple(
        n * size // full for n, size, full in zip(plane, level.shape, shape, strict=False)
    )
    pixels = np.asarray(level[index])
    few = pixels[tuple(slice(None, None, max(1, size // _SAMPLED)) for size in pixels.shape)]
    finite = few[np.isfinite(few)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return low, high if high > low else low + 1.0


def _name(path: Path) -> str:
    """What a layer is called: a field of a plate, whose name is a number, by plate and well."""
    parts = path.parts
    store = next((n for n, part in enumerate(parts) if part.endswith(".zarr")), len(parts) - 1)
    return " ".join(parts[store:])


def _levels(path: Path) -> Sequence[Any]:
    """Full size and all smaller levels that are stored, the largest first."""
    group = zarr.open_group(path, mode="r")
    found = [group[str(n)] for n in range(len(list(group.array_keys()))) if str(n) in group]
    return [array for array in found if isinstance(array, zarr.Array)]
