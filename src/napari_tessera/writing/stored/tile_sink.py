"""From predicted tiles to the chunks of one Zarr array."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import zarr
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.region import Region
from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT, ChunkAssembler
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.grid import ChunkIndex, Slices
from napari_tessera.writing.chunks.overflow import Overflow
from napari_tessera.writing.chunks.workers import Workers
from napari_tessera.writing.convert import to_dtype
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.region_data import ImageRegionData, output_core, tile_block


class TileSink:
    """Crops, clips to the region, converts, orders and assembles the tiles of one array.

    Parameters
    ----------
    array : zarr.Array
        Where pixels go.
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        Part of the output that the array holds; what falls outside it is dropped.
    order : OmeOrder, optional
        The array's axis order; default: the region's own.
    memory_limit : int
        Bytes of begun chunks to keep in memory.
    on_complete : callable, optional
        Given each chunk that was written whole (see `ChunkAssembler`).
    coverage : Coverage, optional
        What of the array comes, in its own axis order; None for all.
    workers : Workers, optional
        Threads that pack and store whole chunks (see `ChunkAssembler`).
    window : tuple of slice, optional
        What of the array is written, in its own axis order, whole chunks; others write the rest.
        What falls outside it is neither written nor counted. Default: all.
    overflow : Overflow, optional
        Where begun chunks wait beyond the limit of memory (see `ChunkAssembler`).
    """

    def __init__(
        self,
        array: zarr.Array[Any],
        layout: Layout,
        region: Region,
        *,
        order: OmeOrder | None = None,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
        on_complete: Callable[[ChunkIndex, NDArray[Any]], None] | None = None,
        coverage: Coverage | None = None,
        workers: Workers | None = None,
        window: Slices | None = None,
        overflow: Overflow | None = None,
    ) -> None:
        self.array = array
        self._layout = layout
        self._region = region
        self._order = order
        self._window = window
        self._assembler = ChunkAssembler(
            array,
            memory_limit=memory_limit,
            on_complete=on_complete,
            coverage=coverage,
            workers=workers,
            overflow=overflow,
        )
        self._clipped: dict[Hashable, int] = {}
        self._outside: list[Any] = []

    def add(self, prediction: ImageRegionData, tile: Hashable) -> None:
        """Take a core (or a whole tile); full chunks are written."""
        placed = self._region.place(tile_block(prediction, self._layout))
        if placed is None:
            self._outside.append(tile)
            return
        within, target = placed
        self.add_pixels(target, output_core(prediction, self._layout)[within], tile)

    def add_pixels(self, target: tuple[slice, ...], pixels: NDArray[Any], tile: Hashable) -> None:
        """Take pixels of any type whose place in the region is known."""
        if self._order is not None:
            target, pixels = self._order.to_disk_slices(target), self._order.to_disk(pixels)
        if self._window is not None:
            cut = overlap(target, self._window)
            if cut is None:
                self._outside.append(tile)
                return
            pixels = pixels[
                tuple(
                    slice(own.start - part.start, own.stop - part.start)
                    for own, part in zip(cut, target, strict=True)
                )
            ]
            target = cut
        pixels, n_clipped = to_dtype(pixels, self.array.dtype)
        if n_clipped:
            self._clipped[tile] = n_clipped
        self._assembler.add(target, pixels, tile)

    def note_durable(self, block: tuple[slice, ...], tile: Hashable) -> None:
        """Count a tile as written by an earlier run; ``block`` is in the whole output."""
        target = self.placed(block)
        if target is not None:
            self._assembler.note_durable(target, tile)

    def chunks_of(self, block: tuple[slice, ...]) -> tuple[slice, ...] | None:
        """Indices of the chunks that a block of the whole output lies in; None if outside."""
        target = self.placed(block)
        return None if target is None else self._assembler.grid.meeting(target)

    def placed(self, block: tuple[slice, ...]) -> Slices | None:
        """Slices of the array that a block of the whole output falls on; None if outside."""
        placed = self._region.place(block)
        if placed is None:
            return None
        _, target = placed
        return target if self._order is None else self._order.to_disk_slices(target)

    def complete_chunks(self) -> list[ChunkIndex]:
        """Chunks all of whose pixels are written, by this run or an earlier one."""
        return self._assembler.complete_chunks()

    def flush(self) -> None:
        """Write all that is held, finished chunks or not."""
        self._assembler.flush()

    def take_durable(self) -> dict[Any, int]:
        """Tiles that are wholly on disk since the last call, and their clipped pixels."""
        tiles = [*self._outside, *self._assembler.take_durable()]
        self._outside.clear()
        return {tile: self._clipped.pop(tile, 0) for tile in tiles}


def overlap(block: Slices, window: Slices) -> Slices | None:
    """What two blocks of an array share; None where that is nothing."""
    shared = tuple(
        slice(max(one.start, other.start), min(one.stop, other.stop))
        for one, other in zip(block, window, strict=True)
    )
    return shared if all(part.start < part.stop for part in shared) else None
