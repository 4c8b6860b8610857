"""Networks that tests of the engine run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional


class UNet(nn.Module):
    """U-Net of depth 2: two max-pools, (bi/tri)linear upsampling. Reach 26 px, period 4."""

    def __init__(self, dims: int = 2, width: int = 8, channels: int = 1) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.pool = nn.MaxPool2d(2) if dims == 2 else nn.MaxPool3d(2)
        self.mode = "bilinear" if dims == 2 else "trilinear"

        def double(n_in: int, n_out: int) -> nn.Sequential:
            return nn.Sequential(
                conv(n_in, n_out, 3, padding=1),
                nn.ReLU(),
                conv(n_out, n_out, 3, padding=1),
                nn.ReLU(),
            )

        self.down = nn.ModuleList([double(channels, width), double(width, 2 * width)])
        self.bottom = double(2 * width, 4 * width)
        self.up = nn.ModuleList([double(6 * width, 2 * width), double(3 * width, width)])
        self.head = conv(width, channels, 1)
        for layer in self.modules():
            if isinstance(layer, conv):
                # Outputs that spread around 0, as a trained network's do: with torch's own
                # start they are nearly constant, and rounding errors large beside their range.
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = functional.interpolate(x, scale_factor=2, mode=self.mode)
            x = block(torch.cat([x, skip], dim=1))
        return self.head(x)


@pytest.fixture(scope="session")
def unet_2d() -> UNet:
    torch.manual_seed(0)
    return UNet(2).eval()


@pytest.fixture(scope="session")
def unet_3d() -> UNet:
    torch.manual_seed(0)
    return UNet(3, width=4).eval()


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """Kernels split work by the number of threads: keep it fixed where bytes are compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
