from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.work import MOST_WORK, UNSEEN_WORK, WorkBudget, work_per_pixel


class _Known(nn.Module):
    """Per pixel: 2 × 9 to widen, 16 × 18 on a quarter of the pixels, and 16 × 4 back from these."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.deep = nn.Conv2d(2, 16, 3, padding=1, stride=2, bias=False)
        self.narrow = nn.ConvTranspose2d(16, 1, 2, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(self.deep(self.widen(x)))


@pytest.mark.parametrize("how", ["eager", "script", "trace", "script+freeze", "exported"])
def test_programs_of_all_kinds_are_seen_through(export: Callable[..., Any], how: str) -> None:
    network: Any = _Known().eval()
    batch = torch.zeros(2, 1, 32, 48)
    if how == "exported":
        network = torch.export.export(network, (batch,)).module()
    elif how != "eager":
        network = export(network, how, tuple(batch.shape))
    found = work_per_pixel(network, batch)
    assert found == 2 * 9 + 16 * 18 / 4 + 16 * 4 / 4


def test_matrix_products_count() -> None:
    weights = torch.zeros(1, 64, 64)
    found = work_per_pixel(lambda x: (x[:, 0] @ weights)[:, None], torch.zeros(1, 1, 32, 64))
    # and views of what is there count as written
    assert 64 <= found < 80


def test_what_leaves_pytorch_is_not_seen() -> None:
    batch = torch.zeros(1, 1, 32, 48)
    assert work_per_pixel(lambda x: torch.from_numpy(x.numpy() * 2), batch) == UNSEEN_WORK
    assert work_per_pixel(lambda x: x.numpy(), batch) == UNSEEN_WORK


def test_a_budget_is_spent_by_pixels_and_not_by_time() -> None:
    budget = WorkBudget(lambda x: x, MOST_WORK / 4000)
    batch = torch.zeros(2, 3, 50, 40)
    assert budget(batch) is batch
    assert not budget.is_spent
    budget(batch[:1, :, :1, :1])
    assert budget.is_spent
