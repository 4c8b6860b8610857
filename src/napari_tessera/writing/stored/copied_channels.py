"""Channels that no model was asked for, copied from the image so that the result has them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.region import Region

Piece = tuple[slice, slice]
"""Where a run of indices lies in the result, and where in the image."""


def copied_channels(layout: Layout, region: Region) -> tuple[int, ...]:
    """Channels of the image that a region leaves out and that can be copied through.

    Parameters
    ----------
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        Part of the output that is predicted.

    Returns
    -------
    tuple of int
        Empty where nothing is left out, or the output's channels are not the image's.
    """
    if "C" not in layout.axes or (layout.output_axes, layout.output_shape) != (
        layout.axes,
        layout.shape,
    ):
        return ()
    predicted = set(region.along("C"))
    return tuple(c for c in range(layout.shape[layout.axes.index("C")]) if c not in predicted)


def with_all_channels(region: Region) -> Region:
    """The same region, with every channel."""
    at = region.axes.index("C")
    indices = list(region.indices)
    indices[at] = range(region.shape[at])
    return replace(region, indices=tuple(indices))


def copied_blocks(
    region: Region,
    channels: Sequence[int],
    lengths: Mapping[str, int],
    read_input: Callable[[tuple[slice, ...]], NDArray[Any]],
    within: Mapping[str, tuple[int, int]] | None = None,
) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
    """Read the channels block by block.

    Parameters
    ----------
    region : Region
        Part of the image that the result holds, with all its channels.
    channels : sequence of int
        Those that are copied.
    lengths : mapping of str to int
        How long a block is along each axis: the length of a chunk or shard of the result.
        Samples and channels are read one at a time.
    read_input : callable
        From slices of the whole image to its pixels (see `RunInfo.read_input`).
    within : mapping of str to (int, int), optional
        Start and stop of what is wanted along axes of the region, counted in the indices that it
        has; default: all.

    Yields
    ------
    target : tuple of slice
        Where the block lies in the result, in the order of ``region.axes``.
    pixels : numpy.ndarray
        The block, in the image's data type.
    """
    along = []
    for letter in region.axes:
        chosen = region.along(letter)
        if letter == "C":
            along.append([(slice(c, c + 1), slice(c, c + 1)) for c in channels])
        else:
            length = 1 if letter == "S" else lengths.get(letter, 1)
            start, stop = (within or {}).get(letter, (0, len(chosen)))
            along.append(list(_pieces(chosen, length, start, stop)))
    for pieces in product(*along):
        target, source = tuple(own for own, _ in pieces), tuple(read for _, read in pieces)
        yield target, read_input(source)


def _pieces(chosen: Sequence[int], length: int, first: int, end: int) -> Iterator[Piece]:
    """Runs of indices, cut where the result's chunks are."""
    step = length if isinstance(chosen, range) else 1
    for start in range(first, end, step):
        stop = min(start + step, end)
        yield slice(start, stop), slice(chosen[start], chosen[stop - 1] + 1)
