"""The learning rate rises, then falls by its schedule."""

from __future__ import annotations

import pytest

from napari_tessera.training import TrainingSettings
from napari_tessera.training.loop.rate import LearningRate


def test_cosine_rises_and_falls_to_zero() -> None:
    rate = LearningRate(TrainingSettings(steps=2000, learning_rate=1e-3))
    values = [rate.at(step) for step in range(2001)]
    assert values[0] == pytest.approx(1e-5)
    assert values[99] == values[100] == max(values) == 1e-3
    assert values[:100] == sorted(values[:100])
    assert values[100:] == sorted(values[100:], reverse=True)
    assert values[1050] == pytest.approx(5e-4)
    assert values[2000] == 0.0


def test_few_steps_warm_up_for_a_tenth() -> None:
    rate = LearningRate(TrainingSettings(steps=30, learning_rate=1.0))
    assert [rate.at(step) for step in range(4)] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert LearningRate(TrainingSettings(steps=1, learning_rate=1.0)).at(0) == 1.0


def test_plateau_halves_after_some_validations_without_gain() -> None:
    settings = TrainingSettings(steps=2000, learning_rate=1.0, schedule="plateau")
    rate = LearningRate(settings)
    seen = []
    for gain in (True, *[False] * 4, True, *[False] * 10):
        rate.validated(gain=gain)
        seen.append(rate.at(500))
    assert seen == [*[1.0] * 10, *[0.5] * 5, 0.25]
    again = LearningRate(settings)
    rate.validated(gain=False)
    again.restore(rate.state())
    for one in (rate, again):
        for _ in range(4):
            one.validated(gain=False)
        assert one.at(500) == 0.125
