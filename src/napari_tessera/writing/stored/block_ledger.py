"""Which blocks of a run are on disk: one object a block, written by who wrote its pixels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from napari_tessera.stacks.zarr.nodes import store_path
from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.chunks.keys import chunk_key, stored_chunks
from napari_tessera.writing.places.keys import delete_dir

BLOCKS_NAME = "tessera_blocks"
"""Name of the array, beside the levels of the image."""


_AT_ONCE = 64
"""Entries that are asked for at once, where they are not in a folder."""


class BlockEntry(NamedTuple):
    """What is entered of a block once its pixels are stored."""

    done: int
    """1."""
    tiles: int
    """Tiles that it owns."""
    clipped: int
    """Its pixels that were clipped to the output's data type, copied channels included."""
    nonfinite: int
    """Input pixels of its own tiles that are NaN or infinite."""


def create_block_ledger(group: zarr.Group, n_blocks: int) -> zarr.Array[Any]:
    """Make an empty ledger, in the place of any that is there."""
    remove_block_ledger(group)
    return group.create_array(
        BLOCKS_NAME,
        shape=(n_blocks, len(BlockEntry._fields)),
        chunks=(1, len(BlockEntry._fields)),
        dtype="int64",
        fill_value=0,
        compressors=None,
        filters=None,
        dimension_names=["block", "entry"] if group.metadata.zarr_format == 3 else None,
    )


def open_block_ledger(group: zarr.Group, n_blocks: int) -> zarr.Array[Any] | None:
    """Open the ledger of a group; None where it has none for so many blocks, or a damaged one."""
    try:
        array = group.get(BLOCKS_NAME)
    except OSError:
        raise
    except Exception:
        # zarr raises whatever its parsers do
        return None
    shape = (n_blocks, len(BlockEntry._fields))
    if not isinstance(array, zarr.Array) or array.shape != shape or array.dtype != np.int64:
        return None
    return array if array.chunks == (1, shape[1]) else None


def enter_block(array: zarr.Array[Any], number: int, entry: BlockEntry) -> None:
    """Enter a block whose pixels are stored.

    Raises
    ------
    OSError
        Whatever writing raises.
    """
    ChunkWriter(array).write((number, 0), np.array([entry], np.int64))


def read_entries(array: zarr.Array[Any]) -> NDArray[np.int64]:
    """The entries of all blocks, zeros where there is none; (n, 4).

    What is cut off counts as none.

    Raises
    ------
    OSError
        Whatever reading raises.
    """
    entries: NDArray[np.int64] = np.zeros(array.shape, np.int64)
    there = sorted(stored_chunks(array))
    keys = [chunk_key(array, chunk) for chunk in there]
    folder = store_path(array.store)
    # values lie there as they are: zarr would take a minute for what takes seconds
    values = sync(_values(array, keys)) if folder is None else (_file(folder / k) for k in keys)
    for (number, _), value in zip(there, values, strict=True):
        if value is not None and len(value) == entries.itemsize * entries.shape[1]:
            entries[number] = np.frombuffer(value, "<i8")
    entries[entries[:, 0] != 1] = 0
    return entries


def _file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


async def _values(array: zarr.Array[Any], keys: Sequence[str]) -> list[bytes | None]:
    found: list[bytes | None] = []
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        got = await asyncio.gather(
            *(array.store.get(key, default_buffer_prototype()) for key in part)
        )
        found.extend(None if value is None else value.to_bytes() for value in got)
    return found


def remove_block_ledger(group: zarr.Group) -> None:
    """Delete a group's ledger of blocks, and what a removal that was cut short left of one."""
    delete_dir(group.store, f"{group.path}/{BLOCKS_NAME}".lstrip("/"))
