"""Results of a run over files, opened as layers of which only what is looked at is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.prediction.read_block import read_block
from napari_tessera.prediction.several.report import DONE, Report
from napari_tessera.stacks import ImageStack, open_stack, read_metadata
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.widgets.lazy_array import Bounds, LazyArray

if TYPE_CHECKING:
    from napari.components import ViewerModel

MOST_OPENED = 12
"""Results that are opened at once."""


class StackArray(LazyArray):
    """An open image as napari reads it: block by block, in its own axes.

    Parameters
    ----------
    stack : ImageStack
        The image; open as long as this is.
    """

    def __init__(self, stack: ImageStack) -> None:
        super().__init__(stack.original_data_shape, stack.data_dtype)
        self.stack = stack

    @property
    def reads(self) -> tuple[Any, ...]:
        """The image."""
        return (self.stack,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        return np.asarray(read_block(self.stack, [slice(*part) for part in bounds]))


def open_results(viewer: ViewerModel, report: Report) -> list[str]:
    """Add results as layers; gives what could not be opened, one line each."""
    problems = []
    results = [entry for entry in report.entries if entry.state == DONE and entry.output]
    for entry in results[:MOST_OPENED]:
        try:
            _open(viewer, entry.output)
        except Exception as error:
            problems.append(" ".join(str(error).split()))
    if len(results) > MOST_OPENED:
        problems.append(f"{MOST_OPENED} of {len(results)} results are opened")
    return problems


def _open(viewer: ViewerModel, output: str) -> None:
    stack = open_stack(output)
    metadata = read_metadata(stack)
    axes = stack.original_axes
    data: Any = StackArray(stack)
    levels = _levels(Path(output)) if is_zarr_folder(Path(output)) else []
    if len(levels) > 1:
        data = levels
    along = [metadata.along(letter) for letter in axes]
    viewer.add_image(
        data,
        name=_name(Path(output)),
        multiscale=len(levels) > 1,
        axis_labels=tuple(letter.lower() for letter in axes),
        scale=[step for step, _, _ in along],
        translate=[start for _, _, start in along],
        units=[unit or "pixel" for _, unit, _ in along],
    )


def _name(path: Path) -> str:
    """What a layer is called: a field of a plate, whose name is a number, by plate and well."""
    parts = path.parts
    store = next((n for n, part in enumerate(parts) if part.endswith(".zarr")), len(parts) - 1)
    return " ".join(parts[store:])


def _levels(path: Path) -> Sequence[Any]:
    """Full size and smaller levels, as far as they are pictures that differ."""
    group = zarr.open_group(path, mode="r")
    found = [group[str(n)] for n in range(len(list(group.array_keys()))) if str(n) in group]
    return [array for array in found if isinstance(array, zarr.Array)]
