"""Network definitions of the models that come with the package."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions without bias, added to their input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.second = nn.Conv2d(features, features, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        correction: Tensor = self.second(torch.relu(self.first(x)))
        return x + correction


class BiasFreeResidualCNN(nn.Module):
    """Small 2D denoiser that estimates the noise and subtracts it.

    Nothing in it adds a constant, so it is homogeneous: ``f(a * x) == a * f(x)`` for ``a > 0``
    and needs no noise level and no division by a standard deviation (Mohan et al., "Robust and
    interpretable blind image denoising via bias-free convolutional neural networks", ICLR 2020).
    It works on half the resolution with four times the channels, which costs a quarter of the
    time (Zhang et al., "FFDNet", IEEE TIP 2018).

    Parameters
    ----------
    features : int
        Channels of the hidden layers.
    blocks : int
        Residual blocks of two convolutions each.

    Notes
    -----
    Input and output are float tensors (N, 1, Y, X) with even Y and X. Convolutions pad with zeros,
    so the input is expected with its mean near zero.
    """

    PERIOD = 2

    def __init__(self, features: int = 48, blocks: int = 4) -> None:
        super().__init__()
        phases = self.PERIOD**2
        self.split = nn.PixelUnshuffle(self.PERIOD)
        self.head = nn.Conv2d(phases, features, 3, padding=1, bias=False)
        self.body = nn.Sequential(*[_ResidualBlock(features) for _ in range(blocks)])
        self.tail = nn.Conv2d(features, phases, 3, padding=1, bias=False)
        self.join = nn.PixelShuffle(self.PERIOD)

    @property
    def reach(self) -> int:
        """Farthest distance in pixels from which an input pixel still changes an output pixel."""
        convolutions = 2 + 2 * len(self.body)
        return self.PERIOD * convolutions + self.PERIOD - 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the denoised image, same shape and dtype as `x`."""
        noise: Tensor = self.join(self.tail(self.body(self.head(self.split(x)))))
        return x - noise
