"""Losses: smoothed, and as points of a curve."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.training import TrainingSettings
from napari_tessera.training.loop.curve import Curve


@given(
    losses=st.lists(st.floats(0, 100, width=32), min_size=1, max_size=60),
    cut=st.integers(0, 60),
)
def test_a_curve_that_is_taken_up_goes_on_alike(losses: list[float], cut: int) -> None:
    settings = TrainingSettings(validate_every=50)
    whole, part = Curve(settings), Curve(settings)
    for step, loss in enumerate(losses, 1):
        if step == cut:
            stored = json.loads(json.dumps(part.state()))
            part = Curve(settings)
            part.restore(stored)
        for curve in (whole, part):
            curve.add(torch.tensor(loss))
            if curve.is_due(step):
                curve.mark(step, loss if step % 10 == 0 else None)
    assert part.points == whole.points
    assert part.smoothed == whole.smoothed
    assert part.validated == whole.validated
    assert [step for step, _, _ in whole.points] == list(range(5, len(losses) + 1, 5))
    assert whole.smoothed is not None
    # rounding
    assert min(losses) - 1e-4 <= whole.smoothed <= max(losses) + 1e-4


def test_a_point_is_the_mean_since_the_last_one() -> None:
    curve = Curve(TrainingSettings())
    assert curve.smoothed is None
    curve.mark(0, None)
    assert curve.points == []
    for loss in (1.0, 2.0, 6.0):
        curve.add(torch.tensor(loss))
    curve.mark(3, None)
    curve.add(torch.tensor(4.0))
    curve.mark(4, 0.5)
    assert curve.points == [(3, 3.0, None), (4, 4.0, 0.5)]
    assert curve.validated == 0.5
    assert curve.smoothed == pytest.approx(3.2827, abs=1e-4)


def test_points_are_not_too_many() -> None:
    curve = Curve(TrainingSettings(steps=1_000_000))
    assert sum(curve.is_due(step) for step in range(0, 1_000_000, 10)) <= 1000


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_forgotten(bad: float) -> None:
    curve = Curve(TrainingSettings())
    curve.add(torch.tensor(1.0))
    assert curve.is_finite
    curve.add(torch.tensor(bad))
    curve.add(torch.tensor(1.0))
    assert not curve.is_finite
