"""Calling a network once, and checking that what comes back is a tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_tessera.models.errors import ModelError, one_line

Network = Callable[[Tensor], Any]
"""Takes float32 NC(Z)YX; what it returns is checked by `call_network`."""

TRIAL_SIZES = {
    2: ((32, 64), (64, 64), (48, 96), (80, 160), (72, 144), (128, 128), (256, 256)),
    3: ((16, 16, 64), (24, 24, 96), (32, 32, 64), (64, 64, 64)),
}
"""Sizes on which an unknown network is tried, smallest first, by number of spatial axes.

Deep networks refuse small tiles, and most refuse sizes that are no multiple of their strides:
powers of two nearly always, now and then 3, 5 or 9 times one.
"""


class OtherSizeError(ModelError):
    """A model whose output has another size than its input."""


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
        float32, NC(Z)YX on the batch's device: as many samples and the same size as ``batch``.

    Raises
    ------
    ModelError
        If the answer is no array, or has another layout or size. What the network itself raises
        comes through as it is.
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
    check_layout(answer.shape, batch.shape, name)
    return answer.detach().to(device=batch.device, dtype=torch.float32)


def check_layout(answer: Sequence[int], given: Sequence[int], name: str) -> None:
    """Raise ModelError unless an answer's shape is a tile's: same samples, axes and size."""
    if len(answer) != len(given) or answer[0] != given[0]:
        raise ModelError.not_usable(
            name,
            f"it returns shape {sizes_text(answer)} for an input of {sizes_text(given)}",
            "Return the axes of the input: samples, channels, then space",
        )
    if tuple(answer[2:]) != tuple(given[2:]):
        raise OtherSizeError.not_usable(
            name,
            f"it returns {sizes_text(answer[2:])} pixels for {sizes_text(given[2:])}",
            "Models whose output has another size than their input are not supported yet: "
            "pad or resample inside the model",
        )


def try_network(
    network: Network, name: str, spatial_dims: int, channels: int, samples: int = 1
) -> tuple[Tensor, Tensor]:
    """Run a network on the smallest of `TRIAL_SIZES` that it takes.

    Returns
    -------
    given, answer : Tensor
        The input, drawn from a fixed seed, and what came back.

    Raises
    ------
    ModelError
        If it takes none of the sizes, or if what it returns is no tile.
    """
    failure: Exception | None = None
    other_size: OtherSizeError | None = None
    shape: tuple[int, ...] = ()
    for size in TRIAL_SIZES[spatial_dims]:
        shape = (samples, channels, *size)
        given = random_batch(shape)
        try:
            return given, call_network(network, given, name)
        except OtherSizeError as error:
            # perhaps only because this size is no multiple of the network's strides
            other_size = other_size or error
        except ModelError:
            raise
        except Exception as error:
            # Any exception: the network is the user's code. The first one tells most; later ones
            # may only say that memory ran out.
            failure = failure or error
    if other_size is not None:
        raise other_size
    assert failure is not None
    raise ModelError.not_usable(
        name,
        f"it fails on inputs up to {sizes_text(shape)} ({one_line(failure)})",
        "Say what it takes with spatial_dims=2 or 3 and in_channels",
    ) from failure


def random_batch(shape: Sequence[int], seed: int = 0) -> Tensor:
    """Draw a float32 batch with mean 0 and standard deviation 1, always the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tuple(shape), generator=generator)


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
