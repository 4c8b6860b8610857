from __future__ import annotations

import numpy as np
import torch

from napari_tessera.models.processing.steps import (
    AffineStep,
    CastStep,
    ClipStep,
    RescaleStep,
    StandardizeStep,
)

TILE = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)


def test_two_scalings_are_one() -> None:
    first = AffineStep(np.array([2.0, 3.0]), np.array([1.0, -1.0]))
    second = AffineStep.dividing(np.array([4.0, 5.0]), np.array([2.0, 8.0]))
    torch.testing.assert_close(first.then(second)(TILE), second(first(TILE)))


def test_steps_keep_the_type_and_change_nothing_in_place() -> None:
    ends = np.array([3.0, 15.0]), np.array([9.0, 20.0])
    before = TILE.clone()
    for step in (
        AffineStep(np.ones(2), np.zeros(2)),
        ClipStep(*ends),
        CastStep("uint8"),
        StandardizeStep(1e-6, pooled=False),
        RescaleStep(0.1, 0.9, 1e-6, pooled=True),
    ):
        assert step(TILE).dtype == torch.float32
        assert torch.equal(TILE, before)


def test_ends_for_each_channel() -> None:
    clipped = ClipStep(np.array([3.0, -np.inf]), np.array([9.0, 20.0]))(TILE)
    assert clipped[0].min() == 3
    assert clipped[0].max() == 9
    assert clipped[1].min() == 12
    assert clipped[1].max() == 20


def test_a_cast_to_half_precision_loses_digits() -> None:
    assert CastStep("float16")(torch.tensor([[1.0001]])).item() == 1.0


def test_volumes_are_standardized_as_one() -> None:
    volume = torch.rand(1, 3, 4, 5)
    found = StandardizeStep(0.0, pooled=False)(volume)
    torch.testing.assert_close(found.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.std(correction=0), torch.tensor(1.0))
