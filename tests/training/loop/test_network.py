"""The network: drawn from the seed alone, and with norms that settle."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_tessera.models.architectures.unet_settings import UNetSettings
from napari_tessera.training import TrainingError, TrainingSettings
from napari_tessera.training.loop.average import AveragedWeights
from napari_tessera.training.loop.network import (
    copy_network,
    make_network,
    memory_format,
    network_settings,
    reorder,
    weight_groups,
)

MADE: list[dict[str, Any]] = [
    {"spatial_dims": 2, "n2v2": True},
    {"spatial_dims": 3, "n2v2": True, "batch_norm": False},
    {"spatial_dims": 2, "in_channels": 2, "out_channels": 2},
]


@pytest.mark.parametrize("made", MADE)
def test_weights_are_drawn_from_the_seed_alone(made: dict[str, Any]) -> None:
    settings = UNetSettings(**made, depth=2, features=8)
    before = torch.random.get_rng_state()
    one, again, other = (make_network(settings, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["final_conv.weight"], other["final_conv.weight"])


@pytest.mark.parametrize("made", MADE)
def test_answers_begin_at_the_size_of_the_input(made: dict[str, Any]) -> None:
    settings = UNetSettings(**made, depth=2, features=16)
    network = make_network(settings, 0).train()
    given = torch.randn(2, settings.in_channels, *[32] * settings.spatial_dims)
    answer = network(given)
    assert answer.shape == given.shape
    assert 0.1 < answer.std() < 10
    # the blur's kernel is no weight, and must not be lost on the way
    assert all(bool(each.isfinite().all()) for each in network.buffers())


def test_what_the_method_asks_for_is_made() -> None:
    plain = network_settings(TrainingSettings(depth=3, features=8), 2)
    assert plain == UNetSettings(2, 2, 2, depth=3, features=8)
    n2v2 = network_settings(TrainingSettings(method="n2v2", independent_channels=False), 3)
    assert n2v2 == UNetSettings(2, 3, 3, depth=2, features=32, independent=False, n2v2=True)


def test_a_network_that_is_too_large_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"has .* million weights, over 500 million"):
        network_settings(TrainingSettings(depth=6, features=1024), 1)


def test_order_of_memory_changes_no_value() -> None:
    for dims in (2, 3):
        network = make_network(UNetSettings(dims, depth=1, features=4), 0)
        before = {name: one.clone() for name, one in network.state_dict().items()}
        reorder(network, memory_format(dims))
        assert all(torch.equal(before[name], one) for name, one in network.state_dict().items())
        weight = network.encoder.encoder_blocks[0].conv2.weight  # type: ignore[union-attr]
        assert weight.is_contiguous(memory_format=memory_format(dims))  # type: ignore[call-overload]


def test_biases_and_norms_do_not_decay() -> None:
    network = make_network(UNetSettings(2, depth=1, features=4), 0)
    decaying, others = weight_groups(network, 0.1)
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    counted = len(decaying["params"]) + len(others["params"])  # type: ignore[arg-type]
    assert counted == len(list(network.parameters()))
    assert {each.ndim for each in decaying["params"]} == {4}  # type: ignore[attr-defined]


def test_a_copy_is_a_network_of_its_own() -> None:
    settings = UNetSettings(2, depth=1, features=4)
    network = make_network(settings, 0)
    copied = copy_network(settings, network.state_dict())
    before = {name: one.clone() for name, one in copied.state_dict().items()}
    network.train()(torch.randn(4, 1, 16, 16))
    torch.nn.init.zeros_(network.final_conv.weight)  # type: ignore[arg-type]
    assert all(torch.equal(before[name], one) for name, one in copied.state_dict().items())
    assert not copied.training


def test_the_average_follows_and_forgets_the_beginning() -> None:
    network = torch.nn.BatchNorm1d(1)
    average = AveragedWeights(network, 0.75)
    for step in range(1, 60):
        torch.nn.init.constant_(network.weight, float(step))
        network.num_batches_tracked.fill_(step)  # type: ignore[operator]
        average.update(step)
    state = average.state()
    # three steps behind, in the long run: 0.75 / 0.25
    assert state["weight"].item() == pytest.approx(59 - 3, abs=1e-3)
    assert state["num_batches_tracked"].item() == 59
    first = AveragedWeights(network, 0.999)
    torch.nn.init.constant_(network.weight, 0.0)
    first.update(1)
    assert first.state()["weight"].item() == pytest.approx(59 * 2 / 11)
