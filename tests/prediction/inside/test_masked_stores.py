"""What runs inside a mask or shapes leave on disk, and how they go on there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from tests.prediction.inside.masks import AXES, SETTINGS, expected_of, plan_of
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore, WrapperStore

from napari_tessera import plan_prediction, predict, predict_to_disk
from napari_tessera.models import Model
from napari_tessera.prediction import Outline, PredictionPlan, Progress
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import CachedTiles, WriteTilesZarr, read_unfinished
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.stored.ledger import DONE, LEDGER_NAME, SKIPPED


class WatchedStore(WrapperStore[Store]):
    """Counts how often each key is set."""

    def __init__(self, store: Store, counts: Counter[str] | None = None) -> None:
        super().__init__(store)
        self.counts: Counter[str] = Counter() if counts is None else counts

    def _with_store(self, store: Store) -> WatchedStore:
        return WatchedStore(store, self.counts)

    async def set(self, key: str, value: Buffer) -> None:
        self.counts[key] += 1
        await super().set(key, value)


def chunks_of(store: Store, plan: PredictionPlan, levels: int) -> set[str]:
    """Keys of the chunks of all levels that hold a pixel of a kept tile, or are made of one."""
    group = zarr.open_group(store, mode="r")
    kept = np.zeros(plan.region.shape, bool)
    for tile in np.flatnonzero(~plan.skipped):
        kept[plan.tiles.block(int(tile))] = True
    keys = set()
    for level in range(levels):
        array = group[str(level)]
        grid = ChunkGrid.of(array)
        if level:
            factors = [-(-a // b) for a, b in zip(kept.shape, array.shape, strict=True)]
            padding = [
                (0, n * f - size)
                for n, f, size in zip(array.shape, factors, kept.shape, strict=True)
            ]
            padded = np.pad(kept, padding)
            cells = [part for n, f in zip(array.shape, factors, strict=True) for part in (n, f)]
            kept = padded.reshape(cells).any(axis=tuple(range(1, len(cells), 2)))
        keys |= {
            f"{level}/{array.metadata.encode_chunk_key(chunk)}"
            for chunk in grid
            if kept[grid.region(chunk)].any()
        }
    return keys


@pytest.mark.parametrize("dtype", ["float32", pytest.param("input", marks=pytest.mark.slow)])
def test_each_chunk_with_a_tile_is_written_once_and_the_others_never(
    model: Model, dtype: str
) -> None:
    pixels = np.random.default_rng(0).poisson(300, (3, 700, 620)).astype(np.uint16)
    inside = [
        Outline([(30, 40), (30, 160), (120, 160), (120, 40)], at={"Z": 0}),
        Outline([(600, 600), (600, 610), (610, 610)], at={"Z": 2}),
    ]
    stack = ArrayStack(pixels, AXES)
    plan = plan_prediction(stack, model, inside=inside, output_dtype=dtype, **SETTINGS)
    everywhere = predict(stack, model, output_dtype=dtype, **SETTINGS)
    store = WatchedStore(MemoryStore())
    written: list[Any] = []
    predict_to_disk(stack, model, store, plan=plan, chunks=(64, 64), written=written.append)
    counts = {k: n for k, n in store.counts.items() if k[0].isdigit() and k[-1].isdigit()}
    assert counts == dict.fromkeys(chunks_of(store, plan, 2), 1)
    group = zarr.open_group(store, mode="r")
    fill = np.nan if dtype == "float32" else 0
    np.testing.assert_array_equal(group["0"][...], expected_of(plan, everywhere, fill))
    ledger = group[LEDGER_NAME][...]
    assert np.array_equal(ledger == SKIPPED, plan.skipped)
    assert np.array_equal(ledger == DONE, ~plan.skipped)
    stored = read_unfinished(store)
    assert stored is not None
    assert stored.completed
    assert stored.done == np.flatnonzero(~plan.skipped).tolist()
    assert (stored.total_tiles, stored.n_tiles) == (plan.total_tiles, plan.tiles.n_tiles)
    assert written[0].shape == plan.region.selected_shape


def test_a_stopped_run_goes_on_with_the_same_mask_and_has_the_same_bytes(
    tmp_path: Path, model: Model, pixels: np.ndarray, ring: np.ndarray
) -> None:
    stack = ArrayStack(pixels, AXES)
    once, twice = tmp_path / "once.ome.zarr", tmp_path / "twice.ome.zarr"
    settings = {**SETTINGS, "inside": ring, "output_dtype": "input", "chunks": (64, 64)}
    predict_to_disk(stack, model, once, **settings)
    stop = Event()

    def progress(state: Progress) -> None:
        if state.done >= 5:
            stop.set()

    predict_to_disk(stack, model, twice, cancel=stop, progress=progress, **settings)
    stored = read_unfinished(twice)
    assert stored is not None
    assert not stored.completed
    assert 5 <= len(stored.done) < stored.total_tiles
    ledger = zarr.open_group(twice, mode="r")[LEDGER_NAME][...]
    assert np.count_nonzero(ledger == SKIPPED) == stored.skipped_tiles > 0
    other = {**settings, "inside": [(0, 0), (0, 9), (9, 9)]}
    named = r"the shapes or the mask \(25 of 30 tiles along YX there, 1 of 30 tiles along YX now\)"
    with pytest.raises(ValueError, match=named):
        predict_to_disk(stack, model, twice, resume=True, **other)
    states: list[Progress] = []
    # with the mask that was given, or without saying anything
    del settings["inside"]
    predict_to_disk(stack, model, twice, resume=True, progress=states.append, **settings)
    assert states[-1].done == states[-1].total == stored.total_tiles
    assert files(once) == files(twice)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the group's: it tells the time."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path != folder / "zarr.json"
    }


def test_chunks_that_were_skipped_are_not_lost_and_those_deleted_are_predicted_again(
    tmp_path: Path, model: Model, pixels: np.ndarray, ring: np.ndarray
) -> None:
    stack, path = ArrayStack(pixels, AXES), tmp_path / "a.ome.zarr"
    plan = plan_of(model, pixels, ring)
    stop = Event()
    seen: list[int] = []

    def progress(state: Progress) -> None:
        seen.extend(state.finished)
        if state.done >= 5:
            stop.set()

    options = {"plan": plan, "chunks": (64, 64)}
    predict_to_disk(stack, model, path, cancel=stop, progress=progress, **options)
    done = read_unfinished(path).done
    chunk = sorted((path / "0" / "c" / "0").rglob("*"))[-1]
    chunk.unlink()
    again: list[int] = []
    predict_to_disk(
        stack, model, path, resume=True, progress=lambda s: again.extend(s.finished), **options
    )
    assert set(again) & set(done), "the tiles of the chunk that was deleted"
    assert len(again) < plan.total_tiles, "and no others, absent though their neighbours are"
    fresh = tmp_path / "b.ome.zarr"
    predict_to_disk(stack, model, fresh, **options)
    assert files(path) == files(fresh)


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".npy", ".ome.zarr.zip"])
@pytest.mark.parametrize("memory_limit", [None, 1000])
def test_files_are_nan_outside(
    tmp_path: Path,
    model: Model,
    pixels: np.ndarray,
    mask: np.ndarray,
    whole: np.ndarray,
    ending: str,
    memory_limit: int | None,
) -> None:
    if ending == ".ome.zarr.zip" and memory_limit:
        memory_limit = 10**6
    path = tmp_path / f"out{ending}"
    stack = ArrayStack(pixels, AXES)
    plan = plan_of(model, pixels, mask)
    predict_to_disk(stack, model, path, plan=plan, memory_limit=memory_limit)
    if ending == ".npy":
        found = np.load(path)
    elif ending.endswith(".tif"):
        found = tifffile.imread(path)
    else:
        with zarr.storage.ZipStore(path, mode="r") as store:
            found = zarr.open_group(store, mode="r")["0"][...]
    np.testing.assert_array_equal(found, expected_of(plan, whole))


def test_arrays_by_source_and_files_of_strategies(
    tmp_path: Path, model: Model, mask: np.ndarray, pixels: np.ndarray, whole: np.ndarray
) -> None:
    source = zarr.create_array(
        tmp_path / "in.zarr",
        name="images/a",
        data=pixels,
        chunks=(1, 50, 50),
        dimension_names="zyx",
    )
    plan = plan_prediction(source, model, inside=mask, output_dtype="input", **SETTINGS)
    rounded = predict(ArrayStack(pixels, AXES), model, output_dtype="input", **SETTINGS)
    tiffs = CachedTiles(lambda file_path, img: np.save(file_path, img), ".npy", {})
    predict(source, model, plan=plan, writers=[(WriteTilesZarr(), tmp_path), (tiffs, tmp_path)])
    group = zarr.open_group(tmp_path / "in_output.zarr/images", mode="r")
    expected = expected_of(plan, rounded, 0)
    np.testing.assert_array_equal(group["a"][...], expected)
    done = expected_of(plan, np.ones_like(rounded), 0)
    np.testing.assert_array_equal(group["a_done"][...], done)
    grid = ChunkGrid.of(group["a"])
    inside = {chunk for chunk in grid if done[grid.region(chunk)].any()}
    for name in ("a", "a_done"):
        there = {
            tuple(map(int, path.relative_to(folder).parts))
            for folder in [tmp_path / "in_output.zarr/images" / name / "c"]
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert there == inside
    ledger = group[f"{LEDGER_NAME}_a"][...]
    assert np.array_equal(ledger == SKIPPED, plan.skipped)
    saved = list(tmp_path.rglob("*.npy"))
    assert len(saved) == 1
    np.testing.assert_array_equal(np.load(saved[0]), expected)


def test_copied_channels_are_copied_whole(tmp_path: Path, model: Model) -> None:
    pixels = np.random.default_rng(1).poisson(300, (2, 100, 120)).astype(np.uint16)
    stack = ArrayStack(pixels, "CYX")
    settings = {**SETTINGS, "region": {"C": [1]}, "output_dtype": "input"}
    whole = predict(stack, model, **settings)
    plan = plan_prediction(stack, model, inside=[(5, 5), (5, 30), (30, 30)], **settings)
    expected = expected_of(plan, np.concatenate([pixels[:1], whole]), 0)
    for name in ("a.ome.zarr", "a.ome.tif"):
        predict_to_disk(stack, model, tmp_path / name, plan=plan, copy_channels=True)
    zarred = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")["0"][...]
    for found in (zarred, tifffile.imread(tmp_path / "a.ome.tif")):
        np.testing.assert_array_equal(found[0], pixels[0])
        np.testing.assert_array_equal(found[1:], expected)
