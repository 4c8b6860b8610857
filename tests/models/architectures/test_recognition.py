"""Telling whose weights they are."""

from __future__ import annotations

import pytest
import torch

from napari_tessera.models.architectures import ArchitectureError, build, recognize
from napari_tessera.models.networks import BiasFreeResidualCNN
from napari_tessera.models.networks_unet import BiasFreeUNet

from .weights import dncnn_state, unet_state


@pytest.mark.parametrize("prefix", ["", "model.", "a.b.c."])
def test_prefixes_do_not_matter(prefix: str) -> None:
    networks = {
        "a CAREamics UNet": unet_state(),
        "DnCNN": dncnn_state(prefix=""),
        "this package's residual network": BiasFreeResidualCNN(4, 1).state_dict(),
        "this package's U-Net without biases": BiasFreeUNet(2, 4, 6, 1, 2).state_dict(),
    }
    for kind, state in networks.items():
        found = recognize({prefix + key: value for key, value in state.items()})
        assert found is not None
        assert found.kind == kind


@pytest.mark.parametrize("settings", [(2, 4, 6, 2, 1, 1), (3, 4, 6, 1, 3, 2), (3, 4, 6, 1, 2, 0)])
def test_the_u_net_of_the_built_in_models(settings: tuple[int, ...]) -> None:
    network = BiasFreeUNet(*settings).eval()
    network.blind_to_level()
    found = recognize(network.state_dict())
    assert found is not None
    assert (found.spatial_dims, found.sizes.step) == (network.dims, network.period)
    image = torch.randn(1, 1, *(4,) * (network.dims - 2), 16, 16)
    torch.testing.assert_close(found.network(image), network(image))


@pytest.mark.parametrize("name", ["head.weight", "up.weight", "deep.0.second.weight"])
def test_a_u_net_whose_weights_do_not_fit_is_refused(name: str) -> None:
    state = BiasFreeUNet(2, 4, 6, 1, 1).state_dict()
    with pytest.raises(ArchitectureError, match=f"its weight {name} has shape"):
        recognize({**state, name: state[name][..., 0]})


def test_unknown_weights() -> None:
    assert recognize({}) is None
    assert recognize({"a": torch.zeros(1)}) is None
    assert recognize({"a." * 10**6 + "0.weight": torch.zeros(1)}) is None
    assert recognize({"a.b": torch.zeros(1), "a.c": torch.zeros(2)}) is None


def test_a_network_is_built_by_its_name() -> None:
    state = unet_state(dims=3, channels=2, depth=1)
    keywords = {
        "conv_dims": 3,
        "in_channels": 2,
        "num_classes": 2,
        "depth": 1,
        "num_channels_init": 4,
        "architecture": "UNet",
        "dropout": 0.1,
    }
    for prefix in ("", "model."):
        network = build("UNet", keywords, {prefix + k: v for k, v in state.items()})
        assert network(torch.zeros(1, 2, 4, 6, 8)).shape == (1, 2, 4, 6, 8)
    with pytest.raises(ArchitectureError, match="its architecture 'LVAE' is none"):
        build("LVAE", keywords, state)
    with pytest.raises(ArchitectureError, match="weights are missing"):
        build("UNet", {**keywords, "depth": 2}, state)
