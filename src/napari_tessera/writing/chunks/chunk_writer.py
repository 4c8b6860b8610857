"""Whole chunks of an array into its store, by the shortest way there is."""

from __future__ import annotations

from typing import Any

import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.encoding import ChunkEncoder
from napari_tessera.writing.chunks.grid import ChunkGrid, ChunkIndex
from napari_tessera.writing.chunks.keys import chunk_key
from napari_tessera.writing.places.putting import put_parts


class ChunkWriter:
    """Writes chunks, or shards where an array has them, each as a whole.

    What is stored is what zarr would store, byte for byte (gzip: but for the time in its header);
    chunks of nothing but the fill value are stored too. Safe to use from several threads for
    different chunks.

    Parameters
    ----------
    array : zarr.Array
        Array to write to.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self.array = array
        self._grid = ChunkGrid.of(array)
        self._encoder = ChunkEncoder.of(array)

    def write(self, chunk: ChunkIndex, pixels: NDArray[Any]) -> None:
        """Write a chunk.

        Parameters
        ----------
        chunk : tuple of int
            Its index.
        pixels : numpy.ndarray
            All of its pixels that lie inside the array.

        Raises
        ------
        OSError
            Whatever the store raises; what was there before is then still there.
        """
        encoder = self._encoder
        if encoder is None:
            self.array[self._grid.region(chunk)] = pixels
        else:
            key = chunk_key(self.array, chunk)
            put_parts(self.array.store, key, lambda: encoder.parts(pixels))
