"""The U-Net of CAREamics: names, shapes and what it computes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_tessera.models.architectures import UNet, UNetSettings, fill_unet

from .weights import unet_state, untrained_norms


def _settings(state: Mapping[str, Tensor]) -> UNetSettings:
    settings = UNetSettings.from_weights(state)
    assert settings is not None
    return settings


@pytest.mark.parametrize("n2v2", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize(
    ("channels", "classes", "independent"), [(1, 1, True), (3, 3, True), (3, 2, False)]
)
@pytest.mark.parametrize("dims", [2, 3])
def test_names_and_shapes_are_those_of_careamics(
    dims: int, channels: int, classes: int, independent: bool, depth: int, n2v2: bool
) -> None:
    with torch.device("meta"):
        network = UNet(
            UNetSettings(dims, channels, classes, depth, 8, independent=independent, n2v2=n2v2)
        )
    expected = unet_state(dims, channels, classes, depth, 8, independent=independent, n2v2=n2v2)
    found = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert found == {key: tuple(value.shape) for key, value in expected.items()}


def _convolved(x: Tensor, state: Mapping[str, Tensor], name: str) -> Tensor:
    for at in (1, 2):
        x = functional.conv2d(
            x, state[f"{name}.conv{at}.weight"], state[f"{name}.conv{at}.bias"], padding=1
        )
        norm = f"{name}.batch_norm{at}"
        mean, var, gain, shift = (
            state[f"{norm}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = ((x - mean) / (var + 1e-5).sqrt() * gain + shift).clamp(min=0)
    return x


def test_two_levels_written_out() -> None:
    state = unet_state(depth=2)
    network = fill_unet(_settings(state), state)
    x = torch.randn(1, 1, 16, 24)
    first = _convolved(x, state, "encoder.encoder_blocks.0")
    second = _convolved(functional.max_pool2d(first, 2), state, "encoder.encoder_blocks.2")
    deep = _convolved(functional.max_pool2d(second, 2), state, "decoder.bottleneck")

    def twice(y: Tensor) -> Tensor:
        return functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)

    up = _convolved(torch.cat((twice(deep), second), 1), state, "decoder.decoder_blocks.1")
    up = _convolved(torch.cat((twice(up), first), 1), state, "decoder.decoder_blocks.3")
    expected = functional.conv2d(up, state["final_conv.weight"], state["final_conv.bias"])
    torch.testing.assert_close(network(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n2v2", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_independent_channels_are_networks_of_their_own(dims: int, n2v2: bool) -> None:
    channels = 3
    state = unet_state(dims, channels, depth=2, n2v2=n2v2)
    network = fill_unet(_settings(state), state)
    x = torch.randn(1, channels, *(8, 16, 8)[:dims])
    together = network(x)
    for channel in range(channels):
        alone = {
            key: value.chunk(channels)[channel] if value.ndim else value
            for key, value in state.items()
        }
        one = fill_unet(_settings(alone), alone)
        assert one.settings.in_channels == 1
        torch.testing.assert_close(one(x[:, [channel]]), together[:, [channel]])


def test_the_input_is_added_before_the_activation() -> None:
    state = unet_state()
    plain = _settings(state)
    x = torch.randn(2, 1, 8, 8)
    answer = fill_unet(plain, state)(x)
    other = UNetSettings(2, depth=2, features=4, residual=True, activation="sigmoid")
    torch.testing.assert_close(fill_unet(other, state)(x), torch.sigmoid(answer + x))


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("softmax", nn.Softmax(1)),
        ("tanh", nn.Tanh()),
        ("relu", nn.ReLU()),
        ("leakyrelu", nn.LeakyReLU()),
        ("elu", nn.ELU()),
    ],
)
def test_activations(name: str, activation: nn.Module) -> None:
    state = unet_state(channels=2, independent=False)
    x = torch.randn(1, 2, 8, 8)
    answer = fill_unet(_settings(state), state)(x)
    settings = UNetSettings(2, 2, 2, 2, 4, independent=False, activation=name)
    torch.testing.assert_close(fill_unet(settings, state)(x), activation(answer))


def test_batch_norms_that_are_not_used_change_nothing() -> None:
    state = unet_state()
    idle = untrained_norms(state)
    assert not _settings(idle).batch_norm
    none = {key: value for key, value in state.items() if "batch_norm" not in key}
    x = torch.randn(1, 1, 8, 8)
    unused = fill_unet(UNetSettings(2, depth=2, features=4, batch_norm=False), state)
    assert torch.equal(unused(x), fill_unet(_settings(none), none)(x))
    assert torch.equal(unused(x), fill_unet(_settings(idle), idle)(x))
    assert not any("batch_norm" in key for key in unused.state_dict())


def test_n2v2_has_no_uppermost_skip_connection() -> None:
    state = unet_state(depth=1, n2v2=True)
    network = fill_unet(_settings(state), state)
    assert network.settings.n2v2
    # what is blurred away before the bottleneck has no other way to the answer
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8, 8)
    assert not any(network.decoder.joins)
