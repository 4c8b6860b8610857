"""What a mask marks: how much of each cell, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        # of the stack itself: what reads each chunk once has none any more
        chunks: Sequence[int] = getattr(stack, "chunks", None) or ()
        self._decoded = dict(zip(stack.original_axes, map(int, chunks), strict=False))
        self._kept: dict[tuple[int, ...], NDArray[np.float32]] = {}

    def key(self, sample: int) -> tuple[int, ...]:
        """Samples of one key are marked alike."""
        position = self._layout.unfold(sample)
        return tuple(position[letter] if letter in self._sizes else 0 for letter in position)

    def shares(self, sample: int) -> NDArray[np.float32]:
        """Marked share of each cell of a sample (folded), 0…1, in the shape of the grid."""
        key = self.key(sample)
        if key not in self._kept:
            self._measure(self._layout.unfold(sample))
        return self._kept[key]

    def excluded(self, sample: int) -> NDArray[np.bool_]:
        """Cells of which nothing is trained on: those in which nothing is marked."""
        excluded: NDArray[np.bool_] = self.shares(sample) == 0
        return excluded

    def _measure(self, position: dict[str, int]) -> None:
        """Keep the shares of a sample, and of the planes that are decoded with it."""
        times = int(self._sizes.get("T", 1))
        own = {letter: position.get(letter, 0) for letter in self._sizes}
        sample = own.get("S", 0) * times + own.get("T", 0)
        grid = self._grid
        planes = self._planes(own.get("Z", 0))
        shares = np.empty((len(planes), *grid.shape), np.float32)
        # in boxes of cells, so that a large plane is not read at once
        for cells in grid.blocks(max(1, _READ_PIXELS // len(planes)), self._chunks()):
            box = grid.pixels(cells)
            of = grid.of(cells)
            for number, marks in enumerate(self._marks(sample, planes, box)):
                shares[number][tuple(slice(*along) for along in cells)] = of.means(marks)
        for plane, one in zip(planes, shares, strict=True):
            key = {letter: own.get(letter, 0) for letter in position}
            if "Z" in key and "Z" in self._sizes:
                key["Z"] = plane
            self._kept[tuple(key.values())] = one

    def _planes(self, plane: int) -> range:
        """Planes of the mask that are decoded together, where samples are planes."""
        if "Z" not in self._sizes or len(self._grid.space) == 3:
            return range(plane, plane + 1)
        deep = self._decoded.get("Z", 1)
        start = plane // deep * deep
        return range(start, min(start + deep, self._sizes["Z"]))

    def _chunks(self) -> list[int] | None:
        """Sizes of chunks along (Z)YX; None where there are none."""
        chunks = [self._decoded.get(letter, 1) for letter in "ZYX"[-len(self._grid.space) :]]
        return chunks if max(chunks) > 1 else None

    def _marks(
        self, sample: int, planes: range, box: tuple[tuple[int, int], ...]
    ) -> Iterator[NDArray[np.bool_]]:
        """What is marked in a box of (Z)YX, of each plane."""
        flat = len(box) == 2
        if "Z" not in self._sizes:
            read = box[-2:]
        else:
            read = ((planes.start, planes.stop), *box) if flat else box
        coords, size = [a for a, _ in read], [b - a for a, b in read]
        pixels = self._stack.extract_patch(sample, None, coords, size)
        marks = (pixels != 0) & ~np.isnan(pixels) if pixels.dtype.kind == "f" else pixels != 0
        marked: NDArray[np.bool_] = marks[0] if len(marks) == 1 else marks.any(axis=0)
        if flat and marked.ndim == 3:
            yield from marked
        elif not flat and marked.ndim == 2:
            yield np.broadcast_to(marked, [b - a for a, b in box])
        else:
            yield marked


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
