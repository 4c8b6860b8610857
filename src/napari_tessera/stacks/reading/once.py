"""Which arrays have their chunks kept while an image is read, and in what grid these lie."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np

from napari_tessera.stacks.reading.chunks_once import KEPT_BYTES, ChunksOnce
from napari_tessera.stacks.reading.expected import ExpectedReads, Parts, ReadOrder

LARGEST_CHUNK = 256 * 2**20
"""Bytes of a chunk that is kept at all; one larger than the others together is kept alone."""


def chunks_once(
    data: Any,
    axes: str,
    channels: Sequence[int],
    dtype: np.dtype[Any],
    expected: ExpectedReads | None,
) -> ChunksOnce | None:
    """An array of which each chunk is read once.

    Parameters
    ----------
    data : array-like
        The array. ``keeps_chunks`` of one that does so by itself is true, ``decodes_chunks`` of
        one that decodes a whole chunk for each of its pixels, ``for_one_pass`` gives what is to be
        read instead.
    axes : str
        Letters of its axes.
    channels : sequence of int
        The array's channels that a stack's are.
    dtype : numpy.dtype
        Type of the pixels.
    expected : ExpectedReads or None
        What is going to be read, in the stack's channels.

    Returns
    -------
    ChunksOnce or None
        None where there are no chunks, they are too large, or kept already.
    """
    edges = None if getattr(data, "keeps_chunks", False) else _edges(data)
    if edges is None:
        return None
    largest = prod(_longest(along) for along in edges)
    decoded = getattr(data, "decodes_chunks", False)
    # of others a slice may be had without the rest of its chunk
    if largest * dtype.itemsize > (LARGEST_CHUNK if decoded else KEPT_BYTES):
        return None
    for_one_pass = getattr(data, "for_one_pass", None)
    data = data if for_one_pass is None else for_one_pass()
    return ChunksOnce(data, edges, dtype, _order(expected, axes, channels))


def _edges(data: Any) -> list[Sequence[int]] | None:
    """Where chunks begin along each axis, and its end; None without chunks."""
    chunks = getattr(data, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != len(data.shape):
        return None
    if all(isinstance(own, tuple) for own in chunks):
        # as dask lists them
        return [array("q", [0, *accumulate(map(int, own))]) for own in chunks]
    if not all(isinstance(own, int) for own in chunks):
        return None
    return [
        # of a long axis of short chunks a list would be long
        range(0, length + 1, size)
        if length % size == 0
        else array("q", [*range(0, length, size), length])
        for length, size in zip(map(int, data.shape), chunks, strict=True)
    ]


def _longest(along: Sequence[int]) -> int:
    if isinstance(along, range):
        return along.step
    return max(stop - start for start, stop in pairwise(along))


def _order(expected: ExpectedReads | None, axes: str, channels: Sequence[int]) -> ReadOrder | None:
    """What is expected of a stack, in terms of its array; None where that cannot be said."""
    if expected is None or not set(expected.parts) <= set(axes):
        return None
    parts = dict(expected.parts)
    own = parts.get("C")
    if own is not None:
        try:
            taken = [channels[start] for start in own.starts]
            parts["C"] = Parts.of((channel, channel + 1) for channel in taken)
        except ValueError:
            # in another order than they lie
            return None
    return ReadOrder(ExpectedReads(parts), axes)
