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
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.models import Model
from napari_tessera.prediction.out_of_memory import Notices, WithinMemory

from .conftest import SAYS, Blur, Room, Roomy
from .scenes import as_it_is, image, near, planned, run, without_shortage

# each runs many images over and over
pytestmark = pytest.mark.slow


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
# halves of the longer edge are no help there, quarters are
@example(kernel=5, period=8, shape=(49, 65), pixels=2500)
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
