"""Pixels of a scene that bioio reads: plane by plane where a reader can, else dask's chunks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import dask.array as da
import numpy as np
import xarray
from bioio_base.reader import Reader
from dask.local import get_sync
from dask.optimization import cull
from numpy.typing import NDArray

from napari_tessera.stacks.reading.block_pixels import BlockPixels, Cell

_MOSAIC = "M"
_PLANE = "YXS"
_OTHERS = "ZCTMHVIRB"
_MOST_CHUNKS = 2000

Reopen = Callable[[list[str]], Reader]
"""Opens a reader anew, at the same scene and level, with chunks over these dimensions."""


def coarse_reader(kind: type[Reader], path: Path) -> tuple[Reader, bool]:
    """Open a reader whose lazy array has as few chunks as can be, as all metadata hang on it.

    A dask array has some tasks for each chunk, and takes seconds to build for some thousands of
    them (bioio-czi, bioio-lif).

    Returns
    -------
    bioio_base.reader.Reader
        At its first scene.
    bool
        Whether the reader lets one choose chunks at all.
    """
    try:
        return kind(path, chunk_dims=list(_PLANE + _OTHERS)), True
    except TypeError:
        return kind(path), False


def open_pixels(
    reader: Reader, chunkable: bool, reopen: Reopen
) -> tuple[BlockPixels, xarray.DataArray]:
    """Pixels of a scene, with the lazy array that knows their dimensions.

    Parameters
    ----------
    reader, chunkable
        From `coarse_reader`, at the scene and level that are wanted.
    reopen : callable
        See `Reopen`; for readers that give pixels by chunks only.
    """
    known = reader.xarray_dask_data
    mosaic = _MOSAIC in known.dims
    if _reads_parts(reader) and not mosaic:
        return ReaderPixels(reader, known, by_plane=chunkable), known
    if chunkable:
        sizes = dict(zip(map(str, known.dims), known.shape, strict=True))
        reader = reopen(list(_chunk_dims(sizes)))
        known = reader.xarray_dask_data
    if mosaic:
        # tiles that the reader does not put together remain images of their own
        with suppress(NotImplementedError):
            known = reader.mosaic_xarray_dask_data
    return DaskPixels(known), known


def _reads_parts(reader: Reader) -> bool:
    """Whether a reader has its own way to read part of an image; bioio's default reads it all."""
    own = getattr(type(reader), "_read_indexed", None)
    return own is not None and own is not getattr(Reader, "_read_indexed", None)


def _chunk_dims(sizes: dict[str, int]) -> tuple[str, ...]:
    """The fewest dimensions to chunk over that do not make too many chunks."""
    for count in range(len(_OTHERS) + 1):
        within = _PLANE + _OTHERS[:count]
        if prod(size for dim, size in sizes.items() if dim not in within) <= _MOST_CHUNKS:
            break
    return tuple(within)


class ReaderPixels(BlockPixels):
    """Array-like over a reader that reads parts of an image by itself, each time a plane.

    Parameters
    ----------
    reader : bioio_base.reader.Reader
        Stays at its scene and level.
    known : xarray.DataArray
        The reader's lazy array, of which dimensions and sizes are taken.
    by_plane : bool
        Whether a block is a plane; else it is a chunk of the lazy array.
    """

    def __init__(self, reader: Reader, known: xarray.DataArray, by_plane: bool) -> None:
        dims = "".join(map(str, known.dims))
        chunks = known.data.chunks
        if by_plane:
            sizes = zip(dims, known.shape, strict=True)
            chunks = [(size,) if dim in _PLANE else (1,) * size for dim, size in sizes]
        super().__init__(dims, chunks, np.dtype(known.dtype))
        self._reader = reader

    def read_block(self, cell: Cell, part: tuple[slice, ...]) -> NDArray[np.generic]:
        """Read a plane, or whatever the reader reads at once."""
        chosen = dict(zip(self._dims, part, strict=True))
        block: NDArray[np.generic] = self._reader.get_image_data(self._dims, **chosen)
        return block


class DaskPixels(BlockPixels):
    """Array-like over a dask array, chunk by chunk.

    Tasks of a chunk are picked out of the array's graph, as slicing the array would add to the
    graph, and computing the slice go through all of it. They run in the thread that asks.

    Parameters
    ----------
    known : xarray.DataArray
        A lazy array.
    """

    def __init__(self, known: xarray.DataArray) -> None:
        array: da.Array = known.data
        super().__init__("".join(map(str, known.dims)), array.chunks, np.dtype(array.dtype))
        self._array = array
        # an array of another class opens its file for each computation, and closes it after it
        self._plain = type(array) is da.Array
        self._graph: dict[Any, Any] = dict(array.__dask_graph__()) if self._plain else {}
        self._lock = Lock()

    def read_block(self, cell: Cell, part: tuple[slice, ...]) -> NDArray[np.generic]:
        """Compute a chunk."""
        if self._plain:
            key = (self._array.name, *cell)
            tasks, _ = cull(self._graph, [key])  # type: ignore[no-untyped-call]
            block: NDArray[np.generic] = get_sync(tasks, [key])[0]
            return block
        with self._lock:
            block = self._array[part].compute(scheduler="synchronous")
        return block
