"""From the tiles that one process has done to blocks, and back: a run may go on either way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.region import Region
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.block_ledger import open_block_ledger, read_entries
from napari_tessera.writing.stored.copied_channels import with_all_channels
from napari_tessera.writing.stored.image_store import COPIED
from napari_tessera.writing.stored.ledger import read_clipped, read_done
from napari_tessera.writing.stored.run_attributes import BLOCKS


def counts_clipped(output_dtype: np.dtype[Any]) -> bool:
    """Whether pixels may be clipped to a data type, so that they are counted."""
    return not np.can_cast(np.float32, output_dtype)


def stored_cut(
    stored: Mapping[str, Any], held: Region | None = None, cells: TileCells | None = None
) -> BlockCut | None:
    """The cut that a store names; None where it names none, or one that cannot be.

    Parameters
    ----------
    stored : mapping
        What the store says of its run.
    held : Region, optional
        What its array holds.
    cells : TileCells, optional
        The tiles of its plan.

    Raises
    ------
    KeyError, TypeError, ValueError
        If its plan is damaged.
    """
    blocks = stored.get(BLOCKS)
    lengths = blocks.get("lengths") if isinstance(blocks, Mapping) else None
    if not isinstance(lengths, list) or any(type(n) is not int or n < 1 for n in lengths):
        return None
    cells = TileCells.of_plan(stored["plan"]) if cells is None else cells
    if held is None:
        held = with_all_channels(cells.region) if stored.get(COPIED) else cells.region
    cut = BlockCut(cells, held, tuple(lengths))
    return cut if len(lengths) == len(cut.order.disk_axes) else None


def blocks_of_tiles(group: zarr.Group, run: RunInfo, cut: BlockCut) -> NDArray[np.int64]:
    """Blocks that are done, as the ledger of tiles in a group tells.

    Where clipped pixels are counted, those of a tile that lies over several blocks cannot be told
    apart: these blocks are not done then. Nor are those with channels that are copied, of which
    that ledger tells nothing.

    Returns
    -------
    numpy.ndarray of int64
        Of each block how many of its pixels were clipped; −1 where it is not done.
    """
    unknown: NDArray[np.int64] = np.full(cut.n_blocks, -1, np.int64)
    ledger = read_done(group)
    if ledger is None or len(ledger) != cut.cells.n_tiles:
        return unknown
    tiles = np.frombuffer(ledger, np.bool_)
    if not tiles.any():
        return unknown
    if not counts_clipped(run.output_dtype):
        return np.where(cut.blocks_of(tiles) & ~cut.copying(), 0, unknown)
    clipped = read_clipped(group)
    if clipped is None or len(clipped) != len(tiles):
        return unknown
    tiles = tiles & ((clipped == 0) | cut.alone())
    done = cut.blocks_of(tiles) & ~cut.copying()
    found = unknown
    for number in np.flatnonzero(done).tolist():
        own = np.fromiter(cut.tiles_meeting(number), np.int64)
        found[number] = int(clipped[own].sum(dtype=np.int64))
    return found


class TilesOfBlocks(NamedTuple):
    """What the ledger of blocks tells of tiles."""

    tiles: NDArray[np.bool_]
    """Of each tile whether it is done."""
    owned: NDArray[np.int64]
    """Of each block that is done how many tiles it owns."""


def tiles_of_blocks(
    group: zarr.Group, stored: Mapping[str, Any], output_dtype: np.dtype[Any]
) -> TilesOfBlocks | None:
    """Tiles that are done, as the ledger of blocks in a group tells; None where there is none.

    A tile is done with all blocks that it meets. Blocks with clipped pixels count as not done where
    these are counted: whose they are is unknown.

    Parameters
    ----------
    group : zarr.Group
        Group of the image.
    stored : mapping
        What it says of its run.
    output_dtype : numpy.dtype
        Data type of the image.
    """
    cut = stored_cut(stored)
    array = None if cut is None else open_block_ledger(group, cut.n_blocks)
    if cut is None or array is None:
        return None
    entries = read_entries(array)
    entered = entries[:, 0] == 1
    done = entered | cut.empty()
    if counts_clipped(output_dtype):
        done &= entries[:, 2] == 0
    return TilesOfBlocks(cut.tiles_of(done), entries[entered, 1])
