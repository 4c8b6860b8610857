"""The U-Net without biases of the built-in denoisers, in two and in three dimensions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def _convolution(
    dims: int, channels_in: int, channels_out: int, *, deep: bool = False, size: int = 3
) -> nn.Module:
    """A convolution without bias, padded with zeros; along Z it sees neighbours only where deep."""
    if dims == 2:
        return nn.Conv2d(channels_in, channels_out, size, padding=size // 2, bias=False)
    planes = 3 if deep else 1
    return nn.Conv3d(
        channels_in,
        channels_out,
        (planes, size, size),
        padding=(planes // 2, size // 2, size // 2),
        bias=False,
    )


class _ResidualBlock(nn.Module):
    """Two convolutions without bias, added to their input; in 3D the first may see planes."""

    def __init__(self, dims: int, features: int, *, deep: bool = False) -> None:
        super().__init__()
        self.first = _convolution(dims, features, features, deep=deep)
        self.second = _convolution(dims, features, features)

    def forward(self, x: Tensor) -> Tensor:
        correction: Tensor = self.second(torch.relu(self.first(x)))
        return x + correction


class BiasFreeUNet(nn.Module):
    """Denoiser that estimates the noise on two scales and subtracts it.

    Nothing in it adds a constant, so it is homogeneous, ``f(a * x) == a * f(x)`` for ``a > 0``,
    and needs no noise level (Mohan et al., "Robust and interpretable blind image denoising via
    bias-free convolutional neural networks", ICLR 2020). The filters of its first layer sum to zero
    and see edge pixels repeated beyond the image's edge, so that it is also blind to the grey
    level: ``f(x + b) == f(x) + b`` at every pixel, to rounding.

    It works on half and on a quarter of the resolution in Y and X (Zhang et al., "FFDNet", IEEE TIP
    2018; Ronneberger et al., "U-Net", MICCAI 2015). Planes are never resampled.

    Parameters
    ----------
    dims : int
        2 for images (N, 1, Y, X), 3 for volumes (N, 1, Z, Y, X).
    features : int
        Channels at half the resolution.
    deep_features : int
        Channels at a quarter of the resolution.
    blocks : int
        Residual blocks at half the resolution before going down, and as many after coming up.
    deep_blocks : int
        Residual blocks at a quarter of the resolution.
    plane_blocks : int or None
        How many of these, the first ones, see one plane to either side in 3D, as the first layer
        does. ``None``: all of them.

    Raises
    ------
    ValueError
        If `dims` is neither 2 nor 3.

    Notes
    -----
    Y and X of input and output are multiples of 4.
    """

    def __init__(
        self,
        dims: int = 2,
        features: int = 48,
        deep_features: int = 96,
        blocks: int = 1,
        deep_blocks: int = 3,
        plane_blocks: int | None = None,
    ) -> None:
        super().__init__()
        if dims not in (2, 3):
            raise ValueError(f"a network for {dims} dimensions; it is made for 2 or 3")
        self.dims, self.blocks, self.deep_blocks = dims, blocks, deep_blocks
        self.plane_blocks = deep_blocks if plane_blocks is None else plane_blocks
        kind: Any = nn.Conv2d if dims == 2 else nn.Conv3d
        self.split = nn.PixelUnshuffle(2)
        self.join = nn.PixelShuffle(2)
        # The edge is repeated here and nowhere else: zeros further on are "no noise".
        self.repeat_edge: nn.Module = (
            nn.ReplicationPad2d(1) if dims == 2 else nn.ReplicationPad3d(1)
        )
        self.head = kind(4, features, 3, bias=False)
        self.enter = nn.Sequential(*[_ResidualBlock(dims, features) for _ in range(blocks)])
        half = (2, 2) if dims == 2 else (1, 2, 2)
        self.down = kind(features, deep_features, half, stride=half, bias=False)
        self.deep = nn.Sequential(
            *[
                _ResidualBlock(dims, deep_features, deep=index < self.plane_blocks)
                for index in range(deep_blocks)
            ]
        )
        self.up = kind(deep_features, 4 * features, 1, bias=False)
        self.leave = nn.Sequential(*[_ResidualBlock(dims, features) for _ in range(blocks)])
        self.tail = _convolution(dims, features, 4)

    @property
    def reach(self) -> tuple[int, ...]:
        """Farthest distance in pixels, (Y, X) or (Z, Y, X), at which an input pixel counts."""
        in_plane = 2 * (2 + 4 * self.blocks) + 4 * 2 * self.deep_blocks + 3
        planes = (1 + self.plane_blocks,) if self.dims == 3 else ()
        return (*planes, in_plane, in_plane)

    @property
    def period(self) -> tuple[int, ...]:
        """Shifts in pixels, (Y, X) or (Z, Y, X), that the output follows."""
        return (4, 4) if self.dims == 2 else (1, 4, 4)

    def blind_to_level(self) -> None:
        """Make the filters of the first layer sum to zero, to float32 rounding."""
        weight = self.head.weight
        axes = tuple(range(1, weight.ndim))
        with torch.no_grad():
            exact = weight.double()
            weight.copy_(exact - exact.mean(dim=axes, keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the denoised image, same shape and dtype as `x`."""
        shallow = self.enter(self.head(self.repeat_edge(self._finer_to_channels(x))))
        deep = self.deep(self.down(shallow))
        noise = self.tail(self.leave(shallow + self._channels_to_finer(self.up(deep))))
        return x - self._channels_to_finer(noise)

    def _finer_to_channels(self, x: Tensor) -> Tensor:
        split: Tensor = self.split(x if self.dims == 2 else x.transpose(1, 2))
        return split if self.dims == 2 else split.transpose(1, 2)

    def _channels_to_finer(self, x: Tensor) -> Tensor:
        joined: Tensor = self.join(x if self.dims == 2 else x.transpose(1, 2))
        return joined if self.dims == 2 else joined.transpose(1, 2)
