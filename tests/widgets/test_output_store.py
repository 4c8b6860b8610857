"""Where an output goes: memory, a part of it, or disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
from tests.widgets.conftest import Blur, make_plan, noisy, run_into

from napari_tessera.models import load_model
from napari_tessera.prediction import PlanError, predict
from napari_tessera.region import Region
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.output_store import (
    PREVIEW_BYTES,
    StoreChoice,
    choose_store,
    make_store,
)
from napari_tessera.widgets.save_target import ResolvedTarget


class Memory(NamedTuple):
    available: int


@pytest.fixture
def free_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_available(n_bytes: int) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(n_bytes))

    return set_available


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


def test_a_preview_of_a_large_image_does_not_wait_for_all_of_it() -> None:
    image = np.broadcast_to(np.uint8(7), (40, 2048, 2048))
    preview = make_plan(image, "ZYX", region={"Z": 3, "Y": slice(0, 300), "X": slice(0, 300)})
    whole_size = image.size * 4
    assert whole_size > PREVIEW_BYTES
    assert choose_store(preview) == StoreChoice("area", 300 * 300 * 4)


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


class Disks(NamedTuple):
    free: dict[Path, int]

    def usage(self, folder: Path) -> Any:
        class Usage(NamedTuple):
            free: int

        return Usage(self.free.get(Path(folder), 0))


@pytest.mark.parametrize("available", [0, 10**9])
def test_what_is_saved_needs_room_where_it_is_saved_and_only_there(
    free_memory: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    available: int,
) -> None:
    free_memory(available)
    plan = make_plan(noisy((64, 64)), "YX")
    save = ResolvedTarget(tmp_path / "a.ome.zarr")
    disks = Disks({tmp_path: plan.output_bytes})
    monkeypatch.setattr("shutil.disk_usage", disks.usage)
    store = make_store(plan, "YX", save=save)
    if isinstance(store, DiskStore):
        assert (store.path, store.is_temporary) == (save.path, False)
    assert isinstance(store, DiskStore) == (available == 0)
    disks.free[tmp_path] -= 1
    with pytest.raises(PlanError, match=r"16 kB.*save elsewhere, or make room") as error:
        make_store(plan, "YX", save=save)
    assert error.value.field == "save"
    assert str(tmp_path) in str(error.value)


def test_what_is_replaced_or_continued_makes_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = noisy((64, 64))
    plan = make_plan(image, "YX")
    path = tmp_path / "a.ome.zarr"
    run_into(DiskStore(plan, "YX", save=ResolvedTarget(path)), plan, image, "YX")
    held = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    disks = Disks({tmp_path: plan.output_bytes - held})
    monkeypatch.setattr("shutil.disk_usage", disks.usage)
    assert make_store(plan, "YX", save=ResolvedTarget(path, overwrite=True)).ready
    with pytest.raises(PlanError, match="save elsewhere"):
        make_store(plan, "YX", save=ResolvedTarget(tmp_path / "b.ome.zarr"))


def test_no_room_to_save_leaves_the_preview_before_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = noisy((2, 64, 64))
    plan = make_plan(image, "ZYX", region={"Z": 0})
    store = make_store(plan, "ZYX")
    assert isinstance(store, MemoryStore)
    run_into(store, plan, image, "ZYX")
    monkeypatch.setattr("shutil.disk_usage", Disks({}).usage)
    with pytest.raises(PlanError):
        make_store(plan, "ZYX", None, store, ResolvedTarget(tmp_path / "a.ome.zarr"))
    assert np.isfinite(store.array[0]).all()


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
        store: Any = DiskStore(plan, axes, save=ResolvedTarget(tmp_path / "a.ome.zarr"))
        held = plan.region
    else:
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
