"""The network that is trained: made of the settings, with weights drawn from the seed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures.unet import UNet
from napari_tessera.models.architectures.unet_settings import UNetSettings
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings

_MOST_PARAMETERS = 500_000_000


def network_settings(settings: TrainingSettings, channels: int) -> UNetSettings:
    """What the network of a training is made of.

    Parameters
    ----------
    settings : TrainingSettings
        What is asked for.
    channels : int
        Of the image; a target has as many.

    Raises
    ------
    TrainingError
        If the network would be too large.
    """
    made = UNetSettings(
        spatial_dims=settings.spatial_dims,
        in_channels=channels,
        out_channels=channels,
        depth=settings.depth,
        features=settings.features,
        independent=settings.independent_channels,
        batch_norm=settings.batch_norm,
        n2v2=settings.method == "n2v2",
    )
    with torch.device("meta"):
        count = sum(each.numel() for each in UNet(made).parameters())
    if count > _MOST_PARAMETERS:
        raise TrainingError(
            f"a network of depth {settings.depth} with {settings.features} features for "
            f"{channels} channels has {count / 1e6:.0f} million weights, over "
            f"{_MOST_PARAMETERS // 10**6} million; use less depth, or fewer features",
            "features",
        )
    return made


def make_network(made_of: UNetSettings, seed: int) -> UNet:
    """Make a network with weights drawn from a seed; no other generator is touched.

    Convolutions have weights drawn from a normal distribution whose variance is 2 over the number
    of inputs (He et al., "Delving deep into rectifiers", ICCV 2015), 1 over it in the last one,
    and no bias; batch norms change nothing yet.

    Parameters
    ----------
    made_of : UNetSettings
        What it is made of.
    seed : int
        Of the weights.
    """
    with torch.device("meta"):
        network = UNet(made_of)
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: _drawn(name, tuple(tensor.shape), generator)
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(state, assign=True)
    return network


def copy_network(made_of: UNetSettings, state: dict[str, Tensor]) -> UNet:
    """A network of its own in evaluation mode on the CPU, with copies of given weights."""
    with torch.device("meta"):
        network = UNet(made_of)
    copied = {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}
    network.load_state_dict(copied, assign=True)
    network.requires_grad_(False)
    return network.eval()


def memory_format(spatial_dims: int) -> torch.memory_format:
    """How tensors lie in memory: channels last, which convolutions are fastest in."""
    return torch.channels_last if spatial_dims == 2 else torch.channels_last_3d


@torch.no_grad()
def reorder(network: nn.Module, order: torch.memory_format) -> None:
    """Put the weights of convolutions into an order of memory."""
    for each in network.parameters():
        if each.ndim > 2:
            each.data = each.data.contiguous(memory_format=order)


def weight_groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Parameters for the optimizer: weights of convolutions decay, biases and norms do not."""
    weights = [each for each in network.parameters() if each.ndim > 1]
    others = [each for each in network.parameters() if each.ndim <= 1]
    return [
        {"params": weights, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _drawn(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if len(shape) > 1:
        gain = 1.0 if name == "final_conv.weight" else 2.0
        return torch.randn(shape, generator=generator) * math.sqrt(gain / math.prod(shape[1:]))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    one = name.endswith("running_var") or ("batch_norm" in name and name.endswith("weight"))
    return torch.ones(shape) if one else torch.zeros(shape)
