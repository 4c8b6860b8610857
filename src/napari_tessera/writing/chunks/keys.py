"""Which chunks of an array are in its store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import zarr
from zarr.core.sync import sync

from napari_tessera.writing.chunks.grid import ChunkGrid, ChunkIndex


def stored_chunks(array: zarr.Array[Any]) -> set[ChunkIndex]:
    """Indices of the chunks (shards) that are there, by one listing of the store."""
    keys = sync(_listed(array, f"{array.path}/" if array.path else ""))
    return {chunk for chunk in ChunkGrid.of(array) if chunk_key(array, chunk) in keys}


def delete_chunks(array: zarr.Array[Any], chunks: Iterable[ChunkIndex]) -> None:
    """Delete chunks (shards): what they covered is the fill value again."""
    for chunk in chunks:
        sync(array.store.delete(chunk_key(array, chunk)))


def chunk_key(array: zarr.Array[Any], chunk: ChunkIndex) -> str:
    """Key of a chunk (shard) in the array's store."""
    key: str = array.metadata.encode_chunk_key(chunk)
    return f"{array.path}/{key}" if array.path else key


async def _listed(array: zarr.Array[Any], prefix: str) -> set[str]:
    return {key async for key in array.store.list_prefix(prefix)}
