"""Random weights in the names and shapes of other people's networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def unet_state(
    dims: int = 2,
    channels: int = 1,
    classes: int | None = None,
    depth: int = 2,
    features: int = 4,
    *,
    independent: bool = True,
    n2v2: bool = False,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Weights of a CAREamics U-Net, as its own code names and shapes them.

    The list of layers was taken down from checkpoints that CAREamics wrote.
    """
    groups = channels if independent else 1
    classes = channels if classes is None else classes
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, (given, between, result) in _blocks(channels, depth, features * groups, n2v2):
        for number, (one, other) in ((1, (given, between)), (2, (between, result))):
            shape = (other, one // groups, *(3,) * dims)
            scale = (2 / (shape[1] * 3**dims)) ** 0.5
            state[f"{name}.conv{number}.weight"] = torch.randn(shape, generator=generator) * scale
            state[f"{name}.conv{number}.bias"] = torch.randn(other, generator=generator) / 10
            norm = f"{name}.batch_norm{number}"
            state[f"{norm}.weight"] = 1 + torch.rand(other, generator=generator) / 5
            state[f"{norm}.bias"] = torch.randn(other, generator=generator) / 10
            state[f"{norm}.running_mean"] = torch.randn(other, generator=generator) / 10
            state[f"{norm}.running_var"] = 1 + torch.rand(other, generator=generator) / 5
            state[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    shape = (classes, features, *(1,) * dims)
    state["final_conv.weight"] = torch.randn(shape, generator=generator) / features**0.5
    state["final_conv.bias"] = torch.randn(classes, generator=generator) / 10
    return state


def _blocks(
    channels: int, depth: int, width: int, n2v2: bool
) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Names of blocks, and the channels before, between and after their convolutions."""
    for level in range(depth):
        out = width * 2**level
        given = channels if level == 0 else out // 2
        yield f"encoder.encoder_blocks.{2 * level}", (given, out, out)
    deep = width * 2 ** (depth - 1)
    yield "decoder.bottleneck", (deep, 2 * deep, deep)
    for at in range(depth):
        here = width * 2 ** (depth - 1 - at)
        is_top = at == depth - 1
        given = here if n2v2 and is_top else 2 * here
        out = here if is_top else here // 2
        yield f"decoder.decoder_blocks.{2 * at + 1}", (given, out * (1 if is_top else 2), out)


def untrained_norms(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with batch norms as they are made: there, but not used."""
    made = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
    result = {}
    for key, value in state.items():
        name = key.rpartition(".")[2]
        if ".batch_norm" not in key:
            result[key] = value
        elif name in made:
            result[key] = torch.full_like(value, made[name])
        else:
            result[key] = torch.zeros_like(value)
    return result


def dncnn_state(
    dims: int = 2,
    channels: int = 1,
    layers: int = 5,
    features: int = 8,
    *,
    norms: bool = False,
    bias: bool = True,
    prefix: str = "model.",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Weights of a DnCNN: an activation after each convolution takes a number, a norm another."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    index = 0
    for at in range(layers):
        given = channels if at == 0 else features
        result = channels if at == layers - 1 else features
        shape = (result, given, *(3,) * dims)
        scale = (2 / (given * 3**dims)) ** 0.5
        state[f"{prefix}{index}.weight"] = torch.randn(shape, generator=generator) * scale
        if bias:
            state[f"{prefix}{index}.bias"] = torch.randn(result, generator=generator) / 10
        if norms and 0 < at < layers - 1:
            index += 1
            values = (
                1 + torch.rand(result, generator=generator),
                torch.randn(result, generator=generator) / 10,
                torch.randn(result, generator=generator) / 10,
                torch.rand(result, generator=generator) / 1000,
                torch.tensor(3),
            )
            for name, value in zip(NORM, values, strict=True):
                state[f"{prefix}{index}.{name}"] = value
        index += 2
    return state
