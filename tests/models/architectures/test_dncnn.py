"""DnCNN: recognized whatever its depth, and what it computes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.architectures import ArchitectureError, DnCNNSettings, recognize

from .weights import dncnn_state


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize(("channels", "layers", "features"), [(1, 17, 8), (3, 2, 4), (2, 20, 6)])
@pytest.mark.parametrize("dims", [2, 3])
def test_any_depth_and_width(
    dims: int, channels: int, layers: int, features: int, norms: bool
) -> None:
    found = recognize(dncnn_state(dims, channels, layers, features, norms=norms))
    assert found is not None
    assert (found.kind, found.spatial_dims, found.in_channels) == ("DnCNN", dims, channels)
    size = (5, 7, 6)[:dims]
    assert found.network(torch.zeros(1, channels, *size)).shape == (1, channels, *size)
    assert found.sizes.fits((1,) * dims)


def _written_out(state: Mapping[str, Tensor], eps: float) -> nn.Sequential:
    """The layers as PyTorch lists them, with an activation where a number is left out."""
    layers: list[nn.Module] = []
    last = max(int(key.split(".")[1]) for key in state)
    for index in range(last + 1):
        own = {k.rpartition(".")[2]: v for k, v in state.items() if k.split(".")[1] == str(index)}
        if not own:
            layers.append(nn.ReLU())
            continue
        shape = own["weight"].shape
        if len(shape) == 1:
            made: nn.Module = nn.BatchNorm2d(shape[0], eps=eps)
        else:
            made = nn.Conv2d(shape[1], shape[0], shape[2], padding=1, bias="bias" in own)
        made.load_state_dict(own)
        layers.append(made)
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize(
    ("prefix", "bias", "eps"), [("model.", True, 1e-4), ("dncnn.", False, 1e-5)]
)
@pytest.mark.parametrize("norms", [False, True])
def test_what_comes_out_is_the_image_less_the_noise(
    norms: bool, prefix: str, bias: bool, eps: float
) -> None:
    state = dncnn_state(norms=norms, prefix=prefix, bias=bias)
    found = recognize(state)
    assert found is not None
    x = torch.randn(2, 1, 9, 12)
    expected = x - _written_out(state, eps)(x)
    torch.testing.assert_close(found.network(x), expected, atol=1e-4, rtol=1e-4)


def test_a_norm_folded_into_its_convolution_gives_the_same() -> None:
    state = dncnn_state(norms=True, prefix="")
    folded = {"0.weight": state["0.weight"], "0.bias": state["0.bias"]}
    for at, index in enumerate((2, 5, 8), start=1):
        gain = state[f"{index + 1}.weight"] / (state[f"{index + 1}.running_var"] + 1e-4).sqrt()
        shift = state[f"{index}.bias"] - state[f"{index + 1}.running_mean"]
        folded[f"{2 * at}.weight"] = state[f"{index}.weight"] * gain[:, None, None, None]
        folded[f"{2 * at}.bias"] = shift * gain + state[f"{index + 1}.bias"]
    folded |= {"8.weight": state["11.weight"], "8.bias": state["11.bias"]}
    one, other = recognize(state), recognize(folded)
    assert one is not None
    assert other is not None
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(one.network(x), other.network(x), atol=1e-3, rtol=1e-3)


def test_other_chains_are_none() -> None:
    good = dncnn_state(prefix="")
    assert DnCNNSettings.from_weights(good) is not None
    assert DnCNNSettings.from_weights({}) is None
    for wrong in (
        {**good, "extra": torch.zeros(1)},
        {**good, "3.weight": torch.zeros(8, 8, 3, 3)},
        {f"1{key}": value for key, value in good.items()},
        {**good, "2.weight": torch.zeros(8, 7, 3, 3)},
        {**good, "2.weight": torch.zeros(8, 8, 2, 2)},
        {**good, "2.weight": torch.zeros(8, 8, 3, 3, 3)},
        {**good, "2.weight": torch.zeros(8, 8)},
        {key: value for key, value in good.items() if not key.startswith("8")},
    ):
        assert DnCNNSettings.from_weights(wrong) is None


def test_relatives_that_must_be_told_the_noise_level() -> None:
    ffdnet = dncnn_state(prefix="")
    ffdnet["0.weight"], ffdnet["8.weight"] = torch.zeros(8, 5, 3, 3), torch.zeros(4, 8, 3, 3)
    with pytest.raises(ArchitectureError, match="FFDNet"):
        DnCNNSettings.from_weights(ffdnet)
    flexible = dncnn_state(prefix="")
    flexible["0.weight"] = torch.zeros(8, 2, 3, 3)
    with pytest.raises(ArchitectureError, match="noise level in a channel of its own"):
        DnCNNSettings.from_weights(flexible)


def test_seven_layers_might_be_an_ircnn() -> None:
    found = recognize(dncnn_state(layers=7))
    assert found is not None
    assert any("IRCNN" in line for line in found.warnings)


def test_a_layer_with_a_number_of_thousands_of_digits() -> None:
    state = dncnn_state(prefix="")
    state["9" * 5000 + ".weight"] = torch.zeros(1, 8, 3, 3)
    assert DnCNNSettings.from_weights(state) is None
