"""How large blocks are: few tiles twice, all workers busy, and no more blocks than can be held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from napari_tessera.region import Region
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_cut import BlockCut

MOST_BLOCKS = 100_000
"""Of more, whoever hands them out would hold too much."""

OVERHEAD = 0.5
"""What a block costs beside its tiles, in tiles: opening, closing, the entry."""

UNEVEN = 0.25
"""What part of the largest block workers are taken to wait for each other at the end."""

MOST_TILES = 1_000
"""Tiles of a block, beyond which too much is lost with a worker that dies."""

COARSE = 0.02
"""What part of the run's time each further `MOST_TILES` tiles of a block count as."""


@dataclass(frozen=True, eq=False)
class _Along:
    """Ways to cut one axis.

    Parameters
    ----------
    lengths : sequence of int
        Of a block along it.
    blocks, computed, largest : numpy.ndarray of float64
        Of each: number of blocks, tiles predicted for all of them, for the largest of them.
    """

    lengths: Sequence[int]
    blocks: NDArray[np.float64]
    computed: NDArray[np.float64]
    largest: NDArray[np.float64]


def choose_cut(cells: TileCells, held: Region, units: Sequence[int], slots: int) -> BlockCut:
    """Choose the cut that is worked off soonest, by an estimate from numbers of tiles.

    What all workers do, and part of the largest block at the end; what is predicted twice counts
    double, as others could use the time. Samples (time points, and planes
    and channels where they are folded) are cut before planes are: no tile is predicted twice for
    it. Takes no longer for many tiles than for few.

    Parameters
    ----------
    cells : TileCells
        The run's tiles.
    held : Region
        What the array holds.
    units : sequence of int
        Lengths of the array's shards, or chunks where there are none, along its axes on disk.
    slots : int
        How many blocks are worked on at once.

    Returns
    -------
    BlockCut
        Of 100,000 blocks at most, unless blocks of all of an axis are more.
    """
    order = OmeOrder(held.axes, held.selected_shape)
    copies = held != cells.region
    ways = [
        _ways(cells, letter, size, unit, apart=copies and letter == "C")
        for letter, size, unit in zip(order.disk_axes, order.disk_shape, units, strict=True)
    ]
    blocks, computed, largest = (
        reduce(np.multiply.outer, [getattr(way, name) for way in ways])
        for name in ("blocks", "computed", "largest")
    )
    work = computed * cells.share
    waves = np.ceil(blocks / slots) * (work / blocks + OVERHEAD)
    time = np.maximum(waves, np.maximum(work / slots, largest) + OVERHEAD) + UNEVEN * largest
    time += (work - work.min()) / slots
    time *= 1 + COARSE * np.maximum(largest / MOST_TILES - 1, 0)
    # what cannot be held comes last, the fewest of them first
    rank = np.where(blocks <= MOST_BLOCKS, time, 1e30 + 1e20 * blocks)
    best = np.unravel_index(int(np.argmin(rank)), rank.shape)
    lengths = tuple(way.lengths[int(at)] for way, at in zip(ways, best, strict=True))
    return BlockCut(cells, held, lengths)


def cut_to(
    cells: TileCells, held: Region, units: Sequence[int], lengths: Sequence[int]
) -> BlockCut:
    """The cut into blocks of given lengths.

    Parameters
    ----------
    cells, held, units
        As for `choose_cut`.
    lengths : sequence of int
        Of a block along each axis on disk.

    Raises
    ------
    ValueError
        If two blocks would share a chunk or shard, or a tile's channels or copied ones would not be
        together with, or apart from, each other.
    """
    order = OmeOrder(held.axes, held.selected_shape)
    shape = order.disk_shape
    whole = len(lengths) == len(shape) and all(
        length > 0 and (length >= size or length % unit == 0)
        for length, size, unit in zip(lengths, shape, units, strict=True)
    )
    length, size = 1, 1
    if whole and "C" in order.disk_axes:
        at = order.disk_axes.index("C")
        length, size = lengths[at], shape[at]
    copies = held != cells.region
    if not whole or ("C" not in cells.along and length < size) or (copies and length > 1):
        raise ValueError(
            f"blocks of {tuple(lengths)} do not fit {order.disk_axes} {order.disk_shape}: give "
            f"multiples of the shards {tuple(units)}, all channels that a tile makes, and of "
            "channels that are copied one by one"
        )
    return BlockCut(cells, held, tuple(lengths))


def _ways(cells: TileCells, letter: str, size: int, unit: int, *, apart: bool) -> _Along:
    n_units = -(-size // unit)
    if apart:
        # channels that are copied are in blocks of their own
        counts = [1]
    elif letter == "C" and "C" not in cells.along:
        counts = [n_units]
    else:
        few = {-(-n_units // parts) for parts in range(1, 9)}
        powers = {2**power for power in range(n_units.bit_length()) if 2**power <= n_units}
        counts = sorted(few | powers, reverse=True)
    lengths = [count * unit for count in counts]
    blocks = [-(-size // length) for length in lengths]
    computed, largest = [], []
    for length in lengths:
        if letter in cells.layout.spatial_axes:
            starts = np.arange(0, size, length)
            each = cells.along[letter].predicted(starts, np.minimum(starts + length, size))
            computed.append(int(each.sum()))
            largest.append(int(each.max()))
        elif letter == "T" or letter in cells.along:
            computed.append(size)
            largest.append(min(length, size))
        else:
            computed.append(1)
            largest.append(1)
    return _Along(
        lengths,
        np.array(blocks, np.float64),
        np.array(computed, np.float64),
        np.array(largest, np.float64),
    )
