"""Networks for which memory runs out, as PyTorch says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

SAYS = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB"


class Room:
    """How much goes through at once, once it is short; shared by all copies of its networks.

    Parameters
    ----------
    pixels : int
        Pixels of a batch (samples counted, channels not) that are too many are more than these.
    error : callable
        Makes what is raised.
    """

    def __init__(
        self, pixels: int, error: Callable[[], Exception] = lambda: torch.OutOfMemoryError(SAYS)
    ) -> None:
        self.pixels = pixels
        self.error = error
        self.is_short = False
        self.calls: list[tuple[int, ...]] = []
        self.refused: list[tuple[int, ...]] = []
        self.on_call: Callable[[], None] = lambda: None

    def __deepcopy__(self, memo: dict[int, Any]) -> Room:
        return self

    def take(self, x: torch.Tensor) -> None:
        """Count a call, or raise."""
        shape = (x.shape[0], *x.shape[2:])
        if self.is_short and x[:, 0].numel() > self.pixels:
            self.refused.append(shape)
            raise self.error()
        self.calls.append(shape)
        self.on_call()


class Roomy(nn.Module):
    """A network that holds tensors when memory runs out in its midst."""

    def __init__(self, net: nn.Module, room: Room) -> None:
        super().__init__()
        self.net = net
        self.room = room

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.net(x)
        self.room.take(x)
        return made


class Blur(nn.Module):
    """Mean of 3×3 pixels: reach 1, period 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Any], None]:
    """Has a model, on the CPU, be taken for one elsewhere, and another for its copy on the CPU."""
    from napari_tessera.prediction.out_of_memory import ladder

    copies: dict[Any, Any] = {}

    def pretend(model: Any, copy: Any) -> None:
        copies[model] = copy

    monkeypatch.setattr(ladder, "is_cpu", lambda model: model not in copies)
    monkeypatch.setattr(ladder, "copy_on_cpu", copies.__getitem__)
    return pretend
