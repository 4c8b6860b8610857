"""Threads, queues, errors and cancellation."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn
from zarr.storage import MemoryStore

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction import CheckWriter, Progress, Schedule, pipeline, run_prediction
from napari_tessera.stacks import ArrayStack, ImageStack
from napari_tessera.writing import ImageRegionData


def image(shape: tuple[int, ...] = (3, 300, 300)) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)


def blur(x: torch.Tensor) -> torch.Tensor:
    """Mean of 3×3, zeros beyond the edge."""
    return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


class Collecting:
    """A writer that keeps the order of events."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def open(self, run: Any) -> None:
        self.events.append("open")

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        self.events += [p.additional_metadata["tile_index"] for p in predictions]

    def close(self, completed: bool) -> None:
        self.events.append(("close", completed))


def engine_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("tessera-")]


@pytest.mark.parametrize(
    ("patch", "batch", "expected"), [(64, 1, 8), (1024, 1, 8), (2048, 1, 2), (1024, 8, 1)]
)
def test_fewer_batches_of_large_tiles_wait_for_the_writers(
    patch: int, batch: int, expected: int
) -> None:
    stack = open_stack(np.broadcast_to(np.uint16(3), (8, 2048, 2048)), "TYX")
    plan = plan_prediction(
        stack, load_model(lambda x: x), patch_size=patch, overlaps=0, batch_size=batch
    )
    # a pixel of float32 for the core, and one for its input
    assert pipeline.room_for_batches(plan) == expected
    bytes_waiting = expected * batch * patch**2 * 8
    assert bytes_waiting <= pipeline.WRITE_QUEUE_BYTES


def test_writers_get_every_tile_in_the_order_of_the_schedule() -> None:
    stack, model = open_stack(image(), "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=64)
    writer, seen = Collecting(), []
    order = list(reversed(range(plan.total_tiles)))
    result = run_prediction(
        plan,
        stack,
        model,
        writers=[(writer, ".")],
        schedule=Schedule(plan.tiles, order=order),
        progress=seen.append,
    )
    assert writer.events == ["open", *order, ("close", True)]
    assert result.completed
    assert result.n_done == result.total == plan.total_tiles
    finished = [index for state in seen for index in state.finished]
    assert finished == order
    assert seen[-1].done == plan.total_tiles
    assert {index for state in seen for index in state.running} == set(order)
    assert not engine_threads()


def test_a_cancel_keeps_what_is_predicted() -> None:
    stack, model = open_stack(image(), "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=64)
    writer, stop = Collecting(), threading.Event()

    def progress(state: Progress) -> None:
        if state.running:
            stop.set()

    result = run_prediction(
        plan, stack, model, writers=[(writer, ".")], cancel=stop, progress=progress
    )
    assert not result.completed
    assert writer.events == ["open", 0, ("close", False)]
    assert not engine_threads()


@pytest.mark.parametrize("tta", ["mean", "disagreement"])
@pytest.mark.parametrize("blending", ["crop", "linear"])
def test_a_cancel_waits_for_no_further_flip(tta: str, blending: str) -> None:
    stop, calls = threading.Event(), 0

    def stopped_at_the_tenth(x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        if begun:
            calls += 1
        if calls == 10:
            stop.set()
        return blur(x)

    begun: list[bool] = []
    stack, model = open_stack(image((3, 100, 100)), "TYX"), load_model(stopped_at_the_tenth)
    settings: dict[str, Any] = {"patch_size": 112, "tta": tta, "blending": blending}
    plan = plan_prediction(stack, model, **settings)
    assert plan.total_tiles == 3
    begun.append(True)
    writer, schedule = Collecting(), Schedule(plan.tiles)
    result = run_prediction(
        plan, stack, model, writers=[(writer, ".")], schedule=schedule, cancel=stop
    )
    assert calls == 10
    assert writer.events == ["open", 0, ("close", False)]
    assert (result.completed, result.n_done, schedule.done()) == (False, 1, [0])
    assert not engine_threads()


class Failing:
    """Fails at the n-th call of one of its parts."""

    def __init__(self, error: BaseException, after: int = 3) -> None:
        self.error, self.left = error, after

    def __call__(self, *args: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


@pytest.mark.parametrize("stage", ["read", "model", "write", "open", "close", "progress"])
@pytest.mark.parametrize("error", [RuntimeError("boom"), OSError("disk"), KeyboardInterrupt()])
def test_an_error_in_any_stage_comes_once_as_itself(stage: str, error: BaseException) -> None:
    fail = Failing(error)
    base = open_stack(image(), "TYX")

    class Stack:
        source, data_shape, data_dtype = base.source, base.data_shape, base.data_dtype
        original_axes, original_data_shape = base.original_axes, base.original_data_shape

        def extract_patch(self, *args: Any) -> np.ndarray:
            if armed and stage == "read":
                fail()
            return base.extract_patch(*args)

    def net(x: torch.Tensor) -> torch.Tensor:
        if armed and stage == "model":
            fail()
        return blur(x)

    class Writer(Collecting):
        def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
            if stage == "write":
                fail()
            super().write_batch(dirpath, predictions)

        def open(self, run: Any) -> None:
            super().open(run)
            if stage == "open":
                raise error

        def close(self, completed: bool) -> None:
            super().close(completed)
            if stage == "close":
                raise error

    armed = False
    stack = Stack()
    assert isinstance(stack, ImageStack)
    model = load_model(net)
    plan = plan_prediction(stack, model, patch_size=64)
    armed = True
    other, writer = Collecting(), Writer()

    def progress(state: Progress) -> None:
        if stage == "progress":
            fail()

    with pytest.raises(type(error)) as raised:
        run_prediction(
            plan,
            stack,
            model,
            writers=[(other, "."), (writer, ".")],
            progress=progress,
        )
    assert raised.value is error
    completed = stage == "close"
    assert other.events[-1] == ("close", completed)
    assert sum(1 for event in other.events if event == ("close", completed)) == 1
    assert not engine_threads()


@pytest.mark.parametrize("looks", [0, 1])
def test_what_fails_before_the_first_tile_leaves_no_writer_open(looks: int) -> None:
    """An image that does not say any more how it is stored, whoever asks for it."""
    left = [100]

    class Stack(ArrayStack):
        @property
        def chunks(self) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("its server is gone")

    stack, model = Stack(image(), "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=64)
    left[0] = looks
    writer = Collecting()
    with pytest.raises(OSError, match="its server is gone"):
        run_prediction(plan, stack, model, writers=[(writer, ".")])
    assert writer.events in ([], ["open", ("close", False)])
    assert not engine_threads()


def test_a_thread_that_the_system_does_not_grant_leaves_no_writer_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, model = open_stack(image(), "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=64)
    writer = Collecting()

    def refused(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pipeline, "Thread", refused)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run_prediction(plan, stack, model, writers=[(writer, ".")])
    assert writer.events == ["open", ("close", False)]


def test_an_interrupt_while_the_last_tiles_are_written_still_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl+C comes to the main thread, which waits for the writer by then."""
    stack, model = open_stack(image(), "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=64)
    writer = Collecting()
    wait = pipeline._WriterThread.join
    waits = []

    def interrupted(self: pipeline._WriterThread) -> None:
        waits.append(None)
        if len(waits) == 1:
            raise KeyboardInterrupt
        wait(self)

    monkeypatch.setattr(pipeline._WriterThread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_prediction(plan, stack, model, writers=[(writer, ".")])
    assert writer.events[-1] == ("close", False)
    assert len(writer.events) == plan.total_tiles + 2
    assert not engine_threads()


def test_nan_stays_where_it_is_and_is_counted() -> None:
    values = image((80, 80))
    values[10, 20] = np.nan
    values[30:32, 40] = np.inf
    with pytest.warns(
        UserWarning, match="3 pixels of the image are NaN, infinite or beyond float32"
    ):
        out = predict(open_stack(values, "YX"), blur)
    assert np.isnan(out[10, 20])
    assert np.isposinf(out[30:32, 40]).all()
    assert np.isfinite(out).sum() == out.size - 3
    assert np.ptp(out[np.isfinite(out)]) < 80


def test_what_is_beyond_float32_is_counted_and_told_of_as_that() -> None:
    values = image((80, 80)).astype(np.float64)
    values[10, 20] = 1e300
    values[40, 5] = -1e39
    with pytest.warns(UserWarning, match="2 pixels of the image .* beyond float32"):
        out = predict(open_stack(values, "YX"), blur)
    assert np.isposinf(out[10, 20])
    assert np.isneginf(out[40, 5])
    assert np.isfinite(out).sum() == out.size - 2


def test_absent_chunks_are_counted_and_told() -> None:
    store = MemoryStore()
    values = image((2, 96, 96)).astype(np.float32)
    array = zarr.create_array(
        store, shape=values.shape, chunks=(1, 32, 32), dtype="f4", fill_value=3
    )
    array[:, :64] = values[:, :64]
    stack, model = open_stack(array, "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=48, region={"T": 0})
    seen: list[Progress] = []
    result = run_prediction(plan, stack, model, progress=seen.append)
    assert result.absent_chunks == seen[-1].absent_chunks == stack.absent_chunks
    assert 3 <= result.absent_chunks <= 6, "those of the plan's sample of the image too"
    told = rf"{stack.source} are not in the store and were read as the fill value 3\.0"
    with pytest.warns(UserWarning, match=rf"6 chunks of {told}"):
        out = predict(open_stack(array, "TYX"), blur)
    assert out.shape == values.shape


def test_the_check_readings() -> None:
    noisy = image((1, 256, 256))
    stack, model = open_stack(noisy, "TYX"), load_model(blur)
    plan = plan_prediction(stack, model, patch_size=64)
    checks = CheckWriter()
    assert checks.readings().tiles == 0
    run_prediction(plan, stack, model, writers=[(checks, ".")])
    readings = checks.readings()
    assert readings.tiles == plan.total_tiles
    # The mean of 3×3 loses light at the border, where it counts zeros in.
    assert 0.98 < readings.intensity_kept < 1
    assert readings.intensity_ok

    structured = np.indices((256, 256)).sum(axis=0)[None] % 32 * 50 + noisy
    stack = open_stack(structured.astype(np.float32), "TYX")
    lossy = CheckWriter()
    run_prediction(
        plan_prediction(stack, load_model(_half), patch_size=64),
        stack,
        load_model(_half),
        writers=[(lossy, ".")],
    )
    assert not lossy.readings().intensity_ok
    assert not lossy.readings().residual_ok


def test_tiles_of_nothing_finite_give_no_reading() -> None:
    values = np.full((1, 128, 128), np.nan, np.float32)
    stack, model = open_stack(values, "TYX"), load_model(blur)
    checks = CheckWriter()
    plan = plan_prediction(stack, model, patch_size=64)
    run_prediction(plan, stack, model, writers=[(checks, ".")])
    assert checks.readings().tiles == 0


def _half(x: torch.Tensor) -> torch.Tensor:
    return x / 2


def test_the_residual_of_white_noise_removed_is_not_correlated() -> None:
    smooth = np.full((1, 256, 256), 100, np.float32)
    noisy = smooth + np.random.default_rng(0).normal(0, 10, smooth.shape).astype(np.float32)
    stack, model = open_stack(noisy, "TYX"), load_model(_constant)
    checks = CheckWriter()
    run_prediction(
        plan_prediction(stack, model, patch_size=64), stack, model, writers=[(checks, ".")]
    )
    assert abs(checks.readings().residual_correlation) < 0.02
    assert checks.readings().residual_ok
    assert checks.readings().intensity_ok


def _constant(x: torch.Tensor) -> torch.Tensor:
    return x * 0 + 100


def test_threads_of_torch_are_put_back() -> None:
    before = torch.get_num_threads()
    predict(open_stack(image((40, 40)), "YX"), blur, torch_threads=before + 1)
    assert torch.get_num_threads() == before


def test_integer_output_rounds_and_clips() -> None:
    values = np.random.default_rng(0).integers(0, 256, (50, 60)).astype(np.uint8)
    exact = predict(open_stack(values, "YX"), _scaled)
    out = predict(open_stack(values, "YX"), _scaled, output_dtype="input")
    assert out.dtype == np.uint8
    assert np.array_equal(out, np.clip(np.rint(exact), 0, 255).astype(np.uint8))


def _scaled(x: torch.Tensor) -> torch.Tensor:
    return x * 1.3 - 20
