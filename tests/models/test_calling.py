from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_tessera.models.calling import (
    call_network,
    random_batch,
    sizes_text,
    try_network,
)
from napari_tessera.models.errors import ModelError, one_line


def test_a_random_batch_is_always_the_same() -> None:
    batch = random_batch((1, 2, 64, 64))
    assert torch.equal(batch, random_batch((1, 2, 64, 64)))
    assert not torch.equal(batch, random_batch((1, 2, 64, 64), seed=1))
    assert abs(float(batch.std()) - 1) < 0.05


def test_the_smallest_size_that_works_is_taken() -> None:
    def picky(x: Tensor) -> Tensor:
        if x.shape[-1] % 3:
            raise ValueError("three")
        return x

    given, answer = try_network(picky, "net", 2, 1)
    assert given.shape == answer.shape == (1, 1, 48, 96)


def test_another_size_is_only_an_error_if_all_are() -> None:
    def cropping(x: Tensor) -> Tensor:
        return x[..., : x.shape[-2] // 9 * 9, : x.shape[-1] // 9 * 9]

    given, _ = try_network(cropping, "net", 2, 1)
    assert given.shape[2:] == (72, 144)
    with pytest.raises(ModelError, match="it returns 31×64 pixels for 32×64"):
        try_network(lambda x: x[..., 1:, :], "net", 2, 1)


def test_answers_do_not_require_gradients() -> None:
    weight = torch.ones(1, requires_grad=True)
    assert not call_network(lambda x: x * weight, torch.ones(1, 1, 4, 4), "net").requires_grad


def test_sizes_text() -> None:
    assert sizes_text((1, 2, 3)) == "1×2×3"


def test_one_line() -> None:
    assert one_line(ValueError("first\nsecond")) == "first"
    assert one_line(ValueError()) == "ValueError"
    script = (
        "The following operation failed in the TorchScript interpreter.\n  at x\nRuntimeError: y"
    )
    assert one_line(RuntimeError(script)) == "RuntimeError: y"
    assert len(one_line(ValueError("x" * 1000))) == 300
