"""Stacks whose data may be a Zarr array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zarr

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayLike, ArrayStack, Index
from napari_tessera.stacks.origins import find_origins
from napari_tessera.stacks.zarr.dask import behind_dask
from napari_tessera.stacks.zarr.pixels import ZarrPixels


class ZarrBackedStack(ArrayStack):
    """A stack that counts the absent chunks of its data where that is a Zarr array.

    A chunk that is not in the store reads as the fill value: that is what its absence means in
    Zarr. It may as well be one that was lost on the way, so the count is there to be shown.

    Parameters
    ----------
    data : zarr.Array or other array-like
        The pixels. An array of Zarr is read through a store of its own, and left as it is; so is
        one that dask was given, where nothing was done to it (see `behind_dask`).
    axes, source, channels, metadata
        As for `ArrayStack`.
    """

    def __init__(
        self,
        data: ArrayLike | zarr.Array[Any],
        axes: str,
        *,
        source: str,
        channels: Sequence[int] | None = None,
        metadata: ImageMetadata | None = None,
    ) -> None:
        array = data if isinstance(data, zarr.Array) else behind_dask(data)
        pixels = None if array is None else ZarrPixels(array)
        super().__init__(
            data if pixels is None else pixels,
            axes,
            source=source,
            channels=channels,
            metadata=metadata,
        )
        self._pixels = pixels

    @property
    def absent_chunks(self) -> int:
        """Distinct chunks, met so far, that are not in the store and were read as the fill value.

        A shard that is not there counts as one. Of a shard that is there, all chunks count that
        it leaves out, as soon as its index is read. Beyond half a thousand million, or where they
        lie very far apart, not all can be remembered: then it is the least there are.
        """
        return 0 if self._pixels is None else self._pixels.absent_chunks

    @property
    def fill_value(self) -> Any:
        """What an absent chunk reads as; None where the data is no Zarr array."""
        return None if self._pixels is None else self._pixels.fill_value

    @property
    def shards(self) -> tuple[int, ...] | None:
        """Shape of the shards that hold the chunks, in the image's own axes; None without."""
        return None if self._pixels is None else self._pixels.shards

    @property
    def origins(self) -> tuple[Path, ...]:
        """Local files and folders that the pixels are read from (see `read_origins`)."""
        return find_origins(self._data if self._pixels is None else self._pixels.original)

    def count_absent(self) -> tuple[int, int] | None:
        """How many chunks (shards, where there are some) the store lacks, and how many make it up.

        Returns
        -------
        tuple of int or None
            None where it cannot be told without many requests: of a remote store, with more than
            20,000 of them, or where the data is no Zarr array.
        """
        return None if self._pixels is None else self._pixels.count_absent()

    def _reason(self, index: Index, error: Exception) -> str:
        """Name the first chunk of the patch that cannot be read."""
        if self._pixels is None:
            return super()._reason(index, error)
        return self._pixels.reason(index, error, self._position)
