"""What a training computes in: of device, processor and planes; and the ends in float32."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.training import Trainer, TrainingError, TrainingSettings
from napari_tessera.training.loop import precision
from napari_tessera.training.loop.precision import cpu_has_bfloat16, resolve_precision

AUTO = TrainingSettings()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"avx2": True}, "float32"),
        ({}, "float32"),
    ],
)
def test_a_cpu_takes_bfloat16_where_it_has_instructions_for_it(
    told: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert resolve_precision(AUTO, torch.device("cpu")) == expected


def test_an_older_pytorch_does_not_tell_and_float32_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not cpu_has_bfloat16()
    assert resolve_precision(AUTO, torch.device("cpu")) == "float32"


@pytest.mark.parametrize(
    ("major", "expected"), [(6, "float32"), (7, "float16"), (8, "bfloat16"), (12, "bfloat16")]
)
def test_a_gpu_takes_the_half_that_it_is_fast_in(
    major: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    assert resolve_precision(AUTO, torch.device("cuda")) == expected


def test_others_take_float32_and_what_is_asked_for_counts() -> None:
    assert resolve_precision(AUTO, torch.device("mps")) == "float32"
    for wanted in ("float32", "bfloat16", "float16"):
        asked = replace(AUTO, precision=wanted)
        assert resolve_precision(asked, torch.device("cpu")) == wanted
        assert resolve_precision(asked, torch.device("cuda")) == wanted


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("dims", [2, 3])
def test_neither_grey_levels_nor_answers_are_rounded_on_a_cpu(
    half: str, dims: int, small: Any, source: Any
) -> None:
    settings = small(precision=half, spatial_dims=dims, steps=1)
    trainer = Trainer(source(settings), settings, device="cpu")
    seen: dict[str, set[torch.dtype]] = {}

    def look(name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Tensor], answer: Tensor) -> None:
            seen.setdefault(name, set()).update({given[0].dtype, answer.dtype})

        return hook

    network: Any = trainer._network
    block = network.encoder.encoder_blocks[0]
    block.conv1.register_forward_hook(look("first"))
    block.conv2.register_forward_hook(look("second"))
    network.register_forward_hook(look("whole"))
    trainer.run()
    assert seen["first"] == {torch.float32}
    assert seen["whole"] == {torch.float32}
    assert getattr(torch, half) in seen["second"]


@pytest.mark.parametrize(("planes", "depth"), [(2, 1), (4, 1), (4, 2), (8, 2)])
def test_no_half_on_a_cpu_where_few_planes_are_left(
    planes: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    cpu, few = torch.device("cpu"), TrainingSettings(spatial_dims=3, depth=depth)
    few = replace(few, patch_size=(planes, 16, 16))
    assert resolve_precision(few, cpu) == "float32"
    half = replace(few, precision="bfloat16")
    with pytest.raises(TrainingError, match=f"use float32, or patches of {3 * 2**depth}") as caught:
        resolve_precision(half, cpu)
    assert caught.value.field == "precision"
    assert resolve_precision(half, torch.device("cuda")) == "bfloat16"
    enough = replace(few, patch_size=(3 * 2**depth, 16, 16))
    assert resolve_precision(enough, cpu) == "bfloat16"
    assert resolve_precision(replace(few, precision="float32"), cpu) == "float32"
