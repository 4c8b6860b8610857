"""Predicted images cut into tiles, as the pipeline would hand them to a writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.patching import PatchSpecs, TiledPatching, TileSpecs
from napari_tessera.region import Region, Selection
from napari_tessera.testing.reference import Reference
from napari_tessera.writing import ImageRegionData, RunInfo

SIZES: Mapping[str, int] = {"S": 2, "T": 3, "C": 2, "Z": 3, "Y": 37, "X": 29}
"""Sizes that no tile or chunk divides."""

RIM = 12345.0
"""What stands in a whole tile around its core, and must not be written."""


@dataclass(frozen=True)
class PredictedImage:
    """Known pixels, a grid of tiles over them, and a part that is wanted.

    Parameters
    ----------
    dirpath : pathlib.Path
        Folder for what is written.
    axes : str
        The image's own axes.
    fold : {"", "Z", "C", "ZC"}
        Axes folded into samples.
    channels : int, optional
        Number of output channels; None for the image's.
    selection : mapping, optional
        Part of the output that is wanted.
    name : str
        What its source is called.
    data_idx : int
        Number of its stack.
    dtype : str
        Data type that is to be written.
    whole_samples : bool
        Whether each prediction is a whole sample, and no tile.
    seed : int
        Of the pixels.
    """

    dirpath: Path
    axes: str = "TCYX"
    fold: str = ""
    channels: int | None = None
    selection: Selection | None = None
    name: str = "cells.tif"
    data_idx: int = 0
    dtype: str = "float32"
    whole_samples: bool = False
    seed: int = 0

    @cached_property
    def layout(self) -> Layout:
        """The image, what is folded, and its output."""
        shape = tuple(SIZES[letter] for letter in self.axes)
        return Layout(self.axes, shape, self.fold, self.channels)

    @cached_property
    def region(self) -> Region:
        """Part of the output that is wanted."""
        layout = self.layout
        return Region.from_selection(layout.output_axes, layout.output_shape, self.selection)

    @cached_property
    def pixels(self) -> NDArray[Any]:
        """The whole prediction in the output's axes: some NaN, infinite, far, negative."""
        rng = np.random.default_rng(self.seed)
        pixels = rng.normal(100, 80, self.layout.output_shape).astype(np.float32)
        flat = pixels.reshape(-1)
        some = rng.choice(flat.size, 12, replace=False)
        flat[some] = [np.nan, np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5, 1.5, -0.5, 0, 70_000, -1]
        return pixels

    @property
    def expected(self) -> NDArray[Any]:
        """What must be written, in the region's shape: of whole numbers rounded and clipped."""
        wanted = self.pixels[np.ix_(*(list(chosen) for chosen in self.region.indices))]
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return wanted.astype(dtype)
        info = np.iinfo(dtype)
        return (
            np.nan_to_num(np.rint(wanted.astype(np.float64)), nan=0)
            .clip(info.min, info.max)
            .astype(dtype)
        )

    @cached_property
    def _specs(self) -> list[TileSpecs]:
        """The tiles that meet the region."""
        space = self.layout.spatial_axes
        size = [64] * len(space) if self.whole_samples else [2, 16, 16][-len(space) :]
        overlap = [0] * len(space) if self.whole_samples else [0, 4, 4][-len(space) :]
        patching = TiledPatching([self.layout.view_shape], size, overlap)
        every = [patching.get_patch_spec(number) for number in range(patching.n_patches)]
        met = [specs for specs in every if self.region.place(self._block(specs)) is not None]
        for specs in met:
            specs["total_tiles"], specs["data_idx"] = len(met), self.data_idx
        return met

    def _block(self, specs: TileSpecs) -> tuple[slice, ...]:
        return self.layout.output_index(
            specs["sample_idx"], specs["stitch_coords"], specs["crop_size"]
        )

    @property
    def n_tiles(self) -> int:
        """Number of tiles that come."""
        return len(self._specs)

    def tile(self, number: int, *, whole: bool = False) -> ImageRegionData:
        """One prediction: a core, or a whole tile whose rim must not be written."""
        specs: TileSpecs | PatchSpecs = self._specs[number]
        tile = self._specs[number]
        at, size = tile["stitch_coords"], tile["crop_size"]
        data = Reference(self.pixels, self.layout.output_axes, self.fold).patch(
            (tile["sample_idx"], None, at, size)
        )
        if self.whole_samples:
            specs = PatchSpecs(
                data_idx=tile["data_idx"],
                sample_idx=tile["sample_idx"],
                coords=at,
                patch_size=size,
            )
        elif whole:
            core = tuple(
                slice(start, start + length)
                for start, length in zip(tile["crop_coords"], size, strict=True)
            )
            around = np.full((data.shape[0], *tile["patch_size"]), RIM, np.float32)
            around[(slice(None), *core)] = data
            data = around
        return ImageRegionData(
            data=data,
            source=self.name,
            data_shape=self.layout.view_shape,
            dtype="uint16",
            axes=self.axes,
            original_data_shape=self.layout.shape,
            region_spec=specs,
            additional_metadata={
                "fold": self.fold,
                "channels": self.channels,
                "tile_index": number,
                "input": None,
                "metadata": ImageMetadata(self.axes),
            },
        )

    def tiles(self, order: Sequence[int] | None = None) -> list[ImageRegionData]:
        """Predictions in an order."""
        return [self.tile(number) for number in (range(self.n_tiles) if order is None else order)]

    @property
    def run(self) -> RunInfo:
        """What a writer is told of a run over it."""
        space = len(self.layout.spatial_axes)
        return RunInfo(
            layout=self.layout,
            region=self.region,
            metadata=ImageMetadata(self.axes),
            source=self.name,
            output_dtype=np.dtype(self.dtype),
            total_tiles=self.n_tiles,
            patch_size=(2, 16, 16)[-space:],
            overlaps=(0, 4, 4)[-space:],
            tile_index_block=lambda number: self._block(self._specs[number]),
            plan={"fingerprint_of": {"seed": self.seed}, "settings": {}},
            fingerprint=f"{self.seed:064x}",
            input_dtype="uint16",
            dirpath=self.dirpath,
        )
