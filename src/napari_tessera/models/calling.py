"""Calling a network once, and checking that what comes back is an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_tessera.models.errors import ModelError

Network = Callable[[Tensor], Any]
"""Takes float32 NC(Z)YX; what it returns is checked by `call_network`."""


class OtherSizeError(ModelError):
    """A model whose output has a size that is not understood."""


def call_network(network: Network, batch: Tensor, name: str) -> Tensor:
    """Run a network on a batch and return its answer as a float32 tensor of the same layout.

    Parameters
    ----------
    network : callable
        Gets a copy of the batch, so that one that works in place does not change it.
    batch : Tensor
        float32, NC(Z)YX.
    name : str
        What the errors call the model.

    Returns
    -------
    Tensor
        float32, NC(Z)YX on the batch's device: as many samples as ``batch``, of any size.

    Raises
    ------
    ModelError
        If the answer is no array, or has another layout. What the network itself raises comes
        through as it is.
    """
    answer = network(batch.clone())
    if isinstance(answer, np.ndarray | np.generic):
        if not (answer.dtype == np.bool_ or np.issubdtype(answer.dtype, np.number)):
            raise _no_tile(name, f"an array of {answer.dtype}")
        answer = torch.from_numpy(np.ascontiguousarray(answer, dtype=np.float32))
    if not isinstance(answer, Tensor):
        raise _no_tile(name, _describe(answer))
    if answer.is_complex():
        raise _no_tile(name, "complex numbers")
    if answer.ndim != batch.ndim or answer.shape[0] != batch.shape[0]:
        raise ModelError.not_usable(
            name,
            f"it returns shape {sizes_text(answer.shape)} for an input of "
            f"{sizes_text(batch.shape)}",
            "Return the axes of the input: samples, channels, then space",
        )
    return answer.detach().to(device=batch.device, dtype=torch.float32)


def check_batch(batch: Tensor, spatial_dims: int, in_channels: int | None, name: str) -> None:
    """Raise ModelError unless a batch has the axes and channels that a model takes.

    Parameters
    ----------
    batch : Tensor
        What is given.
    spatial_dims : int
        2 or 3.
    in_channels : int or None
        None for any number.
    name : str
        What the errors call the model.
    """
    if batch.ndim != spatial_dims + 2:
        axes = "NCZYX" if spatial_dims == 3 else "NCYX"
        raise ModelError.not_usable(
            name,
            f"it takes {axes} and the batch has {batch.ndim} axes",
            "Fold or split axes, or choose a model for them",
        )
    if in_channels not in (None, batch.shape[1]):
        channels = "1 channel" if in_channels == 1 else f"{in_channels} channels"
        raise ModelError.not_usable(
            name,
            f"it takes {channels} and the batch has {batch.shape[1]}",
            "Choose channels, or a model for as many",
        )


def check_size(
    answer: Sequence[int], given: Sequence[int], expected: Sequence[int] | None, name: str
) -> None:
    """Raise OtherSizeError unless an answer has the size that it should have.

    Parameters
    ----------
    answer, given : sequence of int
        Sizes in pixels along (Z)YX, of the answer and of the input.
    expected : sequence of int, or None
        Size that the answer should have; None where there is none.
    name : str
        What the errors call the model.
    """
    if expected is None or tuple(answer) != tuple(expected):
        raise OtherSizeError.not_usable(
            name,
            f"it returns {sizes_text(answer)} pixels for {sizes_text(given)}",
            "Return as many pixels as went in, or always as many less, or always the same "
            "multiple: pad or resample inside the model",
        )


def random_batch(shape: Sequence[int], seed: int = 0) -> Tensor:
    """Draw a float32 batch with mean 0 and standard deviation 1, always the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float32, device="cpu")


def sizes_text(sizes: Sequence[int]) -> str:
    """Write a shape as people do: ``1×1×64×64``."""
    return "×".join(str(int(size)) for size in sizes) or "a single number"


def _describe(answer: object) -> str:
    if isinstance(answer, tuple | list | dict):
        return f"a {type(answer).__name__} of {len(answer)} items"
    return f"{type(answer).__name__!r}" if answer is not None else "nothing"


def _no_tile(name: str, what: str) -> ModelError:
    return ModelError.not_usable(
        name, f"it returns {what} instead of one image", "Wrap it so that it returns one tensor"
    )
