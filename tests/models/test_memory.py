from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models import load_model
from napari_tessera.models.memory import UNSEEN, Held, measure_memory

CPU = torch.device("cpu")


def _any(size: Sequence[int]) -> Sequence[int]:
    return size


class _Wide(nn.Module):
    """Holds 64 channels before and after its rectifier at once: 512 bytes for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(1, 64, 1)
        self.table = nn.Parameter(torch.zeros(1000, 1000))
        self.narrow = nn.Conv2d(64, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        # 4 MB that do not grow with the tile
        kept = self.table + 1
        return self.narrow(F.relu(self.widen(x))) + kept.sum()


@pytest.mark.parametrize("how", ["eager", "script", "trace", "exported"])
def test_live_tensors_of_any_kind_of_program(export: Callable[..., nn.Module], how: str) -> None:
    network: nn.Module = _Wide().eval()
    if how == "exported":
        size = torch.export.Dim("size", min=8)
        shapes = ({2: size, 3: size},)
        example = (torch.zeros(1, 1, 64, 64),)
        network = torch.export.export(network, example, dynamic_shapes=shapes).module()
    elif how != "eager":
        network = export(network, how)
    with torch.no_grad():
        found = measure_memory(network, _any, 2, 1, CPU)
    assert 512 <= found.peak <= 540
    # at 96 × 96: 64 channels, and what does not grow is larger still
    assert found.largest == pytest.approx(4e6 / 96**2)


def test_volumes() -> None:
    network = nn.Sequential(nn.Conv3d(1, 32, 3, padding=1), nn.Conv3d(32, 1, 3, padding=1))
    with torch.no_grad():
        found = measure_memory(network, _any, 3, 1, CPU)
    assert 128 <= found.peak <= 140
    assert found.largest == 128


def test_a_network_of_one_size_counts_all_it_holds() -> None:
    with torch.no_grad():
        found = measure_memory(_Wide().eval(), lambda size: (40, 40), 2, 1, CPU)
    assert found.peak == pytest.approx(512 + 4e6 / 1600, rel=0.01)


def test_what_leaves_pytorch_is_taken_for_granted() -> None:
    def in_numpy(x: Tensor) -> Tensor:
        return torch.from_numpy(np.repeat(x.numpy(), 500, axis=1).mean(axis=1, keepdims=True))

    assert measure_memory(in_numpy, _any, 2, 1, CPU) == Held(UNSEEN)
    assert measure_memory(in_numpy, lambda size: None, 2, 1, CPU) == Held(UNSEEN)


def test_models_measure_it_once(make_unet: Callable[..., nn.Module]) -> None:
    model = load_model(make_unet(features=8), device="cpu")
    found = model.memory_per_pixel
    assert 4 * 8 < found < 4 * 8 * 8
    largest = model.largest_per_pixel
    assert 4 * 16 <= largest <= 4 * 8 * 4
    model.loaded.network.forward = None  # type: ignore[union-attr]
    assert model.memory_per_pixel == found
    assert model.largest_per_pixel == largest


@pytest.mark.parametrize("kept", [None, 3.0, [1.0], [0.0, 1.0], [1.0, -1.0], ["1", 2.0], [1.0] * 3])
def test_what_is_damaged_is_measured_again(kept: object) -> None:
    assert Held.from_json(kept) is None
    assert Held.from_json(Held(2.5, 1.5).to_json()) == Held(2.5, 1.5)


def test_models_of_fixed_size_and_of_another_scale() -> None:
    assert load_model(lambda x: x.reshape(1, 1, 64, 64)).memory_per_pixel == UNSEEN
    assert load_model(nn.Upsample(scale_factor=2)).memory_per_pixel == UNSEEN


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_allocator_of_a_gpu() -> None:
    network = _Wide().eval().cuda()
    with torch.no_grad():
        found = measure_memory(network, _any, 2, 1, torch.device("cuda"))
    assert 512 <= found.peak <= 2048
    assert found.largest == 0


def test_a_network_that_fails_gives_no_figure_and_no_error() -> None:
    def short_of_memory(x: Tensor) -> Tensor:
        if x.shape[2:] == (96, 96):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.relu(x)

    model = load_model(short_of_memory, spatial_dims=2, in_channels=1)
    assert model.geometry.reach == (0, 0)
    assert model.memory_per_pixel == UNSEEN
