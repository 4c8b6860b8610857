"""Blocks of pixels into an array, and into a second one that says which are there.

Integers have no value for "nothing". A chunk of the mask is written right after that of the pixels:
both assemblers get the same blocks in the same order, and write where the same part of their limit
is reached.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.assembler import ChunkAssembler
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.stored.tile_sink import TileSink


class MaskedBlocks:
    """Writes blocks of a whole image, each chunk once, and ones into its mask.

    Parameters
    ----------
    pixels : TileSink
        Takes the pixels.
    mask : zarr.Array or None
        uint8, of the shape and chunks of the pixels' array; None where none is needed.
    memory_limit : int
        Bytes of begun chunks of pixels that ``pixels`` keeps in memory.
    coverage : Coverage, optional
        What of the arrays comes, as ``pixels`` was told; None for all.
    """

    def __init__(
        self,
        pixels: TileSink,
        mask: zarr.Array[Any] | None,
        memory_limit: int,
        coverage: Coverage | None = None,
    ) -> None:
        self._pixels = pixels
        self._mask: ChunkAssembler | None = None
        if mask is not None:
            limit = memory_limit // pixels.array.dtype.itemsize
            self._mask = ChunkAssembler(mask, memory_limit=limit, coverage=coverage)
        self._waiting: dict[Any, int] = {}

    def add(self, block: tuple[slice, ...], pixels: NDArray[Any], name: Hashable) -> None:
        """Take pixels of any type; chunks that are full are written."""
        self._pixels.add_pixels(block, pixels, name)
        if self._mask is not None:
            ones = np.ones([part.stop - part.start for part in block], np.uint8)
            self._mask.add(block, ones, name)

    def note_durable(self, block: tuple[slice, ...], name: Hashable) -> None:
        """Count a block as written by an earlier run."""
        self._pixels.note_durable(block, name)
        if self._mask is not None:
            self._mask.note_durable(block, name)

    def flush(self) -> None:
        """Write all that is held, pixels first."""
        self._pixels.flush()
        if self._mask is not None:
            self._mask.flush()

    def take_durable(self) -> dict[Any, int]:
        """Blocks that are wholly on disk since the last call, and their clipped pixels."""
        self._waiting.update(self._pixels.take_durable())
        durable = list(self._waiting) if self._mask is None else self._mask.take_durable()
        return {name: self._waiting.pop(name) for name in durable}
