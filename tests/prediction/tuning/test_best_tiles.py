"""Which tiles are the fastest: with a clock of the test's own, and with real networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

import pytest
import torch
from torch import nn

from napari_tessera.models import Model, load_model, short_memory
from napari_tessera.models.cache import Facts
from napari_tessera.prediction.tuning import best_tiles as module
from napari_tessera.prediction.tuning.best_tiles import Tuned, best_tiles
from napari_tessera.prediction.tuning.remembered import remember, remembered
from napari_tessera.prediction.tuning.stopping import MeasuringStoppedError
from napari_tessera.prediction.tuning.timing import in_turn

Shape = tuple[int, ...]


@pytest.fixture
def conv() -> Model:
    return load_model(nn.Conv2d(1, 1, 3, padding=1), device="cpu")


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tuned]:
    """Measure with a time for each shape; time passes only there."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "in_turn", partial(in_turn, clock=lambda: now[0]))

    def run(model: Any, cost: Callable[[Shape], float], *words: Any, **settings: Any) -> Tuned:
        def measure(model: Any, shape: Shape) -> Callable[[], None]:
            def do() -> None:
                now[0] += cost(shape)

            return do

        return best_tiles(model, *words, measure=measure, **settings)

    return run


def area(shape: Shape) -> int:
    return shape[0] * shape[-1] * shape[-2]


def test_the_overlap_counts(conv: Model, costs: Any) -> None:
    """A machine that needs as long for each pixel of a tile has less to do with large tiles."""
    tuned = costs(conv, lambda shape: 1e-7 * area(shape), (4000, 4000), overlaps=(32, 32))
    speeds = [one.pixels_per_second for one in tuned.table]
    assert [area((1, *one.patch_size)) for one in tuned.table] == sorted(
        area((1, *one.patch_size)) for one in tuned.table
    )
    assert tuned.best == max(tuned.table, key=lambda one: one.pixels_per_second)
    assert tuned.patch_size[0] > 500
    assert speeds[0] < 0.7 * tuned.pixels_per_second
    assert (tuned.before, tuned.gain) == (None, 1.0)


def test_large_tiles_that_fall_out_of_the_cache_lose(conv: Model, costs: Any) -> None:
    def cost(shape: Shape) -> float:
        return area(shape) * (1e-7 if area(shape) < 300**2 else 3e-7)

    tuned = costs(conv, cost, None, at_hand=((512, 512), 1))
    assert tuned.patch_size == (256, 256)
    assert tuned.before is not None
    assert tuned.before.patch_size == (512, 512)
    assert tuned.gain == pytest.approx(3, rel=0.05)


def test_what_is_hardly_faster_changes_nothing(conv: Model, costs: Any) -> None:
    tuned = costs(conv, lambda shape: 1e-7 * area(shape), (4000, 4000), at_hand=((670, 670), 1))
    assert tuned.patch_size == (670, 670)
    assert tuned.best is tuned.before
    assert tuned.gain == 1.0


def test_tiles_that_take_too_long_to_watch_are_not_taken(conv: Model, costs: Any) -> None:
    """Larger than automatic tiles ever are, and half a second and more each."""
    tuned = costs(conv, lambda shape: 1e-6 * area(shape) ** 0.9, None, seconds=60.0)
    assert max(one.patch_size for one in tuned.table) == (1024, 1024)
    assert tuned.best.seconds < 0.5


def test_memory_that_runs_out_ends_the_larger_ones(conv: Model, costs: Any) -> None:
    def cost(shape: Shape) -> float:
        if area(shape) > 300**2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return 1e-7 * area(shape)

    tuned = costs(conv, cost)
    assert tuned.patch_size == (256, 256)
    assert tuned.left_out == ((384, 384), (512, 512), (768, 768), (1024, 1024))
    with pytest.raises(MemoryError):
        costs(conv, lambda shape: (_ for _ in ()).throw(MemoryError("nothing is left")))
    with pytest.raises(ValueError, match="broken"):
        costs(conv, lambda shape: (_ for _ in ()).throw(ValueError("broken")))


def test_no_more_than_half_of_the_memory_is_taken(
    conv: Model, costs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = int(2 * 300**2 * conv.memory_per_pixel)
    monkeypatch.setattr(module, "free_for", lambda model: free)
    seen: list[Shape] = []
    tuned = costs(conv, lambda shape: seen.append(shape) or 1e-7 * area(shape))
    assert tuned.patch_size == (256, 256)
    assert max(map(area, seen)) < 300**2


def test_what_is_at_hand_is_measured_first_whatever_it_takes(conv: Model, costs: Any) -> None:
    seen: list[Shape] = []

    def cost(shape: Shape) -> float:
        seen.append(shape)
        return 1e-4 * area(shape)

    tuned = costs(conv, cost, at_hand=((500, 500), 1), seconds=8.0)
    assert seen[0][-2:] == (500, 500)
    assert tuned.before is not None
    assert tuned.best == tuned.before
    assert tuned.table == (tuned.before,)

    def too_large(shape: Shape) -> float:
        if area(shape) > 300**2:
            raise MemoryError
        return 1e-7 * area(shape)

    tuned = costs(conv, too_large, at_hand=((500, 500), 1))
    assert (tuned.before, tuned.patch_size) == (None, (256, 256))


def test_time_that_is_short_ends_the_larger_ones(conv: Model, costs: Any) -> None:
    seen: list[Shape] = []

    def cost(shape: Shape) -> float:
        seen.append(shape)
        return 1e-4 * area(shape)

    tuned = costs(conv, cost, seconds=8.0)
    assert {shape[-2:] for shape in seen} == {(128, 128)}
    assert tuned.patch_size == (128, 128)
    assert tuned.best.runs >= 1


class OnAccelerator:
    """A model that says that it is on an accelerator."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.device = torch.device("mps")
        self.replicas = (self,)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def test_batches_are_measured_on_accelerators(
    conv: Model, costs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_memory, "give_back", lambda device: None)
    launching, batches = 0.01, set()

    def cost(shape: Shape) -> float:
        batches.add(shape[0])
        return launching + 1e-9 * area(shape)

    tuned = costs(OnAccelerator(conv), cost, (20_000, 20_000))
    assert batches == {1, 2, 4, 8, 16}
    assert tuned.batch_size == 16
    small = costs(OnAccelerator(conv), cost, (3000, 2000))
    assert small.batch_size <= 4
    batches.clear()
    assert costs(conv, cost, (20_000, 20_000)).batch_size == 1
    assert batches == {1}


def test_flips_are_so_many_runs(conv: Model, costs: Any) -> None:
    def cost(shape: Shape) -> float:
        return 1e-7 * area(shape)

    once, flipped = (costs(conv, cost, (400, 400), tta=tta) for tta in ("none", "mean"))
    assert once.pixels_per_second == pytest.approx(8 * flipped.pixels_per_second)


def test_a_real_network_at_real_speed() -> None:
    model = load_model(nn.Conv3d(2, 2, 3, padding=1), device="cpu")
    said: list[float] = []
    tuned = best_tiles(
        model,
        (20, 90, 100),
        samples=3,
        at_hand=((16, 64, 64), 1),
        torch_threads=1,
        seconds=0.5,
        progress=lambda progress: said.append(progress.part),
    )
    assert tuned.before is not None
    assert tuned.before.patch_size == (16, 64, 64)
    assert tuned.gain >= 1
    assert len(tuned.patch_size) == 3
    assert said == sorted(said)
    assert 0 <= said[0] <= said[-1] <= 1


@pytest.mark.parametrize(("asked", "seen"), [(None, 1), (2, 2)])
def test_a_network_with_little_to_compute_is_measured_as_it_is_run(
    conv: Model, asked: int | None, seen: int
) -> None:
    torch.set_num_threads(2)
    threads: set[int] = set()

    def measure(model: Any, shape: Shape) -> Callable[[], None]:
        return lambda: threads.add(torch.get_num_threads())

    best_tiles(conv, (64, 64), torch_threads=asked, seconds=0.2, measure=measure)
    assert threads == {seen}
    assert torch.get_num_threads() == 2


def test_it_can_be_stopped(conv: Model) -> None:
    cancel = Event()
    runs: list[Shape] = []

    def measure(model: Any, shape: Shape) -> Callable[[], None]:
        def do() -> None:
            runs.append(shape)
            cancel.set()

        return do

    with pytest.raises(MeasuringStoppedError):
        best_tiles(conv, (500, 500), cancel=cancel, measure=measure)
    assert len(set(runs)) == 1


def test_what_was_found_is_remembered_by_model_device_and_axes(conv: Model, costs: Any) -> None:
    tuned = costs(conv, lambda shape: 1e-7 * area(shape))
    name = "0" * 60 + "cafe"
    assert remembered(name, "cpu", "float32", 2) is None
    remember(name, "cpu", "float32", tuned)
    found = remembered(name, "cpu", "float32", 2)
    assert found is not None
    assert (found.patch_size, found.batch_size) == (tuned.patch_size, tuned.batch_size)
    assert remembered(name, "cpu", "float32", 3) is None
    assert remembered(name, "cuda:0", "float32", 2) is None
    assert remembered(name, "cpu", "bfloat16", 2) is None
    assert remembered("1" * 64, "cpu", "float32", 2) is None


@pytest.mark.parametrize(
    "kept",
    [
        {"patch_size": [0, 5], "batch_size": 1, "pixels_per_second": 1.0},
        {"patch_size": [5], "batch_size": 1, "pixels_per_second": 1.0},
        {"patch_size": [5, 5], "batch_size": True, "pixels_per_second": 1.0},
        {"patch_size": [5, 5], "batch_size": 1, "pixels_per_second": "fast"},
        {"batch_size": 1},
        [5, 5],
    ],
)
def test_what_is_damaged_is_nothing(kept: Any) -> None:
    name = "2" * 64
    Facts(f"{name}-tuned").put("2D cpu float32", kept)
    assert remembered(name, "cpu", "float32", 2) is None
