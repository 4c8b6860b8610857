"""Chunks that a stopped run had written, and that are not there any more."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.stacks.zarr.nodes import store_path
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.chunks.keys import delete_chunks, stored_chunks


def kept_chunks(array: zarr.Array[Any]) -> NDArray[np.bool_]:
    """Tell, by one listing, which chunks (shards) of an array are stored.

    Those that are empty files, as a crash of the computer leaves them, are deleted: no chunk is so
    short, and nothing could be read or added to them. Elsewhere than on a disk there are none.

    Returns
    -------
    numpy.ndarray of bool
        Over the grid of chunks.
    """
    kept = np.zeros(ChunkGrid.of(array).counts, dtype=bool)
    there = stored_chunks(array)
    folder = store_path(array.store)
    if folder is not None:
        base = folder / array.path
        empty = {
            chunk
            for chunk in there
            if not (base / array.metadata.encode_chunk_key(chunk)).stat().st_size
        }
        delete_chunks(array, sorted(empty))
        there -= empty
    for chunk in there:
        kept[chunk] = True
    return kept
