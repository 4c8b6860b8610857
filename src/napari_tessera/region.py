"""A part of an image: which indices along each axis, and where a block of pixels falls in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import index as as_int
from typing import Any

import numpy as np

from napari_tessera.axes import validate_axes

Selection = Mapping[str, slice | int | Sequence[int]]
"""Axis letter to what is wanted along it; an axis that is not named is wanted whole."""

MOST_NAMED = 8
"""Indices that an error names; of more the first ones."""


@dataclass(frozen=True)
class Region:
    """A product of index sets, one per axis.

    Parameters
    ----------
    axes, shape : str, tuple of int
        Axes and shape of the whole image.
    indices : tuple of range or tuple of int
        For each axis the ascending indices that belong to the region. Axes that tiles extend
        along must be a `range` of step 1.
    """

    axes: str
    shape: tuple[int, ...]
    indices: tuple[range | tuple[int, ...], ...]

    @classmethod
    def from_selection(
        cls, axes: str, shape: Sequence[int], selection: Selection | None = None
    ) -> Region:
        """Read a selection as people write it.

        Parameters
        ----------
        axes, shape : str, sequence of int
            Axes and shape of the whole image.
        selection : mapping, optional
            Axis letter to slice (step 1), int (the axis stays, with length 1) or sequence of
            int, ascending and none twice. Negative indices count from the end, as in Python.

        Raises
        ------
        ValueError
            If a letter is not an axis of the image, nothing of an axis is chosen, or its indices
            are not ascending.
        IndexError
            If an index is outside the image.
        """
        validate_axes(axes, shape)
        chosen = dict(selection or {})
        for letter in chosen:
            if letter not in axes:
                raise ValueError(f"region names axis {letter!r}, the image has {axes}")
        indices = tuple(
            _indices(letter, int(size), chosen.get(letter))
            for letter, size in zip(axes, shape, strict=True)
        )
        return cls(axes, tuple(int(size) for size in shape), indices)

    @property
    def selected_shape(self) -> tuple[int, ...]:
        """Shape of the region."""
        return tuple(len(chosen) for chosen in self.indices)

    @property
    def is_full(self) -> bool:
        """Whether the region is the whole image."""
        return self.selected_shape == self.shape

    def along(self, letter: str) -> range | tuple[int, ...]:
        """Chosen indices along an axis; an axis that the image has not is index 0 alone."""
        return self.indices[self.axes.index(letter)] if letter in self.axes else range(1)

    def bounds(self, letter: str) -> tuple[int, int]:
        """First and one past the last chosen index along an axis."""
        chosen = self.along(letter)
        return chosen[0], chosen[-1] + 1

    def to_json(self) -> dict[str, list[int] | dict[str, int]]:
        """Give the axes that are not whole: a list of indices, or start and stop."""
        out: dict[str, list[int] | dict[str, int]] = {}
        for letter, size, chosen in zip(self.axes, self.shape, self.indices, strict=True):
            if len(chosen) == size:
                continue
            if isinstance(chosen, range):
                out[letter] = {"start": chosen.start, "stop": chosen.stop}
            else:
                out[letter] = list(chosen)
        return out

    @classmethod
    def from_json(cls, axes: str, shape: Sequence[int], data: Mapping[str, Any]) -> Region:
        """Read what `to_json` gave."""
        selection: dict[str, slice | Sequence[int]] = {}
        for letter, chosen in data.items():
            selection[letter] = (
                slice(int(chosen["start"]), int(chosen["stop"]))
                if isinstance(chosen, Mapping)
                else [int(index) for index in chosen]
            )
        return cls.from_selection(axes, shape, selection)

    def place(self, block: tuple[slice, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
        """Where a block of the whole image falls in an array of the region's shape.

        Parameters
        ----------
        block : tuple of slice
            Start and stop along each axis of the whole image.

        Returns
        -------
        tuple or None
            Slices of the block and slices of the region's array that are the same pixels; None
            where they do not meet.

        Raises
        ------
        ValueError
            If the block covers scattered indices, for which no slice exists.
        """
        source, target = [], []
        for letter, part, chosen in zip(self.axes, block, self.indices, strict=True):
            if isinstance(chosen, range):
                start, stop = max(part.start, chosen.start), min(part.stop, chosen.stop)
                if start >= stop:
                    return None
                source.append(slice(start - part.start, stop - part.start))
                target.append(slice(start - chosen.start, stop - chosen.start))
                continue
            low, high = np.searchsorted(chosen, (part.start, part.stop))
            if low == high:
                return None
            first, last = chosen[low], chosen[high - 1]
            if last - first != high - 1 - low:
                raise ValueError(
                    f"a tile covers {letter} {part.start}…{part.stop - 1}, of which the region "
                    "takes scattered indices; choose a range along this axis"
                )
            source.append(slice(first - part.start, last + 1 - part.start))
            target.append(slice(int(low), int(high)))
        return tuple(source), tuple(target)


def index_list(letter: str, wanted: object) -> list[int]:
    """Indices as people give them: one whole number or a sequence of them, never a mask.

    Raises
    ------
    ValueError
        If one is no whole number. A mask of True and False would pass as the indices 1 and 0.
    """
    many = wanted if isinstance(wanted, Iterable) and not isinstance(wanted, str) else [wanted]
    given = []
    for index in many:
        if isinstance(index, bool | np.bool_) or not hasattr(index, "__index__"):
            raise ValueError(
                f"region {letter}: {index!r} is no index; give whole numbers or a slice (of a "
                "mask: numpy.flatnonzero(mask))"
            )
        given.append(as_int(index))
    return given


def _indices(
    letter: str, size: int, wanted: slice | int | Sequence[int] | None
) -> range | tuple[int, ...]:
    if wanted is None:
        return range(size)
    if isinstance(wanted, slice):
        if wanted.step not in (None, 1):
            raise ValueError(
                f"region {letter}: step {wanted.step} is not supported, only 1: leave it out, and "
                "take what you want of the result"
            )
        try:
            start, stop, _ = wanted.indices(size)
        except TypeError:
            raise ValueError(
                f"region {letter}: {wanted.start!r}…{wanted.stop!r} are no whole numbers: "
                "give such, or leave one out"
            ) from None
        if start >= stop:
            raise ValueError(
                f"region {letter}: {wanted.start}…{wanted.stop} is empty, the axis has {size}: "
                "give a start below the stop"
            )
        return range(start, stop)
    given = index_list(letter, wanted)
    if not given:
        raise ValueError(f"region {letter}: no index chosen, the axis has {size}: give one or more")
    for index in given:
        if not -size <= index < size:
            raise IndexError(
                f"region {letter}: {index} is outside 0…{size - 1}: give one that is there, "
                "counted from 0"
            )
    found = tuple(index % size for index in given)
    if any(later <= index for index, later in pairwise(found)):
        # sorted in silence, the pixels of one plane would be taken for those of another
        raise ValueError(
            f"region {letter}: {_shortened(given)} is not ascending: give ascending indices, and "
            "reorder the result"
        )
    if found[-1] - found[0] == len(found) - 1:
        return range(found[0], found[-1] + 1)
    return found


def _shortened(indices: Sequence[int]) -> str:
    """The indices as Python writes them; of many, the first ones."""
    text = ", ".join(str(index) for index in indices[:MOST_NAMED])
    return f"[{text}, …]" if len(indices) > MOST_NAMED else f"[{text}]"
