"""What an array for the prediction of one image is like, and what comes into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from napari_tessera import __version__
from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.patching import is_tile_specs
from napari_tessera.region import Region
from napari_tessera.writing.chunks.chunking import (
    LARGEST_CHUNK,
    MOST_TILES,
    MOST_TILES_OF_SHARD,
    Chunking,
    choose_chunking,
    serving,
    tile_axes,
)
from napari_tessera.writing.region_data import ImageRegionData, layout_of
from napari_tessera.writing.region_metadata import region_metadata
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.copied_channels import copied_channels
from napari_tessera.writing.stored.run_attributes import (
    WRITING,
    run_attributes,
    software_versions,
    utc_now,
)

_DESCRIBED = ("scale", "units", "translation", "channel_names")

FEW_CHUNKS = 256
"""So many chunks of any size are read and written in no time."""


@dataclass(frozen=True)
class ArrayJob:
    """The prediction of one image, as an array of its whole shape in its own axes.

    Parameters
    ----------
    source : str
        Where the image came from.
    layout : Layout
        The image, what is folded, and its output.
    dtype : numpy.dtype
        Data type that is written.
    input_dtype : str
        Data type of the image.
    n_tiles : int
        Number of tiles, those that a run skips included.
    core_steps : mapping of str to int
        Distance of two tiles along each axis that they extend along, in pixels.
    source_chunks, source_shards : tuple of int, optional
        Chunks and shards of the image, in its own axes.
    run : RunInfo, optional
        The run that predicts it; None where tiles are just handed over.
    metadata : ImageMetadata, optional
        Pixel size, units and channel names of the image, as far as known.
    """

    source: str
    layout: Layout
    dtype: np.dtype[Any]
    input_dtype: str
    n_tiles: int
    core_steps: Mapping[str, int]
    source_chunks: tuple[int, ...] | None = None
    source_shards: tuple[int, ...] | None = None
    run: RunInfo | None = None
    metadata: ImageMetadata | None = None

    @classmethod
    def of_run(cls, run: RunInfo) -> ArrayJob:
        """The job of a run that is opened."""
        steps = {
            letter: patch - overlap
            for letter, patch, overlap in zip(
                run.layout.spatial_axes, run.patch_size, run.overlaps, strict=True
            )
        }
        return cls(
            run.source,
            run.layout,
            run.output_dtype,
            run.input_dtype,
            run.n_tiles,
            steps,
            run.source_chunks,
            run.source_shards,
            run,
            run.metadata,
        )

    @classmethod
    def of_tile(cls, tile: ImageRegionData, dtype: np.dtype[Any]) -> ArrayJob:
        """The job that the first tile of an image tells of.

        Raises
        ------
        ValueError
            If it is no tile.
        """
        specs = tile.region_spec
        if not is_tile_specs(specs):
            raise ValueError(
                f"a region of {tile.source} is no tile; WriteTilesZarr writes tiled predictions"
            )
        layout = layout_of(tile)
        size = (int(length) for length in specs["patch_size"])
        chunks, shards = (_lengths(tile.additional_metadata.get(n)) for n in ("chunks", "shards"))
        known = tile.additional_metadata.get("metadata")
        return cls(
            str(tile.source),
            layout,
            dtype,
            tile.dtype,
            int(specs["total_tiles"]),
            dict(zip(layout.spatial_axes, size, strict=True)),
            chunks,
            shards,
            metadata=known if isinstance(known, ImageMetadata) else None,
        )

    @property
    def axes(self) -> str:
        """Axes of the array."""
        return self.layout.output_axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.layout.output_shape

    @property
    def n_coming(self) -> int:
        """Number of tiles that are not skipped."""
        return self.n_tiles if self.run is None else self.run.total_tiles

    @property
    def n_done(self) -> int:
        """Number of tiles that do not come, as the run counts them as done."""
        done = None if self.run is None else self.run.done
        return int(np.count_nonzero(np.frombuffer(done or b"", np.uint8)))

    @property
    def copied(self) -> tuple[int, ...]:
        """Channels that are not predicted, and copied from the image."""
        run = self.run
        if run is None or run.read_input is None:
            return ()
        return copied_channels(run.layout, run.region)

    def chunking(self, asked: int | Sequence[int] | None) -> Chunking:
        """Chunks and shards: as asked for, else the image's where they serve, else chosen.

        Small ones serve too where they are few: who cut an image so wants it so.
        Channels that are copied come at another time than those predicted, so that no chunk or
        shard holds both, whatever is asked for.

        Raises
        ------
        ValueError
            If what is asked for does not fit the axes.
        """
        apart = "C" if self.copied else ""
        chunks = self._own(self.source_chunks, apart, MOST_TILES)
        shards = self._own(self.source_shards, apart, MOST_TILES_OF_SHARD)
        if isinstance(asked, int):
            asked = [asked if letter in "YX" else 1 for letter in self.axes]
        few = None if asked is not None or chunks is None else self._of_few(chunks, shards)
        return few or choose_chunking(
            self.axes,
            self.shape,
            self.core_steps,
            self.dtype,
            asked=asked,
            source_chunks=chunks,
            source_shards=shards,
            apart=apart,
        )

    def attributes(self) -> dict[str, Any]:
        """What is stored beside the pixels when the array is made (see `run_attributes`)."""
        shape = [int(size) for size in self.shape]
        if self.run is not None:
            told = run_attributes(self.run, axes=self.axes, shape=shape)
            return {**told, **self._described()}
        return {
            "version": __version__,
            "versions": software_versions(),
            "input": {
                "source": self.source,
                "axes": self.layout.axes,
                "shape": [int(size) for size in self.layout.shape],
                "dtype": self.input_dtype,
            },
            "started": utc_now(),
            "finished": None,
            "state": WRITING,
            "completed": False,
            "total_tiles": self.n_tiles,
            "clipped_pixels": 0,
            "axes": self.axes,
            "shape": shape,
            **self._described(),
        }

    def _described(self) -> dict[str, Any]:
        """What is known of the axes, in the array's order, and of the channels; JSON-able."""
        if self.metadata is None:
            return {}
        whole = Region.from_selection(self.axes, self.shape)
        known = region_metadata(self.metadata, whole)
        named = {name: getattr(known, name) for name in _DESCRIBED}
        return {name: list(values) for name, values in named.items() if values is not None}

    def _of_few(self, chunks: tuple[int, ...], shards: tuple[int, ...] | None) -> Chunking | None:
        """The image's own chunks and shards, where these are `FEW_CHUNKS` at most."""
        count = prod(-(-size // length) for size, length in zip(self.shape, chunks, strict=True))
        fits = Chunking(chunks).cut_to(self.shape)
        if count > FEW_CHUNKS or prod(fits.chunks) * self.dtype.itemsize > LARGEST_CHUNK:
            return None
        if shards and all(n % own == 0 < n for n, own in zip(shards, chunks, strict=True)):
            whole = Chunking(chunks, shards).cut_to(self.shape)
            if prod(whole.shards or (1,)) * self.dtype.itemsize <= LARGEST_CHUNK:
                return whole
        return fits

    def _own(
        self, lengths: Sequence[int] | None, apart: str, most_tiles: int
    ) -> tuple[int, ...] | None:
        """Lengths along the output's axes, out of those along the image's, where they serve."""
        if not lengths or len(lengths) != len(self.layout.axes):
            return None
        along = dict(zip(self.layout.axes, lengths, strict=True))
        spanned = "".join(letter for letter in tile_axes(self.layout) if letter not in apart)
        output = [along.get(letter, 1) for letter in self.axes]
        return serving(output, self.axes, self.shape, spanned, self.core_steps, most_tiles)


def _lengths(given: object) -> tuple[int, ...] | None:
    return tuple(int(n) for n in given) if isinstance(given, list | tuple) and given else None
