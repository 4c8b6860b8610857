"""Validation: paired losses, and which weights are the result."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_tessera.training import Trainer
from napari_tessera.training.loop.average import AveragedWeights
from napari_tessera.training.loop.best import Best
from napari_tessera.training.loop.validating import Validation, validate

CPU = torch.device("cpu")


def test_a_difference_must_be_more_than_chance() -> None:
    base = Validation((1.0, 2.0, 3.0, 4.0))
    assert Validation((0.9, 1.9, 2.9, 3.9)).is_surely_below(base)
    assert not Validation((0.5, 2.4, 2.6, 4.1)).is_surely_below(base)
    assert not base.is_surely_below(base)
    assert Validation((0.5,)).is_surely_below(Validation((0.6,)))


@pytest.mark.parametrize("method", ["n2v", "n2v2", "supervised"])
def test_losses_do_not_depend_on_how_many_go_at_once(method: str, small: Any, source: Any) -> None:
    settings = small(method=method)
    data = source(settings, targets=int(method == "supervised"))
    network = Trainer(data, settings, device="cpu").snapshot()
    whole = validate(network, data, settings, CPU, 4)
    parts = validate(network, data, settings, CPU, 1)
    assert whole is not None
    assert parts is not None
    assert whole.losses == pytest.approx(parts.losses, rel=1e-5)
    assert len(whole.losses) == 4
    again = validate(network, data, settings, CPU, 4)
    assert again == whole


def test_l1_is_validated_as_l1(small: Any, source: Any) -> None:
    settings = small(method="supervised", loss="l1")
    data = source(settings, targets=1)
    network = Trainer(data, settings, device="cpu").snapshot()
    found = validate(network, data, settings, CPU, 4)
    (batch,) = data.validation_batches(4)
    apart = (network(batch.noisy) - batch.target).abs().flatten(1).mean(1)
    assert found is not None
    assert found.losses == pytest.approx(apart.tolist())


def test_the_best_is_the_result_where_it_surely_is_better() -> None:
    network = torch.nn.Linear(1, 1)
    average, best = AveragedWeights(network, 0.0), Best()
    assert best.better_than_last() is None
    weights = []
    for step, losses in enumerate([(3.0, 3.1), (1.0, 1.1), (2.0, 2.1)], 1):
        torch.nn.init.constant_(network.weight, float(step))
        average.update(step)
        weights.append(best.validated(step, Validation(losses), average))
    assert weights == [True, True, False]
    assert best.without_gain == 1
    found = best.better_than_last()
    assert found is not None
    assert (found[0], found[1]["weight"].item()) == (2, 2.0)
    again = Best()
    again.restore(best.state, best.values())
    assert again.values() == best.values()
    again.validated(4, Validation((0.9, 1.3)), average)
    assert again.better_than_last() is None
