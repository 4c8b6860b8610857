"""Pooling that does not alias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_MAX_POOL = {2: functional.max_pool2d, 3: functional.max_pool3d}
_CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}


class MaxBlurPool(nn.Module):
    """Maximum of 2 pixels along each axis, a binomial blur of 3, and every second pixel of that.

    R. Zhang, "Making convolutional networks shift-invariant again", ICML 2019; N2V2 uses it in the
    place of max pooling.

    Parameters
    ----------
    spatial_dims : {2, 3}
        Spatial axes.

    Notes
    -----
    Takes and gives NC(Z)YX; a size s becomes ``s // 2``. The blur pads with zeros.
    """

    kernel: Tensor

    def __init__(self, spatial_dims: int) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        line = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float32, device="cpu")
        kernel = line
        for _ in range(spatial_dims - 1):
            kernel = kernel[..., None] * line
        # no checkpoint holds it, and on the CPU it stays although weights are still to come
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return every second pixel along each axis."""
        channels = x.shape[1]
        peaks = _MAX_POOL[self.spatial_dims](x, kernel_size=2, stride=1)
        weight = self.kernel.to(x.dtype).expand(channels, 1, *self.kernel.shape)
        blurred: Tensor = _CONVOLVE[self.spatial_dims](
            peaks, weight, stride=2, padding=1, groups=channels
        )
        return blurred
