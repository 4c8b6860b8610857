from __future__ import annotations

import torch

from napari_tessera.models.calling import (
    call_network,
    random_batch,
    sizes_text,
)
from napari_tessera.models.errors import message_line


def test_a_random_batch_is_always_the_same() -> None:
    batch = random_batch((1, 2, 64, 64))
    assert torch.equal(batch, random_batch((1, 2, 64, 64)))
    assert not torch.equal(batch, random_batch((1, 2, 64, 64), seed=1))
    assert abs(float(batch.std()) - 1) < 0.05


def test_answers_do_not_require_gradients() -> None:
    weight = torch.ones(1, requires_grad=True)
    assert not call_network(lambda x: x * weight, torch.ones(1, 1, 4, 4), "net").requires_grad


def test_sizes_text() -> None:
    assert sizes_text((1, 2, 3)) == "1×2×3"


def test_one_line() -> None:
    assert message_line(ValueError("first\nsecond")) == "first"
    assert message_line(ValueError()) == "ValueError"
    script = (
        "The following operation failed in the TorchScript interpreter.\n  at x\nRuntimeError: y"
    )
    assert message_line(RuntimeError(script)) == "RuntimeError: y"
    assert len(message_line(ValueError("x" * 1000))) == 300
