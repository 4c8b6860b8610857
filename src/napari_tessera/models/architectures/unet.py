"""The U-Net of CAREamics: N2V, N2V2, Noise2Noise, CARE."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures.activations import make_activation
from napari_tessera.models.architectures.blur_pool import MaxBlurPool
from napari_tessera.models.architectures.unet_settings import UNetSettings

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_MAX_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_UPSAMPLING = {2: "bilinear", 3: "trilinear"}


class _ConvBlock(nn.Module):
    """Twice: a convolution of 3 pixels, a batch norm where there is one, a ReLU."""

    def __init__(self, settings: UNetSettings, given: int, between: int, result: int) -> None:
        super().__init__()
        dims, groups = settings.spatial_dims, settings.groups
        self.conv1 = _CONV[dims](given, between, 3, padding=1, groups=groups)
        self.conv2 = _CONV[dims](between, result, 3, padding=1, groups=groups)
        normed = settings.batch_norm
        self.batch_norm1 = _NORM[dims](between) if normed else nn.Identity()
        self.batch_norm2 = _NORM[dims](result) if normed else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.batch_norm1(self.conv1(x)))
        return torch.relu(self.batch_norm2(self.conv2(x)))


class _Encoder(nn.Module):
    """Blocks with a pooling after each; gives what each block found, and the last pooled."""

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        dims, width = settings.spatial_dims, settings.width
        blocks: list[nn.Module] = []
        for level in range(settings.depth):
            given = settings.in_channels if level == 0 else width(level - 1)
            blocks.append(_ConvBlock(settings, given, width(level), width(level)))
            blocks.append(MaxBlurPool(dims) if settings.n2v2 else _MAX_POOL[dims](2))
        self.encoder_blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        found = []
        for block in self.encoder_blocks:
            x = block(x)
            if isinstance(block, _ConvBlock):
                found.append(x)
        return x, found


class _Decoder(nn.Module):
    """The bottleneck, then for each level: twice the size, what the encoder found, a block."""

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.groups = settings.groups
        width, deepest = settings.width, settings.depth - 1
        self.bottleneck = _ConvBlock(settings, width(deepest), 2 * width(deepest), width(deepest))
        blocks: list[nn.Module] = []
        for level in range(deepest, -1, -1):
            mode = _UPSAMPLING[settings.spatial_dims]
            blocks.append(nn.Upsample(scale_factor=2, mode=mode))
            given = 2 * width(level) if settings.skips(level) else width(level)
            result = width(level) // 2 if level else width(0)
            blocks.append(_ConvBlock(settings, given, width(level), result))
        self.decoder_blocks = nn.ModuleList(blocks)
        self.joins = tuple(settings.skips(level) for level in range(deepest, -1, -1))

    def forward(self, x: Tensor, found: list[Tensor]) -> Tensor:
        x = self.bottleneck(x)
        levels = reversed(found)
        for at, is_joined in enumerate(self.joins):
            x = self.decoder_blocks[2 * at](x)
            beside = next(levels)
            if is_joined:
                x = _joined(x, beside, self.groups)
            x = self.decoder_blocks[2 * at + 1](x)
        return x


class UNet(nn.Module):
    """U-Net with the layers and the names of CAREamics' own, so that its weights fit.

    Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI
    2015, with two convolutions a level, padded, and upsampling by interpolation.

    Parameters
    ----------
    settings : UNetSettings
        What it is made of.

    Notes
    -----
    Takes and gives float tensors NC(Z)YX whose sizes are multiples of ``2 ** depth``. Dropout,
    which CAREamics can train with, does nothing in prediction and is left out.
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = _Encoder(settings)
        self.decoder = _Decoder(settings)
        self.final_conv = _CONV[settings.spatial_dims](
            settings.width(0), settings.out_channels, 1, groups=settings.groups
        )
        self.final_activation = make_activation(settings.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return the prediction, in the size of ``x``."""
        answer: Tensor = self.final_conv(self.decoder(*self.encoder(x)))
        if self.settings.residual:
            answer = answer + x
        activated: Tensor = self.final_activation(answer)
        return activated


def _joined(first: Tensor, second: Tensor, groups: int) -> Tensor:
    """Put channels side by side, within each group: its share of the first, then of the second."""
    if groups == 1:
        return torch.cat((first, second), dim=1)
    parts = [torch.unflatten(part, 1, (groups, -1)) for part in (first, second)]
    return torch.cat(parts, dim=2).flatten(1, 2)
