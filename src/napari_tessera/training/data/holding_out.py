"""Which part of an image is kept apart for validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.training.data.cells import Box, CellGrid
from napari_tessera.training.errors import TrainingError

Shares = Callable[[int], NDArray[np.floating[Any]]]
"""From a sample to how much of each cell is to be trained on, 0…1."""

_NAMES = {"S": "samples", "T": "time points", "Z": "planes", "Y": "rows", "X": "columns"}
_POSITIONS = 17


@dataclass(frozen=True)
class HeldOut:
    """A part of an image that is never trained on: whole samples, or a box in every sample.

    Parameters
    ----------
    axes : dict from str to (int, int)
        Start and stop along the axes on which it is not everything, in the image's own indices;
        empty where nothing is held out.
    samples : tuple of int
        Samples (folded) that patches for validation come from.
    training : tuple of int
        Samples that patches for training come from.
    cells : Box or None
        The box in cells; None where whole samples are held out, or nothing.
    """

    axes: dict[str, tuple[int, int]]
    samples: tuple[int, ...]
    training: tuple[int, ...]
    cells: Box | None = None

    def to_json(self) -> dict[str, list[int]]:
        """The axes on which it is not everything, start and stop each."""
        return {letter: list(along) for letter, along in self.axes.items()}

    @property
    def text(self) -> str:
        """For people, as ``planes 45–54``: first and last, counted from 0."""
        return ", ".join(
            f"{_NAMES[letter]} {start}–{stop - 1}"
            if stop - start > 1
            else f"{_NAMES[letter][:-1]} {start}"
            for letter, (start, stop) in self.axes.items()
        )


def hold_out(
    layout: Layout, grid: CellGrid, percent: float, shares: Shares | None = None
) -> HeldOut:
    """Choose what is held out.

    Of an image with many planes, time points or samples it is a row of these in the middle;
    else a box of cells at the lower edge, the same in all of them, so that nothing is learned of it
    from another time. Where patches are only taken from a part of the image, it is chosen so that
    it holds about the same share of that part.

    Parameters
    ----------
    layout : Layout
        The folded image.
    grid : CellGrid
        Its cells.
    percent : float
        Share that is wanted; 0 for nothing. At least one plane, or one patch.
    shares : callable, optional
        How much of each cell is to be trained on.

    Raises
    ------
    TrainingError
        If no room for a patch would be left.
    """
    everything = tuple(range(layout.view_shape[0]))
    if percent == 0:
        return HeldOut({}, (), everything)
    along = samples_held(layout, percent)
    if along is not None:
        return _samples(layout, *along, percent, shares)
    if grid.size < 2:
        raise TrainingError(
            f"the image has {_times(grid.space)} pixels: with patches of {_times(grid.patch)} "
            "nothing is left to train on beside a part for validation; use a smaller patch size, "
            "or validation percent 0",
            "patch_size",
        )
    return _box(layout, grid, percent, shares)


def samples_held(layout: Layout, percent: float) -> tuple[str, int] | None:
    """Along which axis whole samples are held out, and how many; None where a box is, or nothing.

    It is the longest one of planes, time points and samples.
    """
    sizes = layout.sample_sizes
    if not sizes:
        return None
    letter = max(sizes, key=lambda name: sizes[name])
    wanted = round(sizes[letter] * percent / 100)
    return (letter, wanted) if 1 <= wanted < sizes[letter] else None


def _samples(
    layout: Layout, letter: str, wanted: int, percent: float, shares: Shares | None
) -> HeldOut:
    everything = range(layout.view_shape[0])
    along = np.array([layout.unfold(sample)[letter] for sample in everything])
    size = layout.sample_sizes[letter]
    weights = np.ones(size)
    if shares is not None:
        totals = np.array([shares(sample).sum(dtype=np.float64) for sample in everything])
        weights = np.bincount(along, totals, minlength=size).astype(np.float64)
    sums = np.concatenate([[0.0], weights.cumsum()])
    held = sums[wanted:] - sums[:-wanted]
    start = _best(held / sums[-1], percent, np.abs(np.arange(len(held)) - (size - wanted) // 2))
    inside = (along >= start) & (along < start + wanted)
    return HeldOut(
        {letter: (start, start + wanted)},
        tuple(np.flatnonzero(inside).tolist()),
        tuple(np.flatnonzero(~inside).tolist()),
    )


def _box(layout: Layout, grid: CellGrid, percent: float, shares: Shares | None) -> HeldOut:
    everything = tuple(range(layout.view_shape[0]))
    sizes = _box_sizes(grid.shape, percent / 100)
    starts = [
        sorted(
            {round(at * (n - b) / (_POSITIONS - 1)) for at in range(_POSITIONS)} | {(n - b) // 2}
        )
        for n, b in zip(grid.shape, sizes, strict=True)
    ]
    places = list(product(*starts))
    # below in Y, in the middle of X and Z: the fewest patches would lie across its border in a
    # corner, but corners are the emptiest part of many images
    middle = [(n - b) // 2 for n, b in zip(grid.shape, sizes, strict=True)]
    middle[-2] = grid.shape[-2] - sizes[-2]
    away = np.array(
        [sum(abs(at - best) for at, best in zip(p, middle, strict=True)) for p in places]
    )
    total = np.ones(grid.shape)
    if shares is not None:
        total = np.sum([shares(sample) for sample in everything], axis=0, dtype=np.float64)
    boxes: list[Box] = [
        tuple((at, at + b) for at, b in zip(place, sizes, strict=True)) for place in places
    ]
    held = np.array([total[tuple(slice(*along) for along in box)].sum() for box in boxes])
    cells = boxes[_best(held / total.sum(), percent, away)]
    pixels = zip(layout.spatial_axes, grid.pixels(cells), grid.space, strict=True)
    axes = {letter: along for letter, along, size in pixels if along != (0, size)}
    return HeldOut(axes, everything, everything, cells)


def _box_sizes(shape: Sequence[int], share: float) -> list[int]:
    """Cells along each axis of a box that is about such a share, as cubic as can be."""
    sizes = [1] * len(shape)
    left = share
    # short axes first: what they cannot give, the long ones make good
    order = sorted(range(len(shape)), key=lambda axis: shape[axis])
    for number, axis in enumerate(order):
        part = left ** (1 / (len(order) - number))
        sizes[axis] = max(1, min(shape[axis], round(shape[axis] * part)))
        left = min(1.0, left * shape[axis] / sizes[axis])
    if sizes == list(shape):
        sizes[order[-1]] -= 1
    return sizes


def _best(held: NDArray[np.float64], percent: float, away: NDArray[np.int64]) -> int:
    """The place whose share is nearest to the one wanted; of alike ones the nearest."""
    wanted = percent / 100
    # never all, and never nothing, where there is a choice
    off = np.where((held > 0) & (held < 1), np.abs(held - wanted), 2.0)
    # in steps of a tenth of what is wanted, so that a hair's breadth moves it nowhere
    return int(np.lexsort((away, np.round(off / wanted * 10)))[0])


def _times(sizes: Sequence[int]) -> str:
    return " × ".join(map(str, sizes))


def share_held(layout: Layout, held: HeldOut) -> float:
    """Share of an image that is held out, in per cent."""
    sizes = layout.base.original_dim_sizes
    if not held.axes:
        return 0.0
    return 100 * prod((stop - start) / sizes[a] for a, (start, stop) in held.axes.items())
