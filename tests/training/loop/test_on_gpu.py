"""Training on a GPU: halves, the scale of gradients, memory that really runs out, and threads.

Sums on a GPU come in any order, so that nothing is compared bit for bit.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_tessera.training import Trainer, TrainingResult
from napari_tessera.training.loop.checkpoint import read_checkpoint

from .results import after, weights

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

HALVES = ["bfloat16", "float16"]


def losses(result: TrainingResult) -> list[float]:
    return [loss for _, loss, _ in result.losses]


def is_finite(result: TrainingResult) -> bool:
    return all(bool(one.isfinite().all()) for one in weights(result.network).values())


@pytest.mark.parametrize("precision", ["float32", *HALVES])
@pytest.mark.parametrize("dims", [2, 3])
def test_it_learns_the_same_as_on_a_cpu(dims: int, precision: str, small: Any, source: Any) -> None:
    expected = Trainer(source(small(spatial_dims=dims)), small(spatial_dims=dims), device="cpu")
    settings = small(spatial_dims=dims, precision=precision)
    trainer = Trainer(source(settings), settings, device="cuda")
    found = trainer.run()
    assert trainer.precision == precision
    assert losses(found)[0] == pytest.approx(losses(expected.run())[0], rel=0.02)
    assert is_finite(found)
    assert all(math.isfinite(loss) for loss in losses(found))
    assert {one.device.type for one in weights(found.network).values()} == {"cpu"}
    assert {one.dtype for one in found.network.parameters()} == {torch.float32}


def test_what_it_computes_in_is_of_the_gpu(small: Any, source: Any) -> None:
    settings = small(precision="auto")
    trainer = Trainer(source(settings), settings, device="cuda")
    major, _ = torch.cuda.get_device_capability()
    assert trainer.precision == {7: "float16"}.get(major, "bfloat16" if major > 7 else "float32")


@pytest.mark.parametrize("precision", ["float32", *HALVES])
def test_a_state_is_gone_on_with_as_it_was(
    precision: str, small: Any, source: Any, tmp_path: Path
) -> None:
    settings, path = small(precision=precision), tmp_path / "state"
    whole = Trainer(source(settings), settings, device="cuda").run()
    part = Trainer(source(settings), settings, device="cuda", checkpoint=path)
    part.run(cancel=after(5))
    scale = read_checkpoint(path).values["stepping"]["scaler"]
    assert bool(scale) == (precision == "float16")
    rest = Trainer(source(settings), settings, device="cuda", checkpoint=path)
    assert rest._stepper._scaler.state_dict() == part._stepper._scaler.state_dict()
    result = rest.run()
    assert result.step == settings.steps
    assert not result.notices
    assert losses(result)[5:7] == pytest.approx(losses(whole)[5:7], rel=0.05)


@pytest.mark.parametrize(("first", "then"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_another_device_goes_on_and_says_so(
    first: str, then: str, small: Any, source: Any, tmp_path: Path
) -> None:
    settings, path = small(), tmp_path / "state"
    whole = Trainer(source(settings), settings, device=first).run()
    Trainer(source(settings), settings, device=first, checkpoint=path).run(cancel=after(5))
    result = Trainer(source(settings), settings, device=then, checkpoint=path).run()
    (notice,) = result.notices
    assert f"began on {first} and goes on on {then}" in notice
    assert losses(result)[:5] == losses(whole)[:5] or first == "cuda"
    assert losses(result)[5] == pytest.approx(losses(whole)[5], rel=0.05)
    assert result.step == settings.steps


@pytest.fixture
def room() -> Iterator[Callable[[int], None]]:
    """Leaves no more of the GPU's memory to PyTorch than so many bytes."""
    total = torch.cuda.get_device_properties(0).total_memory

    def limit(size: int) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(size / total)

    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("precision", ["float32", *HALVES])
def test_memory_that_runs_out_halves_the_batch(
    precision: str, small: Any, source: Any, room: Callable[[int], None]
) -> None:
    settings = small(precision=precision, features=64, batch_size=256, patch_size=(32, 32), steps=3)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    Trainer(source(settings), settings, device="cuda").run()
    whole = torch.cuda.max_memory_reserved()
    room(torch.cuda.memory_allocated() + whole // 3)
    trainer = Trainer(source(settings), settings, device="cuda")
    result = trainer.run()
    assert trainer._stepper.batch_size < 256
    assert any("memory ran out on cuda" in notice for notice in result.notices)
    assert is_finite(result)
    assert result.step == settings.steps


def test_snapshots_may_be_taken_from_another_thread(small: Any, source: Any) -> None:
    settings = small(steps=60)
    trainer = Trainer(source(settings), settings, device="cuda")
    done = threading.Event()
    finite: list[bool] = []

    def look() -> None:
        while not done.is_set():
            network = trainer.snapshot()
            with torch.no_grad():
                finite.append(bool(network(torch.zeros(1, 1, 16, 16)).isfinite().all()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        result = trainer.run()
    finally:
        done.set()
        thread.join(timeout=60)
    assert finite
    assert all(finite)
    last = weights(trainer.snapshot())
    assert all(torch.equal(last[name], one) for name, one in weights(result.network).items())
