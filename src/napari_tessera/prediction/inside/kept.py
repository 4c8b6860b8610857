"""Which tiles of an area are predicted, in few numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 2**20
"""Tiles of a whole grid that are told of together."""


@dataclass(frozen=True)
class KeptTiles:
    """The tiles of a grid that are predicted; the others are skipped.

    Only axes along which it makes a difference are stored: of a mask of the plane, that holds for
    all planes, time points and channels, one plane of tiles is.

    Parameters
    ----------
    axes : str
        Letters of these axes, in the order of the grid's.
    shape : tuple of int
        Number of tiles along each of them.
    runs : tuple of int
        Lengths of runs of tiles in C order that are skipped, kept, skipped, and so on. Only the
        first one may be 0.

    Raises
    ------
    ValueError
        If they do not fill the shape, or no tile is kept.
    """

    axes: str
    shape: tuple[int, ...]
    runs: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (*self.shape, *self.runs)
        if any(isinstance(n, bool) or not isinstance(n, int) for n in numbers):
            raise ValueError("tiles are counted in whole numbers")
        if len(self.axes) != len(self.shape) or len(set(self.axes)) != len(self.axes):
            raise ValueError(f"{self.axes!r} does not name the axes of {self.shape}")
        if any(n < 1 for n in (*self.shape, *self.runs[1:])) or min(self.runs[:1], default=0) < 0:
            raise ValueError("a run of tiles is empty")
        if sum(self.runs) != prod(self.shape):
            raise ValueError(f"runs of {sum(self.runs)} tiles do not fill {self.shape}")
        if len(self.runs) < 2:
            raise ValueError("no tile is kept")

    @classmethod
    def of(cls, axes: str, kept: NDArray[np.bool_]) -> KeptTiles:
        """Store which tiles are kept.

        Parameters
        ----------
        axes : str
            A letter for each axis of the grid.
        kept : numpy.ndarray of bool
            Over the grid; one where it is 1 long stands for the whole axis.
        """
        letters = ""
        # what was broadcast is not looked at a thousand times
        kept = kept[tuple(slice(None, None if step else 1) for step in kept.strides)]
        for axis, letter in reversed(list(enumerate(axes))):
            first = kept.take([0], axis)
            if (kept == first).all():
                kept = first[(slice(None),) * axis + (0,)]
            else:
                letters = letter + letters
        flat = kept.ravel()
        ends = np.flatnonzero(np.diff(flat)) + 1
        lengths = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
        runs = (0, *lengths) if flat[0] else tuple(lengths)
        return cls(letters, tuple(kept.shape), tuple(runs))

    @property
    def n_kept(self) -> int:
        """Number of tiles that are kept, along the stored axes."""
        return sum(self.runs[1::2])

    @property
    def keeps_all(self) -> bool:
        """Whether no tile is skipped."""
        return self.n_kept == prod(self.shape)

    def share_of(self, n_tiles: int) -> int:
        """Number of tiles that are kept, of those of the whole grid."""
        return n_tiles // prod(self.shape) * self.n_kept

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """One value per tile along the stored axes; read-only."""
        which = np.zeros(len(self.runs), np.bool_)
        which[1::2] = True
        kept = np.repeat(which, self.runs).reshape(self.shape)
        kept.setflags(write=False)
        return kept

    def over(self, axes: str) -> NDArray[np.bool_]:
        """The same over the axes of the whole grid, 1 long along those that are not stored."""
        sizes = dict(zip(self.axes, self.shape, strict=True))
        return self.kept.reshape([sizes.get(letter, 1) for letter in axes])

    def among(self, positions: Mapping[str, NDArray[np.int64]]) -> KeptTiles | None:
        """The same of a part of the grid; None where all of that is skipped.

        Parameters
        ----------
        positions : mapping of str to numpy.ndarray of int
            For each axis of the grid which of its tiles the part has, ascending.
        """
        kept = self.kept[np.ix_(*(positions[letter] for letter in self.axes))]
        return KeptTiles.of(self.axes, kept) if kept.any() else None

    def skipped_blocks(
        self, axes: str, shape: Sequence[int]
    ) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Of each tile of a whole grid whether it is skipped, in parts.

        Parameters
        ----------
        axes : str
            Letters of the grid's axes.
        shape : sequence of int
            Number of tiles along each of them.

        Yields
        ------
        start : int
            Number of the first tile of a part.
        skipped : numpy.ndarray of bool
            One value for each of its tiles.
        """
        total = prod(shape)
        if self.axes not in axes:
            for start in range(0, total, AT_ONCE):
                tiles = np.arange(start, min(start + AT_ONCE, total))
                places = np.unravel_index(tiles, shape)
                at = tuple(places[axes.index(letter)] for letter in self.axes)
                yield start, ~self.kept[at]
            return
        # axes behind the stored ones lengthen each run, those before repeat them all
        behind = axes.index(self.axes) + len(self.axes) if self.axes else 0
        ends = np.cumsum(self.runs) * prod(shape[behind:])
        period = int(ends[-1])
        if period <= AT_ONCE:
            many = np.tile(_skipped(ends, 0, period), AT_ONCE // period)
            for start in range(0, total, many.size):
                yield start, many[: total - start]
            return
        for first in range(0, total, period):
            for start in range(0, period, AT_ONCE):
                yield first + start, _skipped(ends, start, min(period, start + AT_ONCE))

    def check(self, axes: str, shape: Sequence[int]) -> None:
        """Raise ValueError unless it is for a grid of these axes and numbers of tiles."""
        sizes = dict(zip(axes, shape, strict=True))
        own = dict(zip(self.axes, self.shape, strict=True))
        in_order = "".join(letter for letter in axes if letter in own) == self.axes
        if not in_order or any(sizes[letter] != n for letter, n in own.items()):
            raise ValueError(f"tiles {self.axes} {self.shape} of a grid {axes} {tuple(shape)}")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"axes": self.axes, "shape": list(self.shape), "runs": list(self.runs)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KeptTiles:
        """Read what `to_json` gave."""
        if unknown := set(data) - {"axes", "shape", "runs"}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return cls(str(data["axes"]), tuple(data["shape"]), tuple(data["runs"]))


def _skipped(ends: NDArray[np.int64], start: int, stop: int) -> NDArray[np.bool_]:
    """Of the tiles start…stop−1 whether they are skipped, where runs of both end in turn."""
    first, last = np.searchsorted(ends, [start, stop - 1], "right")
    stops = np.concatenate([[start], np.clip(ends[first : last + 1], start, stop)])
    lengths = stops[1:] - stops[:-1]
    return np.repeat(np.arange(first, last + 1) % 2 == 0, lengths)
