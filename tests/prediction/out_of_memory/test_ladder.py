"""Memory that runs out, rung by rung, in runs of real networks."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.models import Model
from napari_tessera.prediction import PredictionPlan, RunResult, run_prediction
from napari_tessera.prediction.out_of_memory import NoRoomError, Notices, WithinMemory
from napari_tessera.writing import ArrayWriter

from .conftest import SAYS, Blur, Room, Roomy


def image(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(4).normal(100, 10, shape).astype(np.float32)


def as_it_is(net: Any) -> Model:
    """A model that nothing was prepared for, so that calls can be counted."""
    return load_model(net, device="cpu", prepare=False)


def planned(pixels: np.ndarray, net: Any, axes: str = "YX", **given: Any) -> Any:
    """Plan, image and model."""
    model = net if hasattr(net, "for_channel") else as_it_is(net)
    stack = open_stack(pixels, axes)
    return plan_prediction(stack, model, **given), stack, model


def run(plan: PredictionPlan, stack: Any, model: Any, **given: Any) -> tuple[np.ndarray, RunResult]:
    array = np.zeros(plan.region.selected_shape, np.float32)
    writers = [(ArrayWriter(array, plan.region), ".")]
    return array, run_prediction(plan, stack, model, writers=writers, **given)


def without_shortage(room: Room, plan: PredictionPlan, stack: Any, model: Any) -> np.ndarray:
    """What is predicted where memory is enough; forgets the calls."""
    room.is_short = False
    expected, result = run(plan, stack, model)
    assert result.notices == ()
    room.is_short = True
    room.calls.clear()
    room.refused.clear()
    return expected


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """As near as tiles of different sizes are, by kernels that switch with the size."""
    return float(np.abs(one - other).max()) <= 1e-5 * float(np.ptp(other))


def test_a_batch_is_halved_and_stays_so(unet_2d: nn.Module) -> None:
    room = Room(2 * 96 * 96)
    plan, stack, model = planned(
        image((300, 290)), Roomy(unet_2d, room), patch_size=96, batch_size=8
    )
    expected = without_shortage(room, plan, stack, model)
    found, result = run(plan, stack, model)
    assert np.array_equal(found, expected)
    assert set(room.calls) == {(2, 96, 96)}
    assert room.refused == [(8, 96, 96), (4, 96, 96)]
    assert result.notices == (
        "out of memory on cpu with 8 tiles at once: from here on 4 are run at once",
        "out of memory on cpu with 4 tiles at once: from here on 2 are run at once",
    )
    run(plan, stack, model)
    assert room.refused == 2 * [(8, 96, 96), (4, 96, 96)], "a new run tries anew"


def test_halves_are_of_one_shape(unet_2d: nn.Module) -> None:
    room = Room(2 * 96 * 96)
    plan, stack, model = planned(
        image((300, 290)), Roomy(unet_2d, room), patch_size=96, batch_size=5
    )
    expected = without_shortage(room, plan, stack, model)
    found, _ = run(plan, stack, model)
    assert np.array_equal(found, expected)
    assert set(room.calls) == {(2, 96, 96)}


@pytest.mark.parametrize("pixels", [256 * 400, 400 * 250, 240 * 240])
def test_parts_of_large_tiles_are_bit_for_bit_the_tile(unet_2d: nn.Module, pixels: int) -> None:
    room = Room(pixels)
    plan, stack, model = planned(
        image((521, 397)), Roomy(unet_2d, room), patch_size=400, normalization="none"
    )
    expected = without_shortage(room, plan, stack, model)
    found, result = run(plan, stack, model)
    assert np.array_equal(found, expected)
    assert min(min(shape[1:]) for shape in room.calls) >= 160
    assert result.notices == (
        "out of memory on cpu with a single tile: from here on tiles are computed in smaller "
        "parts, with the same result",
    )
    assert len(room.refused) == len(set(room.refused)), "what failed is not tried again"


@pytest.fixture(scope="module")
def roomy_unet(unet_2d: nn.Module) -> tuple[Room, Model]:
    """A model that is measured once."""
    room = Room(2**40)
    return room, load_model(Roomy(unet_2d, room), device="cpu")


@settings(max_examples=15, deadline=None)
@given(st.tuples(st.integers(30, 200), st.integers(30, 200)), st.integers(90**2, 200**2))
def test_parts_of_any_tile_are_the_tile(
    roomy_unet: tuple[Room, Model], shape: tuple[int, int], pixels: int
) -> None:
    room, model = roomy_unet
    room.is_short = False
    plan, stack, model = planned(image(shape), model, patch_size=200, overlaps=56)
    room.pixels = pixels
    expected = without_shortage(room, plan, stack, model)
    found, _ = run(plan, stack, model)
    assert near(found, expected)


class Strided(nn.Module):
    """Looks as far as its kernel is wide, on a grid of its own."""

    def __init__(self, kernel: int, period: int) -> None:
        super().__init__()
        torch.manual_seed(kernel)
        self.net = nn.Conv2d(1, 1, kernel, padding=kernel // 2)
        self.period = period

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        blocks = nn.functional.max_pool2d(x, self.period)
        blocks = nn.functional.interpolate(blocks, scale_factor=self.period)
        return self.net(x + blocks)


@cache
def strided(kernel: int, period: int) -> tuple[Room, Model]:
    """A model that is measured once."""
    room = Room(2**40)
    return room, load_model(Roomy(Strided(kernel, period), room), device="cpu")


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1, 5, 13]),
    st.sampled_from([1, 2, 4, 8]),
    st.tuples(st.integers(40, 130), st.integers(40, 130)),
    st.integers(50**2, 110**2),
)
def test_parts_for_any_reach_and_period(
    kernel: int, period: int, shape: tuple[int, int], pixels: int
) -> None:
    room, model = strided(kernel, period)
    room.is_short = False
    plan, stack, model = planned(image(shape), model, patch_size=128, overlaps=48)
    room.pixels = pixels
    assert plan.alignment == (period, period)
    expected = without_shortage(room, plan, stack, model)
    found, _ = run(plan, stack, model)
    assert near(found, expected)


def test_volumes_in_parts(unet_3d: nn.Module) -> None:
    room = Room(40 * 80 * 80)
    plan, stack, model = planned(
        image((40, 100, 92)), Roomy(unet_3d, room), "ZYX", patch_size=(40, 100, 92), overlaps=0
    )
    expected = without_shortage(room, plan, stack, model)
    found, result = run(plan, stack, model)
    assert near(found, expected)
    assert len(result.notices) == 1


@pytest.mark.parametrize(
    ("joining", "tta"),
    [("linear", "none"), ("gaussian", "mean"), ("crop", "disagreement"), ("crop", "median")],
)
def test_blending_and_flips_on_every_rung(
    joining: str, tta: str, accelerator: Callable[[Any, Any], None]
) -> None:
    room = Room(60 * 60)
    given: dict[str, Any] = {"patch_size": 64, "overlaps": 16, "batch_size": 4}
    plan, stack, model = planned(
        image((150, 131)), Roomy(Blur(), room), blending=joining, tta=tta, **given
    )
    expected = without_shortage(room, plan, stack, model)
    found, result = run(plan, stack, model)
    assert near(found, expected)
    assert len(result.notices) == 3, "two halvings and parts"
    room.pixels = 0
    accelerator(model, as_it_is(Blur()))
    found, result = run(plan, stack, model)
    assert near(found, expected)
    assert "computed on the CPU" in result.notices[-1]


def test_models_of_channels_come_down_each_for_itself(unet_2d: nn.Module) -> None:
    room = Room(100 * 100)
    given: dict[str, Any] = {"patch_size": 128, "overlaps": 56, "batch_size": 2}
    nets = {0: Roomy(unet_2d, room), 1: Blur()}
    plan, stack, model = planned(
        image((2, 140, 150)), load_model(nets, device="cpu"), "CYX", **given
    )
    expected = without_shortage(room, plan, stack, model)
    found, result = run(plan, stack, model)
    assert near(found, expected)
    assert set(room.calls) != {(1, 128, 128)}
    assert len(result.notices) == 2


def test_then_the_cpu_with_a_notice(
    unet_2d: nn.Module, accelerator: Callable[[Any, Any], None]
) -> None:
    room = Room(0)
    plan, stack, model = planned(
        image((200, 210)), Roomy(unet_2d, room), patch_size=160, batch_size=2
    )
    expected = without_shortage(room, plan, stack, model)
    copy_room = Room(2**40)
    accelerator(model, as_it_is(Roomy(unet_2d, copy_room)))
    found, result = run(plan, stack, model)
    assert np.array_equal(found, expected)
    assert set(copy_room.calls) >= {(2, 160, 160)}, "there all is tried at once again"
    refused = len(room.refused)
    assert refused == len(set(room.refused)), "the device is not tried again in this run"
    assert result.notices[-1] == (
        "out of memory on cpu, with tiles in smaller parts too: the tiles that are left are "
        "computed on the CPU, which takes longer and may change the last digits; another run with "
        "smaller tiles may stay there"
    )


def test_the_cpu_has_rungs_of_its_own(
    unet_2d: nn.Module, accelerator: Callable[[Any, Any], None]
) -> None:
    room, copy_room = Room(0), Room(140 * 140)
    copy_room.is_short = True
    plan, stack, model = planned(image((200, 210)), Roomy(unet_2d, room), patch_size=160)
    expected = without_shortage(room, plan, stack, model)
    accelerator(model, as_it_is(Roomy(unet_2d, copy_room)))
    found, _ = run(plan, stack, model)
    assert near(found, expected)
    assert copy_room.refused


class Global(nn.Module):
    """Looks at all of a tile."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean((-2, -1), keepdim=True)


def test_a_network_that_looks_at_all_of_a_tile_goes_to_the_cpu_at_once(
    accelerator: Callable[[Any, Any], None],
) -> None:
    room = Room(0)
    plan, stack, model = planned(image((100, 110)), Roomy(Global(), room), patch_size=64)
    assert model.geometry.reach is None
    expected = without_shortage(room, plan, stack, model)
    accelerator(model, as_it_is(Global()))
    found, result = run(plan, stack, model)
    assert np.array_equal(found, expected)
    assert room.refused == [(1, 64, 64)]
    (notice,) = result.notices
    assert notice.startswith("out of memory on cpu: the tiles that are left are computed on")


class OneSize(nn.Module):
    """Takes 64×64 pixels and nothing else."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2:] != (64, 64):
            raise ValueError("64×64 pixels only")
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def test_a_network_for_one_size_is_not_given_parts(
    accelerator: Callable[[Any, Any], None],
) -> None:
    room = Room(0)
    plan, stack, model = planned(image((100, 110)), Roomy(OneSize(), room), overlaps=16)
    expected = without_shortage(room, plan, stack, model)
    accelerator(model, as_it_is(OneSize()))
    found, _ = run(plan, stack, model)
    assert np.array_equal(found, expected)
    assert room.refused == [(1, 64, 64)]


def test_on_the_cpu_the_last_word_is_one_line_with_a_way_out(unet_2d: nn.Module) -> None:
    words = "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"
    room = Room(0, lambda: RuntimeError(words))
    plan, stack, model = planned(image((100, 110)), Roomy(unet_2d, room), patch_size=96)
    room.is_short = True
    with pytest.raises(NoRoomError) as failed:
        run(plan, stack, model)
    assert str(failed.value) == (
        "out of memory on cpu with one tile of 96×96: use a smaller patch size, or free memory "
        f"({words})"
    )
    assert isinstance(failed.value, MemoryError)


def test_other_errors_come_through_as_they_are() -> None:
    room = Room(0, lambda: ValueError("out of memory is not what this is"))
    plan, stack, model = planned(image((100, 110)), Roomy(Blur(), room), patch_size=64)
    room.is_short = True
    with pytest.raises(ValueError, match="not what this is"):
        run(plan, stack, model)
    assert len(room.refused) == 1


def test_nothing_holds_the_tensors_of_a_call_that_failed(unet_2d: nn.Module) -> None:
    """What the network had made is gone when the next rung is tried."""
    alive: list[weakref.ref[torch.Tensor]] = []
    seen: list[int] = []

    class Holding(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = x * 2
            seen.append(sum(ref() is not None for ref in alive))
            if x[:, 0].numel() > 64 * 64 and len(seen) > calls_before:
                alive.append(weakref.ref(made))
                raise torch.OutOfMemoryError(SAYS)
            return made

    calls_before = 10**9
    plan, stack, model = planned(
        image((128, 128)), Holding(), patch_size=64, overlaps=0, batch_size=4
    )
    calls_before = 0
    seen.clear()
    gc.disable()
    try:
        _, result = run(plan, stack, model)
    finally:
        gc.enable()
    assert len(alive) == len(result.notices) == 2
    assert set(seen) == {0}


def test_a_cancel_while_memory_is_short_and_a_resume(tmp_path: Path, unet_2d: nn.Module) -> None:
    room, stop = Room(100 * 100), threading.Event()
    plan, stack, model = planned(image((200, 210)), Roomy(unet_2d, room), patch_size=128)
    expected = without_shortage(room, plan, stack, model)
    path = tmp_path / "out.ome.zarr"
    room.on_call = lambda: stop.set() if len(room.calls) > 8 else None
    states: list[Any] = []
    with pytest.warns(UserWarning, match="computed in smaller parts"):
        predict_to_disk(stack, model, path, plan=plan, cancel=stop, progress=states.append)
    assert 0 < states[-1].done < plan.total_tiles
    assert states[-1].notices
    room.on_call = lambda: None
    with pytest.warns(UserWarning, match="computed in smaller parts"):
        predict_to_disk(stack, model, path, plan=plan, resume=True)
    import zarr

    found = zarr.open_array(path / "0", mode="r")[:]
    assert near(found, expected)


def test_predict_warns_of_what_was_done(unet_2d: nn.Module) -> None:
    room = Room(100 * 100)
    model = load_model(Roomy(unet_2d, room), device="cpu")
    room.is_short = True
    with pytest.warns(UserWarning, match="out of memory on cpu with a single tile"):
        predict(open_stack(image((130, 128)), "YX"), model, patch_size=128)


def test_planning_gets_through_where_memory_is_short(unet_2d: nn.Module) -> None:
    """The seam is estimated on tiles larger than what there is room for."""
    room = Room(96 * 96)
    model = load_model(Roomy(unet_2d, room), device="cpu")
    stack = open_stack(image((300, 290)), "YX")
    room.is_short = True
    short = plan_prediction(stack, model, patch_size=96, overlaps=16)
    assert room.refused
    room.is_short = False
    ample = plan_prediction(stack, model, patch_size=96, overlaps=16)
    assert short == ample
    assert [w for w in short.warnings if "expect seams" in w] != []
    assert short.warnings == ample.warnings


def test_a_function_that_cannot_be_moved_says_what_is_wrong(
    accelerator: Callable[[Any, Any], None],
) -> None:
    room = Room(0)
    net = Roomy(Global(), room)
    plan, stack, model = planned(image((100, 110)), lambda x: net(x), patch_size=64)
    accelerator(model, None)
    room.is_short = True
    with pytest.raises(NoRoomError, match="out of memory on cpu with one tile of 64×64"):
        run(plan, stack, model)


def test_what_costs_nothing_is_a_call_of_the_model(unet_2d: nn.Module) -> None:
    room, notices = Room(2**40), Notices()
    plan, _, model = planned(image((100, 110)), Roomy(unet_2d, room), patch_size=96)
    room.calls.clear()
    batch = torch.rand(3, 1, 96, 96)
    with torch.no_grad():
        found = WithinMemory(plan, notices)(model, batch)
    assert torch.equal(found, model(batch))
    assert room.calls == 2 * [(3, 96, 96)]
    assert notices.said == ()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_real_gpu_that_others_have_filled(unet_2d: nn.Module) -> None:
    stack = open_stack(image((1500, 1500)), "YX")
    plan = plan_prediction(stack, load_model(unet_2d, device="cpu"), patch_size=1024)
    expected, _ = run(plan, stack, load_model(unet_2d, device="cpu"))
    model = load_model(unet_2d, device="cuda:0")
    torch.cuda.set_per_process_memory_fraction(0.001)
    try:
        found, result = run(plan, stack, model)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert result.notices
    assert np.abs(found - expected).max() <= 1e-3 * np.ptp(expected)
