"""Networks that take few sizes, or lose pixels at the ends, join as exactly as any other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera import load_model, predict


class _Pooling(nn.Module):
    """Works on cells of 4 pixels, and looks 11 pixels around."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.first(x))
        deep = F.interpolate(self.deep(F.max_pool2d(first, 4)), scale_factor=4.0)
        return self.last(torch.cat([first, deep], dim=1))


class _Valid(nn.Module):
    """Loses 4 pixels at each end."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Conv2d(4, 1, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _in_steps_of_48(network: nn.Module) -> Callable[[Tensor], Tensor]:
    def picky(x: Tensor) -> Tensor:
        if any(n < 96 or n % 48 for n in x.shape[2:]):
            raise ValueError("sizes must be multiples of 48 from 96 on")
        return network(x)

    return picky


def _of_one_size(network: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: network(x.reshape(1, 1, 128, 128))


def _resizing(network: nn.Module) -> Callable[[Tensor], Tensor]:
    # takes any size, and stretches its cells to it
    return lambda x: network.last(
        torch.cat(
            [
                first := F.relu(network.first(x)),
                F.interpolate(network.deep(F.max_pool2d(first, 4)), size=x.shape[2:]),
            ],
            dim=1,
        )
    )


@pytest.mark.parametrize(
    ("kind", "make", "patch"),
    [
        (_Pooling, _in_steps_of_48, 144),
        (_Pooling, _of_one_size, 128),
        (_Pooling, _resizing, 64),
        (_Valid, lambda network: network, 64),
    ],
    ids=["steps of 48", "one size", "resizing", "without padding"],
)
def test_tiles_join_exactly(
    kind: type[nn.Module], make: Callable[[nn.Module], Callable[[Tensor], Tensor]], patch: int
) -> None:
    torch.manual_seed(0)
    network = kind().eval()
    image = np.random.default_rng(0).normal(100, 20, (309, 291)).astype(np.float32)
    with torch.no_grad():
        model = load_model(make(network), device="cpu", spatial_dims=2, in_channels=1)
        tiled = predict(image, model, patch_size=patch)
        period = model.geometry.period
        beyond = [(0, -n % k) for n, k in zip(image.shape, period, strict=True)]
        padded = np.pad(image, beyond, mode="reflect")
        margin = 4 if kind is _Valid else 0
        padded = np.pad(padded, margin, mode="reflect")
        whole = network(torch.from_numpy(padded)[None, None])[0, 0, :309, :291].numpy()
    assert np.abs(tiled - whole).max() <= 1e-5 * np.ptp(whole)
