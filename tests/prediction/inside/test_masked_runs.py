"""Runs inside a mask or shapes: the same pixels there, nothing elsewhere, wherever it goes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from torch import nn
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore, WrapperStore

from napari_tessera import load_model, plan_prediction, predict, predict_to_disk
from napari_tessera.models import Model
from napari_tessera.prediction import (
    Outline,
    PlanError,
    PredictionPlan,
    Progress,
    Schedule,
    estimate,
    run_prediction,
)
from napari_tessera.prediction.plan import PLAN_VERSION, VERSION_INSIDE
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import CachedTiles, WriteTilesZarr, read_unfinished
from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.stored.ledger import DONE, LEDGER_NAME, SKIPPED

AXES, SHAPE = "ZYX", (3, 200, 260)
SETTINGS: dict[str, Any] = {"patch_size": 48, "overlaps": 4}


class Counting(nn.Module):
    """A 3×3 mean whose copies count the tiles they saw."""

    seen = 0

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.mean.weight, 1 / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Counting.seen += x.shape[0]
        return self.mean(x)


@pytest.fixture(scope="module")
def model() -> Model:
    loaded = load_model(Counting().eval(), device="cpu")
    _ = loaded.geometry
    return loaded


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).poisson(300, SHAPE).astype(np.uint16)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    """A hole in a blob, and one pixel at the far edge of one plane."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    far = np.hypot(y - 70, x - 100)
    mask = np.zeros(SHAPE, bool)
    mask[0] = (far > 40) & (far < 65)
    mask[2, 199, 259] = True
    return mask


@pytest.fixture(scope="module")
def ring() -> np.ndarray:
    """Of the plane, and so wide that a run is far from its end when it is stopped."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    far = np.hypot(y - 100, x - 130)
    return (far > 50) & (far < 95)


@pytest.fixture(scope="module")
def whole(model: Model, pixels: np.ndarray) -> np.ndarray:
    return predict(ArrayStack(pixels, AXES), model, **SETTINGS)


def plan_of(model: Model, pixels: np.ndarray, inside: Any, **settings: Any) -> PredictionPlan:
    return plan_prediction(
        ArrayStack(pixels, AXES), model, inside=inside, **{**SETTINGS, **settings}
    )


def expected_of(plan: PredictionPlan, whole: np.ndarray, fill: float = np.nan) -> np.ndarray:
    """The whole prediction in the tiles that are kept."""
    assert plan.skipped is not None
    expected = np.full(plan.region.shape, fill, whole.dtype)
    for tile in np.flatnonzero(~plan.skipped):
        block = plan.tiles.block(int(tile))
        expected[block] = whole[block]
    return expected[np.ix_(*plan.region.indices)]


def test_only_tiles_inside_are_predicted_and_have_the_pixels_of_a_whole_run(
    model: Model, pixels: np.ndarray, mask: np.ndarray, whole: np.ndarray
) -> None:
    plan = plan_of(model, pixels, mask)
    n_kept = np.count_nonzero(~plan.skipped)
    assert plan.total_tiles == n_kept < plan.tiles.n_tiles == plan.skipped.size
    assert estimate(plan, 2.0).seconds == 2.0 * n_kept
    states: list[Progress] = []
    Counting.seen = 0
    found = predict(ArrayStack(pixels, AXES), model, plan=plan, progress=states.append)
    assert Counting.seen == n_kept
    assert (states[-1].done, states[-1].total) == (n_kept, n_kept)
    np.testing.assert_array_equal(found, expected_of(plan, whole))
    assert np.isfinite(found[mask]).all()


def test_shapes_regions_and_channels_go_together(model: Model) -> None:
    pixels = np.random.default_rng(1).poisson(300, (2, 3, 100, 120)).astype(np.uint16)
    stack = ArrayStack(pixels, "CZYX")
    whole = predict(stack, model, **SETTINGS)
    inside = [
        Outline([(10, 10), (10, 30), (30, 30)], at={"Z": 1}),
        Outline([(60, 60), (60, 110), (90, 110), (90, 60)], "ellipse"),
    ]
    region = {"C": [1], "Z": slice(1, 3), "Y": slice(20, 100)}
    plan = plan_prediction(stack, model, inside=inside, region=region, **SETTINGS)
    found = predict(stack, model, plan=plan)
    assert found.shape == (1, 2, 80, 120)
    np.testing.assert_array_equal(found, expected_of(plan, whole))
    assert np.isfinite(found[0, 0, 0, 20])
    assert np.isnan(found[0, 1, 0, 20])
    assert np.isfinite(found[0, :, 55, 85]).all()


@pytest.mark.parametrize("blending", ["linear", "gaussian"])
def test_neighbours_of_a_blended_tile_are_predicted_and_not_written(
    model: Model, pixels: np.ndarray, blending: str
) -> None:
    settings = {"patch_size": 48, "overlaps": 16, "blending": blending}
    whole = predict(ArrayStack(pixels, AXES), model, **settings)
    plan = plan_of(model, pixels, [(50, 50), (50, 60), (60, 60)], **settings)
    assert plan.total_tiles == 3
    Counting.seen = 0
    found = predict(ArrayStack(pixels, AXES), model, plan=plan)
    assert Counting.seen == 3 * 9
    np.testing.assert_array_equal(found, expected_of(plan, whole))


def test_plans_with_a_mask_are_told_apart_and_those_without_stay(
    model: Model, pixels: np.ndarray, mask: np.ndarray
) -> None:
    plain, masked = plan_of(model, pixels, None), plan_of(model, pixels, mask)
    other = plan_of(model, pixels, mask[:, ::-1])
    assert len({plan.fingerprint for plan in (plain, masked, other)}) == 3
    assert "inside" not in plain.to_dict()["fingerprint_of"]
    assert plain.to_dict()["fingerprint_of"]["version"] == PLAN_VERSION
    assert masked.to_dict()["fingerprint_of"]["version"] == VERSION_INSIDE
    for plan in (plain, masked):
        read = PredictionPlan.from_json(plan.to_json())
        assert read == plan
        assert read.fingerprint == plan.fingerprint
        assert read.total_tiles == plan.total_tiles
    everything = plan_of(model, pixels, np.ones(SHAPE[1:], bool))
    assert everything.fingerprint == plain.fingerprint, "what skips nothing is as if not asked for"


@pytest.mark.parametrize(
    "change",
    [
        {"inside": {"axes": "YX", "shape": [5, 6], "runs": [1, 28]}},
        {"inside": {"axes": "YX", "shape": [5, 99], "runs": [1, 494]}},
        {"inside": {"axes": "YX", "shape": [5, 6], "runs": [30]}},
        {"inside": [1, 2]},
        {"inside": None},
        {"version": PLAN_VERSION},
    ],
)
def test_a_damaged_plan_is_refused(
    model: Model, pixels: np.ndarray, mask: np.ndarray, change: dict[str, Any]
) -> None:
    data = plan_of(model, pixels, mask).to_dict()
    data["fingerprint_of"].update(change)
    with pytest.raises(PlanError, match="damaged"):
        PredictionPlan.from_json(json.dumps(data))


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
    model: Model, whole: np.ndarray, mask: np.ndarray, dtype: str
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


def test_the_order_of_tiles_decides_no_byte(
    model: Model, pixels: np.ndarray, mask: np.ndarray
) -> None:
    plan = plan_of(model, pixels, mask)
    stores = []
    for order in (range(plan.tiles.n_tiles), range(plan.tiles.n_tiles - 1, -1, -1)):
        store = MemoryStore()
        run_prediction(
            plan,
            ArrayStack(pixels, AXES),
            model,
            writers=[(WriteTilesZarr(store, chunks=(64, 64)), ".")],
            schedule=Schedule(plan.tiles, order=order),
        )
        held = {k: bytes(v.to_bytes()) for k, v in store._store_dict.items() if k != "zarr.json"}
        stores.append(held)
    assert stores[0] == stores[1]


def test_nothing_inside_is_told_at_the_area(model: Model, pixels: np.ndarray) -> None:
    with pytest.raises(PlanError, match="nothing of the area is inside the mask") as caught:
        plan_of(model, pixels, np.zeros(SHAPE[1:], bool))
    assert caught.value.field == "area"
