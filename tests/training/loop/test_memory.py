"""Memory that runs out, wherever it does: fewer patches at once, and the same training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from napari_tessera.training import Trainer, TrainingError, TrainingProgress, TrainingResult
from napari_tessera.training.loop.checkpoint import read_checkpoint
from napari_tessera.training.loop.sample import Sample

from .results import after, same, weights


def close(first: TrainingResult, second: TrainingResult) -> bool:
    """Whether weights are the same, but for the order in which parts are added up."""
    pairs = zip(weights(first.network).values(), weights(second.network).values(), strict=True)
    return all(torch.allclose(one, other, atol=1e-5) for one, other in pairs)


def in_forward(trainer: Trainer, most: int) -> None:
    def short(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        if len(given[0]) > most:
            raise torch.OutOfMemoryError("out of memory")

    trainer._network.register_forward_pre_hook(short)


def in_backward(trainer: Trainer, most: int) -> None:
    def short(module: nn.Module, given: object, of_answer: tuple[torch.Tensor]) -> None:
        if len(of_answer[0]) > most:
            raise torch.OutOfMemoryError("out of memory")

    trainer._network.final_conv.register_full_backward_hook(short)


def in_optimizer(trainer: Trainer, most: int) -> None:
    """As long as more patches than these lie on the device."""

    def short(optimizer: object, *_: object) -> None:
        if trainer._stepper.batch_size > most:
            raise torch.OutOfMemoryError("out of memory")

    trainer._stepper._optimizer.register_step_pre_hook(short)


def in_validation(trainer: Trainer, most: int) -> None:
    def short(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        if len(given[0]) > most:
            raise torch.OutOfMemoryError("out of memory")

    trainer._average.network.register_forward_pre_hook(short)


WHERE = [in_forward, in_backward, in_optimizer, in_validation]


@pytest.mark.parametrize("where", WHERE, ids=lambda where: str(where.__name__))
def test_the_batch_is_halved_and_the_step_stays_the_same(
    where: Callable[[Trainer, int], None], small: Any, source: Any
) -> None:
    settings = small(batch_norm=False, batch_size=6)
    trainer = Trainer(source(settings), settings, device="cpu")
    where(trainer, 2)
    told: list[TrainingProgress] = []
    result = trainer.run(progress=told.append)
    whole = Trainer(source(settings), settings, device="cpu").run()
    assert [each.batch_size for each in told][-1] == 2
    assert len(result.notices) == 1
    assert "2 patches go through the network at once instead of 6" in result.notices[0]
    assert close(result, whole)
    assert [point[0] for point in result.losses] == [point[0] for point in whole.losses]


def test_no_more_of_a_batch_is_on_the_device_than_goes_through(
    small: Any, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small(batch_norm=False, batch_size=6)
    whole = Trainer(source(settings), settings, device="cpu").run()
    moved = Sample.to

    def to(self: Sample, device: torch.device) -> Sample:
        if len(self) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return moved(self, device)

    monkeypatch.setattr(Sample, "to", to)
    trainer = Trainer(source(settings), settings, device="cpu")
    assert close(trainer.run(), whole)


@pytest.mark.parametrize("where", WHERE[:3], ids=lambda where: str(where.__name__))
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_step_that_failed_leaves_no_trace(
    where: Callable[[Trainer, int], None], precision: str, small: Any, source: Any
) -> None:
    """Norms have not moved, and moments and the scale of gradients are those of before."""
    settings = small(precision=precision)
    trainer = Trainer(source(settings), settings, device="cpu")
    where(trainer, 2)
    result = trainer.run()
    assert len(result.notices) == 1
    halves = Trainer(source(settings), settings, device="cpu")
    halves._stepper.batch_size = 2
    expected = halves.run()
    assert same(result, expected)
    state = weights(trainer._network)
    counts = {name: one.item() for name, one in state.items() if name.endswith("tracked")}
    # two halves a step
    assert set(counts.values()) == {2 * settings.steps}


def test_no_patch_at_all_is_said(small: Any, source: Any, tmp_path: Path) -> None:
    settings, path = small(), tmp_path / "state"

    def short(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    trainer = Trainer(source(settings), settings, device="cpu", checkpoint=path)
    trainer.run(cancel=after(3))
    trainer = Trainer(source(settings), settings, device="cpu", checkpoint=path)
    trainer._network.register_forward_pre_hook(short)
    with pytest.raises(TrainingError, match="too little memory on cpu for one patch of 16×16"):
        trainer.run()
    assert read_checkpoint(path).step == 3


def test_no_room_for_the_network_is_said(
    small: Any, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the optimizer remembers is made before the first patch, and not after it."""
    settings = small()

    def short(optimizer: object, state: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", short)
    with pytest.raises(TrainingError, match="for the weights of depth 1 with 4 feat") as caught:
        Trainer(source(settings), settings, device="cpu")
    assert caught.value.field == "features"
    assert "\n" not in str(caught.value)


def test_an_error_of_the_network_comes_as_itself(small: Any, source: Any) -> None:
    settings = small()
    trainer = Trainer(source(settings), settings, device="cpu")

    def broken(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        raise RuntimeError("something else")

    trainer._network.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="something else"):
        trainer.run()
