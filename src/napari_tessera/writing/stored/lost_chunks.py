"""Chunks that a stopped run had written, and that are not there any more, or not whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.stacks.zarr.nodes import store_path
from napari_tessera.writing.chunks.grid import ChunkGrid, Slices
from napari_tessera.writing.chunks.keys import delete_chunks, stored_chunks
from napari_tessera.writing.stored.chunk_files import look_at_chunks


def kept_chunks(array: zarr.Array[Any]) -> NDArray[np.bool_]:
    """Tell, by one listing, which chunks (shards) of an array are stored.

    Those whose files are empty or damaged, as a crash of the computer leaves them, are deleted:
    nothing could be read or added to them. In a store that is no folder they are not looked at.

    Returns
    -------
    numpy.ndarray of bool
        Over the grid of chunks.
    """
    kept = np.zeros(ChunkGrid.of(array).counts, dtype=bool)
    there = stored_chunks(array)
    folder = store_path(array.store)
    if folder is not None:
        base, is_whole = folder / array.path, look_at_chunks(array)
        damaged = {
            chunk for chunk in there if not is_whole(base / array.metadata.encode_chunk_key(chunk))
        }
        delete_chunks(array, sorted(damaged))
        there -= damaged
    for chunk in there:
        kept[chunk] = True
    return kept


def lost_tiles(
    tiles: Iterable[int], kept: NDArray[np.bool_], chunks_of: Callable[[int], Slices | None]
) -> list[int]:
    """Tiles of which not all chunks are stored.

    Parameters
    ----------
    tiles : iterable of int
        Numbers of tiles that are entered as done.
    kept : numpy.ndarray of bool
        Of each chunk whether it is stored (see `kept_chunks`).
    chunks_of : callable
        From a tile's number to the chunks it lies in, as slices of ``kept``; None where none of
        its pixels are wanted.
    """
    found = ((tile, chunks_of(tile)) for tile in tiles)
    return [tile for tile, at in found if at is not None and not kept[at].all()]
