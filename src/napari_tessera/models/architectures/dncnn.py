"""DnCNN: a chain of convolutions that predicts the noise."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures.errors import ArchitectureError

MOST_LAYERS = 200

_NAME = re.compile(
    r"(?:dncnn\.)?([0-9]{1,9})\.(weight|bias|running_mean|running_var|num_batches_tracked)"
)
_CONV: Mapping[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM: Mapping[int, Callable[..., nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


@dataclass(frozen=True)
class ChainLayer:
    """A convolution or a batch norm.

    Parameters
    ----------
    index : int
        Its number in the file; numbers that are left out belong to activations.
    given, result : int
        Channels; of a batch norm both are the same.
    kernel : tuple of int
        Sizes of a convolution; empty for a batch norm.
    bias : bool
        Whether a convolution adds one.
    """

    index: int
    given: int
    result: int
    kernel: tuple[int, ...]
    bias: bool


@dataclass(frozen=True)
class DnCNNSettings:
    """What a DnCNN is made of.

    Parameters
    ----------
    layers : tuple of ChainLayer
        Convolutions and batch norms, in order.
    eps : float
        Of the batch norms.
    """

    layers: tuple[ChainLayer, ...]
    eps: float = 1e-4

    @property
    def convolutions(self) -> tuple[ChainLayer, ...]:
        """The layers that are no batch norms."""
        return tuple(layer for layer in self.layers if layer.kernel)

    @property
    def channels(self) -> int:
        """Channels of the input, and of the output."""
        return self.layers[0].given

    @property
    def spatial_dims(self) -> int:
        """Spatial axes."""
        return len(self.layers[0].kernel)

    @classmethod
    def from_weights(cls, state: Mapping[str, Tensor]) -> DnCNNSettings | None:
        """Find out from weights.

        Weights do not show that there is a ReLU after each convolution but the last and after its
        batch norm, nor that what comes out is the noise; all DnCNNs have it so. ``eps`` is 1e-4 as
        in its authors' code, and PyTorch's 1e-5 where the first convolution has no bias, as in the
        other code that is widely used.

        Parameters
        ----------
        state : mapping of str to Tensor
            Names are ``0.weight``, ``2.weight``, … or ``dncnn.0.weight``, ….

        Returns
        -------
        DnCNNSettings or None
            None where the weights are not those of such a network.

        Raises
        ------
        ArchitectureError
            If they are those of a relative that needs to be told the noise level.
        """
        by_index: dict[int, dict[str, tuple[int, ...]]] = {}
        for key, value in state.items():
            found = _NAME.fullmatch(key)
            if found is None:
                return None
            by_index.setdefault(int(found[1]), {})[found[2]] = tuple(value.shape)
        if not 2 <= len(by_index) <= 2 * MOST_LAYERS:
            return None
        layers = [_layer(index, by_index[index]) for index in sorted(by_index)]
        known = [layer for layer in layers if layer is not None]
        if len(known) < len(layers) or not _is_chain(known):
            return None
        first, last = known[0], known[-1]
        spread = 2 ** len(first.kernel)
        if last.result % spread == 0 and first.given == last.result + 1:
            raise ArchitectureError("it is an FFDNet, which must be told the noise level")
        if first.given == last.result + 1:
            raise ArchitectureError("it must be told the noise level in a channel of its own")
        if first.given != last.result:
            return None
        return cls(tuple(known), 1e-4 if first.bias else 1e-5)


class DnCNN(nn.Module):
    """Convolutional network that predicts the noise, and gives the image less the noise.

    Zhang et al., "Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising",
    IEEE TIP 2017.

    Parameters
    ----------
    settings : DnCNNSettings
        What it is made of.

    Notes
    -----
    Takes and gives float tensors NC(Z)YX of any size. Convolutions pad with zeros.
    """

    def __init__(self, settings: DnCNNSettings) -> None:
        super().__init__()
        self.settings = settings
        for layer in settings.layers:
            self.add_module(str(layer.index), _made(layer, settings))

    def forward(self, x: Tensor) -> Tensor:
        """Return the denoised image."""
        noise = x
        for layer, following in zip(
            self.settings.layers, (*self.settings.layers[1:], None), strict=True
        ):
            noise = self.get_submodule(str(layer.index))(noise)
            if following is not None and following.kernel:
                noise = torch.relu(noise)
        return x - noise


def without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as `DnCNN` names them."""
    return {key.removeprefix("dncnn."): value for key, value in state.items()}


def _made(layer: ChainLayer, settings: DnCNNSettings) -> nn.Module:
    if not layer.kernel:
        return _NORM[settings.spatial_dims](layer.result, eps=settings.eps)
    # the same padding on all sides: sizes of kernels are odd
    return _CONV[settings.spatial_dims](
        layer.given, layer.result, layer.kernel, padding="same", bias=layer.bias
    )


def _layer(index: int, shapes: Mapping[str, tuple[int, ...]]) -> ChainLayer | None:
    weight = shapes.get("weight", ())
    if len(weight) in (4, 5) and shapes.keys() <= {"weight", "bias"}:
        odd = all(size % 2 for size in weight[2:])
        if not odd:
            return None
        return ChainLayer(index, weight[1], weight[0], weight[2:], "bias" in shapes)
    if len(weight) == 1 and {"running_mean", "running_var", "bias"} <= shapes.keys():
        return ChainLayer(index, weight[0], weight[0], (), True)
    return None


def _is_chain(layers: Sequence[ChainLayer]) -> bool:
    """Whether each layer takes what the one before gives, and numbers leave room as they must."""
    if not layers[0].kernel or not layers[-1].kernel:
        return False
    dims = {len(layer.kernel) for layer in layers if layer.kernel}
    for one, other in itertools.pairwise(layers):
        # a batch norm follows at once, a convolution after an activation
        gap = 2 if other.kernel else 1
        if one.result != other.given or other.index - one.index != gap:
            return False
    return layers[0].index == 0 and len(dims) == 1
