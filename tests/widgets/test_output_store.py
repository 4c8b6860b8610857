"""Where an output goes: memory, part of it, or disk; and that pixels come out where they belong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
import zarr
from numpy.typing import NDArray
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import PlanError, PredictionPlan, predict, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.disk_view import DiskView, display_axes, shown_as_stored
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.output_store import choose_store, make_store
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing import WriteTilesZarr


class Memory(NamedTuple):
    available: int


@pytest.fixture
def free_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_available(n_bytes: int) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(n_bytes))

    return set_available


def run_into(
    store: MemoryStore | DiskStore, plan: PredictionPlan, image: NDArray[Any], axes: str
) -> None:
    model = load_model(Blur(2 if "Z" not in plan.layout.spatial_axes else 3), device="cpu")
    run_prediction(plan, ArrayStack(image, axes), model, writers=[(store, ".")])


def test_half_of_the_free_memory_decides(free_memory: Callable[[int], None]) -> None:
    image = noisy((10, 100, 100))
    whole = make_plan(image, "ZYX")
    preview = make_plan(image, "ZYX", region={"Z": 3})
    n_bytes = image.size * 4
    free_memory(2 * n_bytes)
    assert (choose_store(whole).kind, choose_store(whole).n_bytes) == ("whole", n_bytes)
    assert choose_store(preview).kind == "whole"
    free_memory(2 * n_bytes - 1)
    assert choose_store(whole).kind == "disk"
    assert (choose_store(preview).kind, choose_store(preview).n_bytes) == ("area", n_bytes // 10)
    free_memory(0)
    assert choose_store(preview).kind == "disk"


def test_no_room_anywhere_is_said(
    free_memory: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Disk(NamedTuple):
        free: int

    free_memory(0)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Disk(1000))
    with pytest.raises(PlanError, match="choose a smaller area") as error:
        make_store(make_plan(noisy((64, 64)), "YX"), "YX")
    assert error.value.field == "area"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "CYX", "YXC", "TCZYX", "XYT", "STYX"])
@pytest.mark.parametrize("kind", ["whole", "area", "disk"])
def test_pixels_come_where_they_belong(axes: str, kind: str, tmp_path: Path) -> None:
    sizes = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 40, "X": 50}
    image = noisy(tuple(sizes[a] for a in axes))
    region = {"Y": slice(5, 25)} | ({"T": slice(1, 3)} if "T" in axes else {})
    plan = make_plan(image, axes, patch_size=(16, 16), region=region)
    expected = predict(ArrayStack(image, axes), load_model(Blur(), device="cpu"), plan=plan)
    held = plan.region if kind == "area" else None
    if kind == "disk":
        store: Any = DiskStore(plan, axes, path=tmp_path / "a.ome.zarr")
        held = plan.region
    else:
        from napari_tessera.region import Region

        held = held or Region.from_selection(axes, image.shape)
        store = MemoryStore(plan, held, axes)
    run_into(store, plan, image, axes)
    shown = np.asarray(store.data())
    assert shown.shape == held.selected_shape
    wanted = tuple(slice(*plan.region.bounds(a)) for a in axes)
    inside = shown[wanted] if kind == "whole" else shown
    np.testing.assert_array_equal(inside, expected)
    if kind == "whole":
        # Whole tiles are kept, also where they reach beyond the area; the rest is NaN.
        done = np.zeros(shown.shape, bool)
        for index in range(plan.total_tiles):
            done[plan.tiles.block(index)] = True
        np.testing.assert_array_equal(np.isfinite(shown), done)
        assert not done.all()


@pytest.mark.parametrize(
    ("axes", "order", "plain"),
    [
        ("TCZYX", "TCZYX", True),
        ("YX", "YX", True),
        ("SYX", "SYX", True),
        ("XY", "XY", False),
        ("STYX", "STYX", False),
        ("TCYX", "CTYX", False),
    ],
)
def test_the_zarr_array_itself_is_shown_where_it_can_be(
    axes: str, order: str, plain: bool, tmp_path: Path
) -> None:
    sizes = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 40, "X": 50}
    image = noisy(tuple(sizes[a] for a in axes))
    plan = make_plan(image, axes)
    assert shown_as_stored(order, plan.region) is plain
    if order == axes:
        store = DiskStore(plan, axes, path=tmp_path / "a.ome.zarr")
        assert not store.ready
        run_into(store, plan, image, axes)
        assert store.ready
        assert isinstance(store.data(), zarr.Array if plain else DiskView)


def test_a_temporary_store_goes(tmp_path: Path) -> None:
    image = noisy((40, 40))
    plan = make_plan(image, "YX")
    store = DiskStore(plan, "YX")
    run_into(store, plan, image, "YX")
    assert store.is_temporary
    assert store.path.exists()
    store.dispose()
    assert not store.path.exists()
    saved = DiskStore(plan, "YX", path=tmp_path / "a.ome.zarr")
    run_into(saved, plan, image, "YX")
    saved.dispose()
    assert saved.path.exists()


def test_previews_of_the_same_settings_stand_side_by_side() -> None:
    image = noisy((2, 64, 64))
    first = make_plan(image, "ZYX", patch_size=(32, 32), region={"Z": 0})
    second = make_plan(image, "ZYX", patch_size=(32, 32), region={"Z": 1})
    other = make_plan(image, "ZYX", patch_size=(48, 48), region={"Z": 1})
    store = make_store(first, "ZYX")
    assert isinstance(store, MemoryStore)
    run_into(store, first, image, "ZYX")
    assert make_store(second, "ZYX", reusable=store) is store
    assert np.isfinite(store.array[0]).all()
    assert np.isnan(store.array[1]).all()
    run_into(store, second, image, "ZYX")
    assert make_store(second, "ZYX", reusable=store) is store
    assert np.isfinite(store.array[0]).all()
    assert np.isnan(store.array[1]).all()
    assert make_store(other, "ZYX", reusable=store) is store
    assert np.isnan(store.array).all()


def test_a_full_run_starts_empty_and_another_shape_anew() -> None:
    image = noisy((2, 64, 64))
    store = make_store(make_plan(image, "ZYX", region={"Z": 0}), "ZYX")
    run_into(store, store.plan, image, "ZYX")
    whole = make_plan(image, "ZYX")
    assert isinstance(store, MemoryStore)
    assert make_store(whole, "ZYX", reusable=store) is store
    assert np.isnan(store.array).all()
    assert make_store(make_plan(image[:1], "ZYX"), "ZYX", reusable=store) is not store


def test_display_axes_put_a_new_channel_axis_first() -> None:
    class Two(Blur):
        def forward(self, x: Any) -> Any:
            return super().forward(x).repeat(1, 2, 1, 1)

    image = noisy((3, 40, 40))
    plan = make_plan(image, "TYX", Two())
    assert plan.layout.output_axes == "TCYX"
    assert display_axes(plan, "TYX", rgb=False) == "CTYX"
    store = make_store(plan, "TYX")
    assert store.data().shape == (2, 3, 40, 40)
    assert np.shares_memory(store.data(), store.array)  # type: ignore[union-attr]


def test_finished_tiles_are_read_back(tmp_path: Path) -> None:
    image = noisy((3, 64, 64))
    plan = make_plan(image, "TYX", patch_size=(32, 32), region={"T": slice(1, 3)})
    path = tmp_path / "a.ome.zarr"
    model = load_model(Blur(), device="cpu")
    run_prediction(plan, ArrayStack(image, "TYX"), model, writers=[(WriteTilesZarr(path), ".")])
    store = make_store(plan, "TYX")
    assert isinstance(store, MemoryStore)
    store.fill_from(path, range(plan.total_tiles // 2))
    expected = predict(ArrayStack(image, "TYX"), model)
    np.testing.assert_array_equal(store.array[1], expected[1])
    assert np.isnan(store.array[0]).all()
    assert np.isnan(store.array[2]).all()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_colours_are_uint8_with_alpha_copied(channels: int, kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (5, 40, 50, channels), np.uint8)
    image = source[..., :3]
    plan = make_plan(image, "TYXC", patch_size=(16, 16), region={"T": slice(1, 4)})
    colours = Colours("uint8", source)
    store: Any = (
        make_store(plan, "TYX", colours)
        if kind == "memory"
        else DiskStore(plan, "TYX", colours, path=tmp_path / "a.ome.zarr")
    )
    run_into(store, plan, image, "TYXC")
    shown = np.asarray(store.data())
    expected = predict(ArrayStack(image, "TYXC"), load_model(Blur(), device="cpu"), plan=plan)
    if kind == "memory":
        assert shown.shape == source.shape
        assert shown[0].max() == 0
        shown = shown[1:4]
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[..., :3], np.rint(expected))
    if channels == 4:
        np.testing.assert_array_equal(shown[..., 3], source[1:4, ..., 3])


@pytest.mark.parametrize(("dtype", "top"), [("uint16", 65535), ("float32", 1), ("uint8", 255)])
def test_colours_of_any_dtype_reach_from_0_to_255(dtype: str, top: float) -> None:
    colours = Colours(dtype, np.zeros((2, 2, 3), dtype))
    core = np.array([-top, 0, top / 2, top, 2 * top, np.nan], np.float32)
    assert colours.to_uint8(core).tolist() in ([0, 0, 128, 255, 255, 0], [0, 0, 127, 255, 255, 0])
