"""Levels beside an output on disk show what an earlier session wrote, too."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import Schedule, run_prediction
from napari_tessera.prediction.run_facts import run_info
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets import live_levels
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.levels_beside import LevelsBeside
from napari_tessera.widgets.save_target import ResolvedTarget
from napari_tessera.writing.stored.stored_run import read_unfinished


class EndsEarly:
    """Sets a run's cancel event after a few tiles."""

    def __init__(self, tiles: int) -> None:
        self.cancel = threading.Event()
        self._left = tiles

    def write_batch(self, dirpath: Path, predictions: list[Any]) -> None:
        self._left -= len(predictions)
        if self._left <= 0:
            self.cancel.set()


@pytest.mark.parametrize("axes", ["YX", "TYX"])
def test_tiles_of_an_earlier_session_are_shown_at_every_level(
    axes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_levels, "LEVELS_FROM", 500)
    monkeypatch.setattr(live_levels, "SMALLEST_SIDE", 200)
    image = noisy((700, 600) if axes == "YX" else (2, 700, 600))
    plan = make_plan(image, axes, patch_size=(64, 64), batch_size=1)
    place = ResolvedTarget(tmp_path / "a.ome.zarr")
    stack, model = ArrayStack(image, axes), load_model(Blur(), device="cpu")
    ends = EndsEarly(15)
    earlier = DiskStore(plan, axes, save=place)
    writers: list[Any] = [(earlier, "."), (ends, ".")]
    run_prediction(plan, stack, model, writers=writers, cancel=ends.cancel)
    stored = read_unfinished(place.path)
    assert stored is not None
    assert 15 <= len(stored.done) < plan.total_tiles

    now = threading.Event()
    store = DiskStore(plan, axes, save=place)
    schedule = Schedule(plan.tiles, done=stored.done)
    now.set()
    run_prediction(
        plan,
        stack,
        model,
        writers=[(store, ".")],
        schedule=schedule,
        cancel=now,
        resume=True,
    )
    # Whatever was not shown before the run was stopped is when it goes on.
    ends = EndsEarly(3)
    schedule = Schedule(plan.tiles, done=stored.done)
    run_prediction(
        plan,
        stack,
        model,
        writers=[(store, "."), (_Waits(), "."), (ends, ".")],
        schedule=schedule,
        cancel=ends.cancel,
        resume=True,
    )
    assert not any(thread.name == "tessera-levels" for thread in threading.enumerate())
    whole, *levels = map(np.asarray, store.data())
    assert np.isfinite(whole).any()
    assert np.isnan(whole).any()
    assert len(levels) == 2
    for level, factor in zip(levels, (2, 4), strict=True):
        np.testing.assert_array_equal(level, whole[..., ::factor, ::factor])


def test_a_part_that_cannot_be_read_back_is_missing_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = noisy((256, 256))
    plan = make_plan(image, "YX", patch_size=(64, 64), overlaps=(0, 0))
    saved = zarr.create_array(
        tmp_path / "saved.zarr", shape=(256, 256), chunks=(64, 64), dtype="float32"
    )
    saved[:] = image
    (tmp_path / "saved.zarr" / "c" / "0" / "1").write_bytes(b"no chunk")
    every = bytearray(b"\1" * plan.tiles.n_tiles)
    info = run_info(
        plan, ArrayStack(image, "YX"), load_model(Blur(), device="cpu"), Schedule(plan.tiles), True
    )
    run = replace(info, done=every)
    beside = LevelsBeside(plan, plan.region, np.dtype("float32"), None, tmp_path / "a.zarr", run)
    beside.start_filling(saved)
    for thread in threading.enumerate():
        if thread.name == "tessera-levels":
            thread.join()
    level, factor = np.asarray(beside.shown("YX")[0]), beside.factor
    expected = image.astype(np.float32)
    expected[:64, 64:128] = np.nan
    np.testing.assert_array_equal(level, expected[::factor, ::factor])
    assert "tile 1 is not shown from afar" in caplog.text


class _Waits:
    """Lets a tile go on when all that was written before is shown."""

    def write_batch(self, dirpath: Path, predictions: list[Any]) -> None:
        for thread in threading.enumerate():
            if thread.name == "tessera-levels":
                thread.join()
