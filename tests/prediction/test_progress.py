"""What a run tells of how far and how fast it is, and of what it waits for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.prediction import PredictionPlan, Progress, Schedule, run_prediction
from napari_tessera.prediction.batches import Clock
from napari_tessera.prediction.joining import Predicted
from napari_tessera.prediction.progress import DeviceMemory, Tally
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import ImageRegionData


def blur(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def planned(model: Any = blur, **settings: Any) -> tuple[ArrayStack, Any, PredictionPlan]:
    image = np.random.default_rng(0).normal(100, 10, (3, 150, 150)).astype(np.float32)
    stack, loaded = open_stack(image, "TYX"), load_model(model)
    return stack, loaded, plan_prediction(stack, loaded, patch_size=64, **settings)


class Failing:
    """A writer that fails at its third batch."""

    def __init__(self) -> None:
        self.batches = 0

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        self.batches += 1
        if self.batches == 3:
            raise OSError("no space left")


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("stage", ["read", "model", "write"])
def test_tiles_at_work_when_an_error_came_have_failed_and_wait_again(
    stage: str, batch_size: int
) -> None:
    armed: list[int] = []

    def net(x: torch.Tensor) -> torch.Tensor:
        armed[:] = [count + 1 for count in armed]
        if stage == "model" and armed == [3]:
            raise RuntimeError("cannot be multiplied")
        return blur(x)

    stack, model, plan = planned(net, batch_size=batch_size)
    third = tuple(range(2 * batch_size, 3 * batch_size))
    read, wrong = stack.extract_patch, plan.tiles.spec(third[0])

    def extract(sample: int, channels: Any, coords: Any, size: Any) -> Any:
        if stage == "read" and (sample, *coords) == (wrong["sample_idx"], *wrong["coords"]):
            raise OSError("connection lost")
        return read(sample, channels, coords, size)

    stack.extract_patch = extract  # type: ignore[method-assign]
    armed.append(0)
    seen: list[Progress] = []
    schedule = Schedule(plan.tiles)
    writers = [(Failing(), ".")] if stage == "write" else []
    with pytest.raises((OSError, RuntimeError), match=r"multiplied|connection|space"):
        run_prediction(plan, stack, model, writers=writers, schedule=schedule, progress=seen.append)
    assert (seen[-1].failed, seen[-1].running, seen[-1].finished) == (third, (), ())
    assert all(state.failed == () for state in seen[:-1])
    done = [index for state in seen for index in state.finished]
    assert schedule.done() == sorted(done)
    missing = sorted(set(range(plan.total_tiles)) - set(done))
    assert schedule.next(plan.total_tiles) == missing
    assert set(third) <= set(missing)


def test_a_stop_by_hand_is_no_failure() -> None:
    stack, model, plan = planned()
    seen: list[Progress] = []

    def progress(state: Progress) -> None:
        seen.append(state)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_prediction(plan, stack, model, progress=progress)
    assert all(state.failed == () for state in seen)


class Stopped:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    return Stopped(monkeypatch)


def tally_of(seen: list[Progress]) -> tuple[Tally, Clock, Schedule]:
    stack, _, plan = planned()
    schedule, clock = Schedule(plan.tiles), Clock()
    return Tally(schedule, stack, clock, [torch.device("cpu")], seen.append), clock, schedule


def core(index: int, known: bool = False) -> Predicted:
    region = ImageRegionData(
        np.zeros((1, 500, 1000), np.float32),
        "",
        (),
        "",
        "",
        (),
        {},
        {},  # type: ignore[typeddict-item]
    )
    return Predicted(index, region, 2, known)


def test_speeds_leave_out_the_warm_up_and_what_was_known(by_hand: Stopped) -> None:
    seen: list[Progress] = []
    tally, clock, schedule = tally_of(seen)
    by_hand.now += 1
    tally.finish([core(0, known=True)])
    by_hand.now += 7
    clock.held.update(read=0.5, model=6.0, write=0.0)
    assert seen[-1].warm_up_seconds is None
    tally.finish([core(1), core(2)])
    first = seen[-1]
    assert (first.done, first.pixels, first.seconds, first.warm_up_seconds) == (3, 10**6, 8, 8)
    assert first.tiles_per_second is first.megapixels_per_second is first.seconds_left is None
    assert first.bottleneck is None
    by_hand.now += 2
    clock.held.update(read=1.9, model=6.5)
    tally.finish([core(3), core(4), core(5, known=True), core(6), core(7)])
    last = seen[-1]
    assert last.total == schedule.n_tiles == 27
    assert last.done == 8
    assert (last.measured_tiles, last.measured_pixels, last.measured_seconds) == (4, 2 * 10**6, 2)
    assert (last.tiles_per_second, last.megapixels_per_second) == (2.0, 1.0)
    assert last.seconds_left == 19 / 2
    assert last.bottleneck == "read"
    assert tally.nonfinite == 16


@pytest.mark.parametrize("stage", ["read", "model", "write"])
def test_what_a_run_waits_for_is_named(stage: str) -> None:
    """The slow part is really slow: it waits for a tick of a timer that others do not."""
    pause = threading.Event()

    def slowly() -> None:
        pause.wait(0.02)

    class Writer:
        def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
            if stage == "write":
                slowly()

    def net(x: torch.Tensor) -> torch.Tensor:
        if stage == "model" and armed:
            slowly()
        return blur(x)

    armed: list[bool] = []
    stack, model, plan = planned(net, reader_threads=1)
    read = stack.extract_patch

    def extract(*args: Any) -> Any:
        if stage == "read":
            slowly()
        return read(*args)

    stack.extract_patch = extract  # type: ignore[method-assign]
    armed.append(True)
    seen: list[Progress] = []
    run_prediction(plan, stack, model, writers=[(Writer(), ".")], progress=seen.append)
    assert seen[-1].bottleneck == stage
    assert seen[-1].device_bytes is None


def test_a_cpu_tells_no_memory() -> None:
    assert DeviceMemory([torch.device("cpu")]).used() is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_a_gpu_is_the_most_since_the_run_began() -> None:
    device = torch.device("cuda")
    torch.empty(10**9, dtype=torch.uint8, device=device)
    memory = DeviceMemory([device])
    kept = torch.empty(10**8, dtype=torch.uint8, device=device)
    del kept
    used = memory.used()
    assert used is not None
    assert 10**8 <= used < 10**9
