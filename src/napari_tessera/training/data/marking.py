"""What a mask marks: how much of each cell, sample by sample."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.stacks import ArrayStack, ImageStack
from napari_tessera.stacks.read_once import read_once
from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.errors import TrainingError

_READ_PIXELS = 2**24


class MarkedCells:
    """How much of each cell is marked in a mask.

    Parameters
    ----------
    mask : array or ImageStack
        Marks where it is neither 0 nor NaN; of one with channels, where any of them does. Along
        axes that it has not it counts everywhere. An array has the shape of the image, without C
        or with it, or that of its space: (Z)YX or YX.
    layout : Layout
        The folded image.
    grid : CellGrid
        Its cells.

    Raises
    ------
    TrainingError
        If the mask is of another size.
    """

    def __init__(self, mask: Any, layout: Layout, grid: CellGrid) -> None:
        stack = mask if isinstance(mask, ImageStack) else _opened(mask, layout)
        _check_sizes(stack, layout)
        self._stack = read_once(stack)
        self._layout, self._grid = layout, grid
        self._sizes = dict(zip(stack.original_axes, stack.original_data_shape, strict=True))
        self._kept: OrderedDict[tuple[int, ...], NDArray[np.float32]] = OrderedDict()

    def key(self, sample: int) -> tuple[int, ...]:
        """Samples of one key are marked alike."""
        position = self._layout.unfold(sample)
        return tuple(position[letter] if letter in self._sizes else 0 for letter in position)

    def shares(self, sample: int) -> NDArray[np.float32]:
        """Marked share of each cell of a sample (folded), 0…1, in the shape of the grid."""
        key = self.key(sample)
        if key not in self._kept:
            self._kept[key] = self._measured(self._layout.unfold(sample))
        return self._kept[key]

    def excluded(self, sample: int) -> NDArray[np.bool_]:
        """Cells of which nothing is trained on: those in which nothing is marked."""
        excluded: NDArray[np.bool_] = self.shares(sample) == 0
        return excluded

    def _measured(self, position: dict[str, int]) -> NDArray[np.float32]:
        times = int(self._sizes.get("T", 1))
        own = {letter: position.get(letter, 0) for letter in self._sizes}
        sample = own.get("S", 0) * times + own.get("T", 0)
        grid = self._grid
        shares = np.empty(grid.shape, np.float32)
        # in boxes of cells, so that a large plane is not read at once
        for cells in grid.blocks(_READ_PIXELS):
            marks = self._marks(sample, own, grid.pixels(cells))
            shares[tuple(slice(*along) for along in cells)] = grid.of(cells).means(marks)
        return shares

    def _marks(
        self, sample: int, own: dict[str, int], box: tuple[tuple[int, int], ...]
    ) -> NDArray[np.bool_]:
        if "Z" in self._sizes and len(box) == 2:
            box = ((own["Z"], own["Z"] + 1), *box)
        read = box if "Z" in self._sizes else box[-2:]
        coords, size = [a for a, _ in read], [b - a for a, b in read]
        pixels = self._stack.extract_patch(sample, None, coords, size)
        marks = (pixels != 0) & ~np.isnan(pixels) if pixels.dtype.kind == "f" else pixels != 0
        marked: NDArray[np.bool_] = marks.any(axis=0)
        if len(self._grid.space) == 2 and marked.ndim == 3:
            return np.asarray(marked[0])
        if len(self._grid.space) == 3 and marked.ndim == 2:
            return np.broadcast_to(marked, [b - a for a, b in box])
        return marked


def _opened(mask: Any, layout: Layout) -> ImageStack:
    """An array as a stack, in the axes that its shape tells."""
    array = mask if hasattr(mask, "shape") else np.asarray(mask)
    shape = tuple(getattr(array, "shape", ()))
    for axes in _possible_axes(layout.axes):
        if shape == _shape_along(layout, axes) and axes:
            return ArrayStack(array, axes, source="mask")
    wanted = " or ".join(
        f"{'×'.join(map(str, _shape_along(layout, axes)))} ({axes})"
        for axes in _possible_axes(layout.axes)
    )
    raise TrainingError(
        f"the mask has shape {'×'.join(map(str, shape)) or '()'}, the image would take {wanted}; "
        "draw it on the image that is trained on",
        "mask",
    )


def _possible_axes(axes: str) -> list[str]:
    kept = ("STCZYX", "STZYX", "ZYX", "YX")
    return list(dict.fromkeys("".join(a for a in axes if a in letters) for letters in kept))


def _shape_along(layout: Layout, axes: Sequence[str] | str) -> tuple[int, ...]:
    sizes = dict(zip(layout.axes, layout.shape, strict=True))
    return tuple(sizes[letter] for letter in axes)


def _check_sizes(mask: ImageStack, layout: Layout) -> None:
    sizes = dict(zip(layout.axes, layout.shape, strict=True))
    for letter, size in zip(mask.original_axes, mask.original_data_shape, strict=True):
        if letter != "C" and sizes.get(letter, 1) != size:
            raise TrainingError(
                f"the mask has size {size} along {letter} and the image "
                f"{sizes.get(letter, 'no such axis')}; draw it on the image that is trained on",
                "mask",
            )
