"""Over the whole pipeline each chunk of each level is written once, unlike by a simple writer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore, WrapperStore

from napari_tessera import load_model, plan_prediction
from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.models import Model
from napari_tessera.prediction import PredictionPlan, Schedule, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import ArrayWriter, ImageRegionData, RunInfo, WriteTilesZarr
from napari_tessera.writing.chunks import chunking
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.convert import to_dtype
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.region_data import output_core, tile_block


class WatchedStore(WrapperStore[Store]):
    """Writes down, in order, which keys are set and which that are there are read."""

    def __init__(self, store: Store, events: list[tuple[str, str]] | None = None) -> None:
        super().__init__(store)
        self.events: list[tuple[str, str]] = [] if events is None else events

    def _with_store(self, store: Store) -> WatchedStore:
        return WatchedStore(store, self.events)

    async def set(self, key: str, value: Buffer) -> None:
        self.events.append(("set", key))
        await super().set(key, value)

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Buffer | None:
        value = await super().get(key, *args, **kwargs)
        if value is not None:
            self.events.append(("read", key))
        return value

    def pixel_events(self) -> list[tuple[str, str]]:
        """Those of chunks of levels: keys that begin with a number and end with one."""
        return [
            (what, key)
            for what, key in self.events
            if key.split("/")[0].isdigit() and key.rsplit("/")[-1].isdigit()
        ]


class StraightforwardWriter:
    """Writes each core where it belongs, then what changes by it in each level above."""

    def __init__(self, store: Store, like: Sequence[zarr.Array[Any]], order: OmeOrder) -> None:
        group = zarr.create_group(store)
        self.arrays = [
            group.create_array(
                str(level),
                shape=array.shape,
                chunks=array.chunks,
                shards=array.shards,
                dtype=array.dtype,
                fill_value=array.fill_value,
                config={"write_empty_chunks": True},
            )
            for level, array in enumerate(like)
        ]
        self._order = order
        self._layout: Layout | None = None

    def open(self, run: RunInfo) -> None:
        self._layout = run.layout

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        assert self._layout is not None
        for prediction in predictions:
            target = self._order.to_disk_slices(tile_block(prediction, self._layout))
            core, _ = to_dtype(output_core(prediction, self._layout), self.arrays[0].dtype)
            pixels = self._order.to_disk(core)
            self.arrays[0][target] = pixels
            for below, array in zip(self.arrays, self.arrays[1:], strict=False):
                factors = factors_between(below.shape, array.shape)
                target = tuple(
                    slice(part.start // f, -(-part.stop // f))
                    for part, f in zip(target, factors, strict=True)
                )
                source = tuple(
                    slice(part.start * f, part.stop * f)
                    for part, f in zip(target, factors, strict=True)
                )
                array[target] = mean_of(np.asarray(below[source]), factors)


def factors_between(below: Sequence[int], above: Sequence[int]) -> tuple[int, ...]:
    return tuple(2 if small < size else 1 for size, small in zip(below, above, strict=True))


def mean_of(pixels: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Mean of each cell's values, by padding with NaN to whole cells."""
    padding = [(0, -n % f) for n, f in zip(pixels.shape, factors, strict=True)]
    padded = np.pad(pixels.astype(np.float64), padding, constant_values=np.nan)
    cells = padded.reshape(
        [part for n, f in zip(padded.shape, factors, strict=True) for part in (n // f, f)]
    )
    inner = tuple(range(1, cells.ndim, 2))
    with np.errstate(invalid="ignore"):
        mean = np.nansum(cells, axis=inner) / (~np.isnan(cells)).sum(axis=inner)
    return (np.rint(mean) if pixels.dtype.kind in "iu" else mean).astype(pixels.dtype)


@dataclass(frozen=True)
class Case:
    """An image and how it is cut, tiled and stored."""

    axes: str
    shape: tuple[int, ...]
    patch: tuple[int, ...]
    chunks: tuple[int, ...]
    levels: int
    options: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    shards: tuple[int, ...] | None = None

    def stack(self) -> ArrayStack:
        pixels = np.random.default_rng(0).poisson(300, self.shape).astype(np.uint16)
        spacing = [None if letter in "SCT" else "micrometer" for letter in self.axes]
        known = ImageMetadata(self.axes, scale=(0.5,) * len(self.axes), units=tuple(spacing))
        return ArrayStack(pixels, self.axes, metadata=known)

    def network(self) -> nn.Module:
        torch.manual_seed(0)
        conv = nn.Conv3d if len(self.patch) == 3 else nn.Conv2d
        network = conv(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(network.weight, 1 / network.weight.numel())
        return network.eval()


CASES = {
    "plane": Case("YX", (701, 1150), (96, 96), (128, 128), 3),
    "plane, OME-Zarr 0.4": Case("YX", (701, 600), (96, 96), (128, 128), 2, {"ome_version": "0.4"}),
    "shards": Case("YX", (901, 1150), (96, 96), (64, 64), 3, {}, "uint16", (64, 384)),
    "chunks of odd length": Case("YX", (600, 530), (96, 96), (75, 75), 2),
    "volume": Case("ZYX", (21, 300, 520), (16, 96, 96), (8, 64, 64), 2, {}, "uint16"),
    "samples, times and channels": Case(
        "YTXCS", (520, 2, 200, 2, 2), (96, 96), (64, 64), 2, {}, "float32", (1, 1, 64, 256)
    ),
}


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of more than 200 chunks get shards, of at most 64 KiB."""
    monkeypatch.setattr(chunking, "MANY_CHUNKS", 200)
    monkeypatch.setattr(chunking, "SHARD_BYTES", 2**16)


def plan_of(case: Case) -> tuple[ArrayStack, Model, PredictionPlan]:
    stack, model = case.stack(), load_model(case.network())
    plan = plan_prediction(stack, model, patch_size=case.patch, output_dtype=case.dtype)
    return stack, model, plan


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_chunk_of_each_level_is_written_once_and_none_is_read_meanwhile(
    case: Case, shuffled: bool
) -> None:
    stack, model, plan = plan_of(case)
    tiles = list(range(plan.total_tiles))
    if shuffled:
        random.Random(0).shuffle(tiles)
    store, live = WatchedStore(MemoryStore()), np.empty(case.shape, case.dtype)
    writer = WriteTilesZarr(store, chunks=case.chunks, **case.options)
    run_prediction(
        plan,
        stack,
        model,
        writers=[(writer, "."), (ArrayWriter(live, plan.region), ".")],
        schedule=Schedule(plan.tiles, order=tiles),
    )

    group = zarr.open_group(store, mode="r")
    arrays = [group[str(level)] for level in range(case.levels)]
    assert str(case.levels) not in group
    assert arrays[0].shards == case.shards
    chunks = {
        f"{level}/{array.metadata.encode_chunk_key(chunk)}"
        for level, array in enumerate(arrays)
        for chunk in ChunkGrid.of(array)
    }
    events = store.pixel_events()
    assert Counter(key for what, key in events if what == "set") == Counter(chunks)
    last = max(at for at, (what, _) in enumerate(events) if what == "set")
    halved_in_place = all(length % 2 == 0 for length in case.chunks)
    assert halved_in_place == all(what == "set" for what, _ in events[:last])

    level = OmeOrder(case.axes, case.shape).to_disk(live)
    for number, array in enumerate(arrays):
        if number:
            level = mean_of(level, factors_between(level.shape, array.shape))
        np.testing.assert_array_equal(np.asarray(array[...]), level)


@pytest.mark.parametrize("name", ["plane", "shards", "volume"])
def test_a_straightforward_writer_writes_and_reads_them_many_times(name: str) -> None:
    case = CASES[name]
    stack, model, plan = plan_of(case)
    store, simple_store = WatchedStore(MemoryStore()), WatchedStore(MemoryStore())
    writer = WriteTilesZarr(store, chunks=case.chunks, **case.options)
    run_prediction(plan, stack, model, writers=[(writer, ".")])
    ours = store.pixel_events()
    group = zarr.open_group(store, mode="r")
    arrays = [group[str(level)] for level in range(case.levels)]
    simple = StraightforwardWriter(simple_store, arrays, OmeOrder(case.axes, case.shape))
    run_prediction(plan, stack, model, writers=[(simple, ".")])
    theirs = simple_store.pixel_events()

    for array, other in zip(arrays, simple.arrays, strict=True):
        np.testing.assert_array_equal(np.asarray(array[...]), np.asarray(other[...]))
    writes = sum(what == "set" for what, _ in ours)
    simple_writes = sum(what == "set" for what, _ in theirs)
    assert simple_writes > 3 * writes
    assert sum(what == "read" for what, _ in theirs) > simple_writes / 2
