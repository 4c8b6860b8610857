"""Putting weights into a network, after it is known that they fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures.errors import ArchitectureError

M = TypeVar("M", bound=nn.Module)


def filled(make: Callable[[], M], state: Mapping[str, Tensor]) -> M:
    """Build a network and give it its weights.

    Shapes are compared first, on a network without memory: nothing is allocated for weights that
    do not fit, whatever sizes settings ask for.

    Parameters
    ----------
    make : callable
        Builds the network.
    state : mapping of str to Tensor
        By the names that the network itself gives them; neither more nor less.

    Returns
    -------
    nn.Module
        On the CPU, float32, in evaluation mode, with weights of its own.

    Raises
    ------
    ArchitectureError
        If weights are missing or too many, of another shape, or not finite.
    """
    try:
        with torch.device("meta"):
            network = make()
    except (RuntimeError, ValueError, TypeError) as error:
        # sizes whose product no integer holds; groups that do not divide channels
        raise ArchitectureError("a network of its sizes cannot be built") from error
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    # how many batches a norm has seen matters in training only, and old files do not hold it
    counts = {key for key in {*expected, *state} if key.endswith("num_batches_tracked")}
    _check_names(expected.keys() - counts, state.keys() - counts)
    weights = {key: torch.zeros((), dtype=torch.int64) for key in counts & expected.keys()}
    expected = {key: shape for key, shape in expected.items() if key not in counts}
    for key, shape in expected.items():
        found = tuple(state[key].shape)
        if found != shape:
            raise ArchitectureError(f"its weight {key} has shape {found}, not {shape}")
    for key in expected:
        value = state[key].detach()
        if not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise ArchitectureError(f"its weight {key} holds {kind}, not real numbers")
        # a copy in any case: what was loaded may be mapped to the file
        own = value.to(torch.float32, copy=True).contiguous()
        if not bool(torch.isfinite(own).all()):
            raise ArchitectureError(f"its weight {key} holds numbers that are not finite")
        weights[key] = own
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _check_names(expected: Collection[str], found: Collection[str]) -> None:
    missing, extra = sorted({*expected} - {*found}), sorted({*found} - {*expected})
    if missing:
        raise ArchitectureError(f"{len(missing)} of its weights are missing ({missing[0]!r:.80})")
    if extra:
        raise ArchitectureError(f"it has {len(extra)} weights too many ({extra[0]!r:.80})")
