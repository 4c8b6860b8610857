"""The last rungs: the CPU instead of a device, and what is said where that is short too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.prediction.out_of_memory import NoRoomError

from .conftest import Room, Roomy
from .scenes import as_it_is, image, near, planned, run, without_shortage


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
