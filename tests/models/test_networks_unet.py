"""The U-Net of the built-in denoisers: what holds for any weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_tessera import load_model
from napari_tessera.models.networks_unet import BiasFreeUNet


def _network(dims: int, deep_blocks: int = 3, plane_blocks: int | None = None) -> BiasFreeUNet:
    torch.manual_seed(dims)
    network = BiasFreeUNet(dims, 6, 8, 1, deep_blocks, plane_blocks)
    network.blind_to_level()
    return network.eval().requires_grad_(False)


def _image(dims: int, seed: int = 0) -> Tensor:
    shape = (2, 1, 48, 64) if dims == 2 else (2, 1, 3, 32, 40)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("scale", [2.0**-20, 0.1, 65535.0])
def test_gain_and_offset_of_the_camera_come_through_at_every_pixel(dims: int, scale: float) -> None:
    network, image = _network(dims), _image(dims)
    plain = network(image)
    assert (plain - image).std() > 0.01
    lifted = network(scale * (image + 100)) / scale - 100
    # what rounding of numbers near 100 amounts to
    torch.testing.assert_close(lifted, plain, rtol=0, atol=1e-4)
    flat = torch.full_like(image, 1000.0)
    torch.testing.assert_close(network(flat), flat, rtol=1e-6, atol=0)


def test_nothing_is_added() -> None:
    for dims in (2, 3):
        assert not [name for name, _ in _network(dims).named_parameters() if "bias" in name]


@pytest.mark.parametrize(
    ("dims", "deep_blocks", "plane_blocks"), [(2, 1, None), (2, 3, None), (3, 1, None), (3, 2, 1)]
)
def test_reach_and_period_are_the_measured_ones(
    dims: int, deep_blocks: int, plane_blocks: int | None
) -> None:
    network = _network(dims, deep_blocks, plane_blocks)
    model = load_model(network, device="cpu")
    assert model.spatial_dims == dims
    assert model.geometry.reach == network.reach
    assert model.geometry.period == network.period


def test_two_planes_are_enough() -> None:
    assert _network(3)(_image(3)[:, :, :2]).shape == (2, 1, 2, 32, 40)


@pytest.mark.parametrize("plane_blocks", [None, 2, 0])
def test_planes_of_a_volume_see_their_neighbours_up_to_the_reach(plane_blocks: int | None) -> None:
    network = _network(3, plane_blocks=plane_blocks)
    volume = torch.randn(1, 1, 14, 16, 16)
    changed = volume.clone()
    changed[:, :, 0] += torch.randn(16, 16)
    moved = (network(changed) - network(volume)).abs().amax((0, 1, 3, 4)) > 0
    assert moved.nonzero().flatten().tolist() == list(range(network.reach[0] + 1))


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^a network for 4 dimensions; it is made for 2 or 3$"):
        BiasFreeUNet(4)


def test_it_is_prepared_with_its_padding_of_repeated_edges() -> None:
    network = BiasFreeUNet(2, 16, 32).eval()
    network.blind_to_level()
    model = load_model(network, device="cpu", prepare=True)
    tile = torch.randn(1, 1, 128, 128)
    made = model(tile)
    assert "channels-last" in model.info.preparation
    with torch.inference_mode():
        torch.testing.assert_close(made, network(tile), rtol=0, atol=1e-5)
    assert isinstance(network.repeat_edge, nn.ReplicationPad2d)
