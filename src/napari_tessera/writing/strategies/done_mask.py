"""Which pixels of an integer array are there, as integers have no value for "nothing"."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import zarr

from napari_tessera.writing.chunks.assembler import ChunkAssembler


class DoneMask:
    """A second array of 0 and 1 beside one of pixels, cut into the same chunks.

    A chunk of the mask is written right after that of the pixels: both assemblers get the same
    blocks in the same order, and write where the same part of their limit is reached.

    Parameters
    ----------
    mask : zarr.Array
        uint8, of the shape and chunks of the pixels.
    itemsize : int
        Bytes of a pixel.
    memory_limit : int
        Bytes of begun chunks of pixels that are kept in memory.
    """

    def __init__(self, mask: zarr.Array[Any], itemsize: int, memory_limit: int) -> None:
        self._assembler = ChunkAssembler(mask, memory_limit=memory_limit // itemsize)

    def add(self, target: tuple[slice, ...], tile: Hashable) -> None:
        """Count a block as there, once its pixels were given to their array."""
        ones = np.ones([part.stop - part.start for part in target], np.uint8)
        self._assembler.add(target, ones, tile)

    def note_durable(self, target: tuple[slice, ...], tile: Hashable) -> None:
        """Count a block as written by an earlier run."""
        self._assembler.note_durable(target, tile)

    def flush(self) -> None:
        """Write all that is held; to be called after the pixels were written."""
        self._assembler.flush()

    def take_durable(self) -> list[Any]:
        """Tiles all of whose entries were written since the last call."""
        return self._assembler.take_durable()
