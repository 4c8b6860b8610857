"""Predicted images cut into tiles, as the pipeline would hand them to a writer."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import WrapperStore

from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.patching import TiledPatching, TileSpecs
from napari_tessera.region import Region
from napari_tessera.writing import ImageRegionData, RunInfo


class TiledImage:
    """A predicted image: known pixels, a grid of tiles over them, and a region that is wanted."""

    def __init__(
        self,
        axes: str,
        shape: Sequence[int],
        patch: Sequence[int],
        overlaps: Sequence[int],
        *,
        fold: str = "",
        channels: int | None = None,
        selection: dict[str, Any] | None = None,
        metadata: ImageMetadata | None = None,
        source: str = "array",
        data_idx: int = 0,
        seed: int = 0,
    ) -> None:
        self.layout = Layout(axes, tuple(shape), fold, channels)
        self.region = Region.from_selection(
            self.layout.output_axes, self.layout.output_shape, selection
        )
        self.patching = TiledPatching([self.layout.view_shape], patch, overlaps)
        self.patch, self.overlaps = tuple(patch), tuple(overlaps)
        self.metadata = metadata or ImageMetadata(axes)
        self.source, self.data_idx = source, data_idx
        samples, own, *space = self.layout.view_shape
        out = own if channels is None or "C" in fold else channels
        rng = np.random.default_rng(seed)
        self.view = rng.normal(100, 60, (samples, out, *space)).astype(np.float32)

    @cached_property
    def expected(self) -> np.ndarray:
        """The region's pixels in the output's own axes."""
        whole = self.layout.restore(self.view)
        for axis, chosen in enumerate(self.region.indices):
            whole = whole.take(list(chosen), axis=axis)
        return whole

    @cached_property
    def numbers(self) -> list[int]:
        """Grid numbers of the tiles that meet the region."""
        return [
            number
            for number in range(self.patching.n_patches)
            if self.region.place(self._block(self.patching.get_patch_spec(number))) is not None
        ]

    def _block(self, specs: TileSpecs) -> tuple[slice, ...]:
        return self.layout.output_index(
            specs["sample_idx"], specs["stitch_coords"], specs["crop_size"]
        )

    def block(self, tile: int) -> tuple[slice, ...]:
        return self._block(self.patching.get_patch_spec(self.numbers[tile]))

    @property
    def n_tiles(self) -> int:
        return len(self.numbers)

    def tile(self, tile: int, *, whole: bool = False) -> ImageRegionData:
        """A core, or a whole tile whose rim holds what must not be written."""
        specs = self.patching.get_patch_spec(self.numbers[tile])
        specs["total_tiles"] = self.n_tiles
        specs["data_idx"] = self.data_idx
        at = tuple(
            slice(start, start + size)
            for start, size in zip(specs["stitch_coords"], specs["crop_size"], strict=True)
        )
        data = self.view[specs["sample_idx"]][(slice(None), *at)]
        if whole:
            rim = np.full((data.shape[0], *specs["patch_size"]), 9999, np.float32)
            rim[
                (
                    slice(None),
                    *(
                        slice(start, start + size)
                        for start, size in zip(
                            specs["crop_coords"], specs["crop_size"], strict=True
                        )
                    ),
                )
            ] = data
            data = rim
        return ImageRegionData(
            data=data,
            source=self.source,
            data_shape=self.layout.view_shape,
            dtype="uint16",
            axes=self.layout.axes,
            original_data_shape=self.layout.shape,
            region_spec=specs,
            additional_metadata={
                "fold": self.layout.fold,
                "channels": self.layout.channels,
                "tile_index": tile,
                "input": None,
            },
        )

    def tiles(self, order: Sequence[int] | None = None) -> list[ImageRegionData]:
        return [self.tile(tile) for tile in (range(self.n_tiles) if order is None else order)]

    def run(self, **changes: Any) -> RunInfo:
        plan = {
            "fingerprint_of": {"patch_size": list(self.patch), "model_name": "blur"},
            "settings": {"batch_size": 1},
        }
        values = {
            "layout": self.layout,
            "region": self.region,
            "metadata": self.metadata,
            "source": self.source,
            "output_dtype": np.dtype(np.float32),
            "total_tiles": self.n_tiles,
            "patch_size": self.patch,
            "overlaps": self.overlaps,
            "tile_index_block": self.block,
            "plan": plan,
            "fingerprint": "f00d",
        }
        return RunInfo(**{**values, **changes})


class CountingStore(WrapperStore[Store]):
    """Counts how often each key is written and read."""

    def __init__(self, store: Store, sets: Counter[str] | None = None) -> None:
        super().__init__(store)
        self.sets: Counter[str] = Counter() if sets is None else sets
        self.gets: Counter[str] = Counter()

    def _with_store(self, store: Store) -> CountingStore:
        return CountingStore(store, self.sets)

    async def set(self, key: str, value: Buffer) -> None:
        self.sets[key] += 1
        await super().set(key, value)

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Buffer | None:
        self.gets[key] += 1
        return await super().get(key, *args, **kwargs)

    def chunk_sets(self, prefix: str = "") -> Counter[str]:
        start = f"{prefix}c/"
        return Counter({key: n for key, n in self.sets.items() if key.startswith(start)})


_WHEN = re.compile(rb'("(?:started|finished)": )"[^"]*"')


def folder_hashes(path: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, whenever it was written."""
    return {
        file.relative_to(path).as_posix(): hashlib.sha256(
            _WHEN.sub(rb"\1now", file.read_bytes())
            if file.name in ("zarr.json", ".zattrs")
            else file.read_bytes()
        ).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="session")
def tiled_image() -> type[TiledImage]:
    return TiledImage


@pytest.fixture(scope="session")
def counting_store() -> type[CountingStore]:
    return CountingStore


@pytest.fixture(scope="session")
def hashes() -> Any:
    return folder_hashes
