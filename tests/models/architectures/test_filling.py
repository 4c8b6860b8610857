"""Putting weights into a network, after it is known that they fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.architectures import ArchitectureError
from napari_tessera.models.architectures.filling import filled


def _made(features: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, features, 3), nn.BatchNorm2d(features))


def _state(**changed: Tensor | None) -> dict[str, Tensor]:
    state = {**_made().state_dict(), **{key.replace("_", ".", 1): v for key, v in changed.items()}}
    return {key: value for key, value in state.items() if value is not None}


def test_weights_are_copied_and_fixed() -> None:
    state = _state()
    network = filled(_made, state)
    assert not network.training
    before = network[0].weight.clone()
    state["0.weight"].zero_()
    assert torch.equal(network[0].weight, before)
    assert all(not p.requires_grad and p.device.type == "cpu" for p in network.parameters())
    assert network(torch.zeros(1, 1, 5, 5)).shape == (1, 4, 3, 3)


def test_other_dtypes_become_float32() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in _state().items()}
        network = filled(_made, state)
        assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_how_many_batches_were_seen_does_not_matter() -> None:
    state = _state()
    del state["1.num_batches_tracked"]
    assert filled(_made, state)(torch.zeros(1, 1, 5, 5)).shape == (1, 4, 3, 3)
    kept = {**_state(), "5.num_batches_tracked": torch.tensor(3)}
    assert filled(_made, kept)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (_state(**{"0_weight": None}), r"1 of its weights are missing \('0.weight'\)"),
        (_state(**{"2_a\nb": torch.zeros(1)}), r"1 weights too many \('2.a\\nb'\)"),
        (_state(**{"0_bias": torch.zeros(5)}), r"its weight 0.bias has shape \(5,\), not \(4,\)"),
        (_state(**{"0_bias": torch.full((4,), torch.inf)}), "0.bias holds numbers that are not"),
        (_state(**{"0_bias": torch.full((4,), 1e300, dtype=torch.float64)}), "not finite"),
        (_state(**{"0_bias": torch.zeros(4, dtype=torch.int8)}), "holds int8, not real numbers"),
    ],
)
def test_what_does_not_fit(state: dict[str, Tensor], says: str) -> None:
    with pytest.raises(ArchitectureError, match=says):
        filled(_made, state)


def test_nothing_is_allocated_for_what_cannot_be() -> None:
    with pytest.raises(ArchitectureError, match=r"0.weight has shape"):
        filled(lambda: _made(2**40), _state())
    with pytest.raises(ArchitectureError, match="a network of its sizes cannot be built"):
        filled(lambda: _made(2**62), _state())
