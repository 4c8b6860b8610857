"""Activations by the names that model files give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from napari_tessera.models.architectures.errors import ArchitectureError, shown

_KNOWN: Mapping[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=1),
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
}


def checked_activation(name: str | None) -> str:
    """The name of an activation as `make_activation` takes it, whatever its case.

    Raises
    ------
    ArchitectureError
        If there is none of that name.
    """
    key = "none" if name is None else name.lower()
    if key not in _KNOWN:
        raise ArchitectureError(
            f"its final activation {shown(name)} is none of {', '.join(_KNOWN)}"
        )
    return key


def make_activation(name: str) -> nn.Module:
    """Build an activation from the name that `checked_activation` returned."""
    return _KNOWN[name]()
