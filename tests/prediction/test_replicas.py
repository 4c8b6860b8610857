"""Tiles shared by the same model on several devices, here the CPU: the same bytes as by one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict_to_disk
from napari_tessera.models import Model
from napari_tessera.prediction import (
    PredictionPlan,
    Progress,
    RunResult,
    Schedule,
    iter_predictions,
    run_prediction,
)
from napari_tessera.prediction.inference import StoppedError, TileModel
from napari_tessera.prediction.order import visible_first
from napari_tessera.prediction.plan import PlanError
from napari_tessera.prediction.replicas import Replicas, at_models
from napari_tessera.writing import ArrayWriter


class Leaning(nn.Module):
    """A small network that no flip or turn leaves as it is."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def image(shape: tuple[int, ...] = (5, 100, 118)) -> np.ndarray:
    return np.random.default_rng(3).normal(100, 10, shape).astype(np.float32)


def planned(net: Any, device: str = "cpu,cpu", **settings: Any) -> Any:
    stack = open_stack(image(), "TYX")
    model = load_model(net, device=device, spatial_dims=2, in_channels=1)
    given = {"patch_size": 48, "overlaps": 16, **settings}
    return stack, model, plan_prediction(stack, model, **given)


def run(plan: PredictionPlan, stack: Any, model: Any, **given: Any) -> tuple[np.ndarray, RunResult]:
    array = np.full(plan.region.selected_shape, np.nan, np.float32)
    writers = [(ArrayWriter(array, plan.region), ".")]
    return array, run_prediction(plan, stack, model, writers=writers, **given)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    ("joining", "tta", "batch_size"),
    [("crop", "none", 1), ("crop", "mean", 3), ("linear", "none", 2), ("gaussian", "median", 1)],
)
def test_the_bytes_are_those_of_one(count: int, joining: str, tta: str, batch_size: int) -> None:
    settings: dict[str, Any] = {"blending": joining, "tta": tta, "batch_size": batch_size}
    stack, model, plan = planned(Leaning(), ",".join(["cpu"] * count), **settings)
    expected, _ = run(plan, stack, model.to("cpu"))
    seen: list[Progress] = []
    found, result = run(plan, stack, model, progress=seen.append)
    assert result.completed
    assert found.tobytes() == expected.tobytes()
    finished = [index for state in seen for index in state.finished]
    assert sorted(finished) == list(range(plan.total_tiles))


class Meeting(nn.Module):
    """Goes on once so many calls are inside at the same time; shared by its copies."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__()
        self.barrier = [barrier]
        self.is_met = [False]
        self.threads: set[str] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> Meeting:
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        name = threading.current_thread().name
        if name.startswith("tessera-model"):
            self.threads.add(name)
            if not self.is_met[0]:
                self.barrier[0].wait(20)
                self.is_met[0] = True
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


@pytest.mark.parametrize("count", [2, 3])
def test_replicas_are_at_work_at_the_same_time(count: int) -> None:
    net = Meeting(threading.Barrier(count))
    stack, model, plan = planned(net, ",".join(["cpu"] * count))
    _, result = run(plan, stack, model)
    assert result.completed
    assert net.threads == {f"tessera-model-{i}" for i in range(count)}


def test_one_tile_at_a_time_is_asked_of_one_replica() -> None:
    """As the live preview does: in the thread that asks."""
    net = Meeting(threading.Barrier(2))
    stack, model, plan = planned(net)
    assert len(list(iter_predictions(plan, stack, model))) == plan.total_tiles
    assert net.threads == set()


class Failing(nn.Module):
    """Raises at a call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.errors: list[Exception] = []
        self.lock = [threading.Lock()]
        self.fails_at = [10**9]

    def __deepcopy__(self, memo: dict[int, Any]) -> Failing:
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with self.lock[0]:
            self.calls.append(1)
            number = len(self.calls)
        if number >= self.fails_at[0]:
            error = ValueError(f"call {number} failed")
            self.errors.append(error)
            raise error
        return x + 1


@pytest.mark.parametrize("joining", ["crop", "linear"])
def test_an_error_surfaces_once_and_stops_the_others(joining: str) -> None:
    net = Failing()
    stack, model, plan = planned(net, blending=joining)
    net.calls.clear()
    net.fails_at[0] = 4
    schedule, seen = Schedule(plan.tiles), list[Progress]()
    threads = threading.active_count()
    with pytest.raises(ValueError, match=r"call [45] failed") as failed:
        run(plan, stack, model, schedule=schedule, progress=seen.append)
    assert failed.value in net.errors
    assert len(net.errors) <= 2, "each replica fails once at most"
    assert threading.active_count() == threads
    assert seen[-1].failed
    left = schedule.next(plan.total_tiles)
    assert len(left) == plan.total_tiles - schedule.n_done
    net.fails_at[0] = 10**9
    assert run(plan, stack, model)[1].completed


@pytest.mark.parametrize("tta", ["none", "mean"])
def test_a_cancel_keeps_what_is_predicted(tta: str) -> None:
    stop, net = threading.Event(), Leaning()
    stack, model, plan = planned(net, tta=tta)
    expected, _ = run(plan, stack, model.to("cpu"))
    schedule = Schedule(plan.tiles)

    def progress(state: Progress) -> None:
        if state.done >= 3:
            stop.set()

    found, result = run(plan, stack, model, schedule=schedule, cancel=stop, progress=progress)
    assert not result.completed
    assert 3 <= result.n_done < plan.total_tiles
    there = ~np.isnan(found)
    assert np.array_equal(found[there], expected[there])
    assert int(there.sum()) > 0
    again, result = run(plan, stack, model, schedule=schedule)
    assert result.completed
    assert np.array_equal(np.where(there, found, again), expected)


@pytest.mark.parametrize("joining", ["crop", "linear"])
def test_after_a_change_of_view_a_batch_of_the_old_one_starts_per_device(joining: str) -> None:
    started: list[np.ndarray] = []
    changed_at: list[int] = []
    lock = threading.Lock()

    def net(x: torch.Tensor) -> torch.Tensor:
        with lock:
            started.append(x.numpy().copy())
            if schedules and not changed_at and len(started) == 6:
                changed_at.append(len(started))
                seen = visible_first(schedules[0].tiles, {"T": 4}, {"Y": 70, "X": 70})
                schedules[0].reorder(seen)
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)

    schedules: list[Schedule] = []
    stack, model, plan = planned(net, blending=joining, normalization="none")
    expected, _ = run(plan, stack, model.to("cpu"))
    started.clear()
    schedules.append(Schedule(plan.tiles))
    found, result = run(plan, stack, model, schedule=schedules[0])
    assert result.completed
    assert found.tobytes() == expected.tobytes()
    behind = started[changed_at[0] :]
    new = [tile[0, 0, :20, :20].tobytes() in tops(plan, 4) for tile in behind]
    # one per device that waited for it, and one that may have been on its way
    assert new.index(True) <= 3
    assert all(new[new.index(True) :][:9])


def tops(plan: PredictionPlan, plane: int) -> set[bytes]:
    """The near corners of the tiles of a plane."""
    found = set()
    for index in range(plan.total_tiles):
        if plan.tiles.block(index)[0].start == plane:
            y, x = plan.tiles.spec(index)["coords"]
            found.add(image()[plane, y : y + 20, x : x + 20].tobytes())
    return found


class Tight(nn.Module):
    """Has room for few pixels in the thread of the first replica."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if threading.current_thread().name == "tessera-model-0" and x[:, 0].numel() > 48 * 48:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def test_a_lack_of_memory_on_one_does_not_hurt_the_other() -> None:
    stack, model, plan = planned(Tight(), batch_size=4)
    expected, _ = run(plan, stack, model.to("cpu"))
    found, result = run(plan, stack, model)
    assert result.completed
    assert np.array_equal(found, expected)
    # the first replica may have had no batch at all
    assert all("tiles at once" in notice for notice in result.notices)


def test_known_cores_and_checks_of_precision() -> None:
    stack, model, plan = planned(Leaning())
    expected, _ = run(plan, stack, model)
    known = {
        region.additional_metadata["tile_index"]: region
        for region in iter_predictions(plan, stack, model)
        if region.additional_metadata["tile_index"] % 3
    }
    found, result = run(plan, stack, model, known=known)
    assert result.completed
    assert found.tobytes() == expected.tobytes()
    with pytest.raises(
        PlanError, match="the plan is for float32, the model is loaded for bfloat16"
    ):
        at_models(plan, model.to("cpu,cpu", "bfloat16").replicas, threading.Event())


def test_models_of_channels_and_a_resume(tmp_path: Any) -> None:
    pixels = np.random.default_rng(1).normal(100, 10, (2, 100, 120)).astype(np.float32)
    stack = open_stack(pixels, "CYX")
    models = load_model({0: Leaning(), 1: nn.AvgPool2d(3, 1, 1)}, device="cpu,cpu")
    plan = plan_prediction(stack, models, patch_size=48, overlaps=16, batch_size=2)
    expected, _ = run(plan, stack, models.to("cpu"))
    stop = threading.Event()
    path = tmp_path / "out.ome.zarr"
    predict_to_disk(
        stack,
        models,
        path,
        plan=plan,
        cancel=stop,
        progress=lambda state: stop.set() if state.done > 2 else None,
    )
    predict_to_disk(stack, models, path, plan=plan, resume=True)
    import zarr

    assert np.array_equal(zarr.open_array(path / "0", mode="r")[:], expected)


def test_a_thread_that_cannot_begin_is_an_error_and_no_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, model, plan = planned(Leaning())

    def broken(count: int | None) -> Any:
        raise OSError("no threads left")

    monkeypatch.setattr("napari_tessera.models.threads.own_threads", broken)
    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="no threads left"):
        pool.submit(run, plan, stack, model).result(30)


def test_a_thread_that_the_system_does_not_grant_ends_those_that_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, model, plan = planned(Leaning())
    begun: list[str] = []

    class Few(threading.Thread):
        def start(self) -> None:
            if begun:
                raise RuntimeError("can't start new thread")
            begun.append(self.name)
            super().start()

    monkeypatch.setattr("napari_tessera.prediction.replicas.Thread", Few)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run(plan, stack, model)
    assert begun == ["tessera-model-0"]
    assert not [each for each in threading.enumerate() if each.name == begun[0]]


def test_what_no_replica_took_is_not_waited_for_for_ever() -> None:
    """Neither batches that were there as all ended, nor those that come later."""
    _, model, plan = planned(Leaning())
    replicas = at_models(plan, model.replicas, threading.Event())
    assert isinstance(replicas, Replicas)
    # no thread is there yet to take them
    early = [replicas.begin([]) for _ in range(3)]
    replicas.__exit__(None, None, None)
    late = replicas.begin_whole([])
    with ThreadPoolExecutor(1) as pool:
        for wait in (*early, late):
            with pytest.raises(StoppedError):
                pool.submit(wait).result(30)


def test_batches_of_a_thread_that_dies_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it had begun, too: of several at the model, all but one are waited for later."""
    stack, model, plan = planned(Leaning())
    asked: list[int] = []

    def depth(tile_model: TileModel) -> int:
        asked.append(1)
        if len(asked) > 3:
            raise OSError("the device is gone")
        return 9

    monkeypatch.setattr(TileModel, "depth", property(depth))
    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="the device is gone"):
        pool.submit(run, plan, stack, model).result(30)


def test_one_replica_is_the_model_itself() -> None:
    _, model, plan = planned(Leaning(), "cpu")
    assert isinstance(model, Model)
    assert not isinstance(at_models(plan, model.replicas, threading.Event()), Replicas)
