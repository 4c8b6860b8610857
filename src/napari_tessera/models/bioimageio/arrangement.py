"""Networks whose axes are others than NC(Z)YX, called as if they were those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_tessera.models.calling import Network
from napari_tessera.models.loaded import Placeable
from napari_tessera.models.whole_numbers import as_type


@dataclass(frozen=True)
class Arrangement:
    """How a network takes and gives tensors.

    Parameters
    ----------
    taken, given : str
        A letter for each axis of its input and output: N, C, Z, Y, X, or 1 for an axis with a
        single entry that is none of these.
    dtype : str
        Type of the numbers that it takes.
    position : int
        Of the image among its arguments; None is passed for those before it.
    """

    taken: str
    given: str
    dtype: str = "float32"
    position: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether the network takes and gives float32 NC(Z)YX as it is."""
        standard = {"NCYX", "NCZYX"}
        return {self.taken, self.given} <= standard and self.is_float and not self.position

    @property
    def is_float(self) -> bool:
        """Whether it takes floating-point numbers."""
        return self.dtype.startswith("float")

    def call(self, network: Network, batch: Tensor) -> Any:
        """Call a network with a batch, float32 NC(Z)YX, and arrange its answer so."""
        if "N" in self.taken:
            return self._call_once(network, batch)
        samples = [self._call_once(network, batch[i : i + 1]) for i in range(len(batch))]
        return torch.cat(samples)

    def _call_once(self, network: Network, batch: Tensor) -> Any:
        standard = "NCZYX" if batch.ndim == 5 else "NCYX"
        call: Callable[..., Any] = network
        answer = call(*(None,) * self.position, self._cast(_to(batch, standard, self.taken)))
        while isinstance(answer, tuple | list) and len(answer) == 1:
            answer = answer[0]
        return _from(answer, self.given, standard)

    def _cast(self, batch: Tensor) -> Tensor:
        return batch if self.is_float else as_type(batch, getattr(torch, self.dtype))


class ArrangedModule(nn.Module):
    """A module, called with float32 NC(Z)YX.

    Parameters
    ----------
    inner : nn.Module
        The network.
    arrangement : Arrangement
        What it takes.
    """

    def __init__(self, inner: nn.Module, arrangement: Arrangement) -> None:
        super().__init__()
        self.inner = inner
        self.arrangement = arrangement

    def forward(self, batch: Tensor) -> Any:
        """Run it on NC(Z)YX."""
        return self.arrangement.call(self.inner, batch)


@dataclass(frozen=True)
class ArrangedProgram:
    """A network that is no module but can be put on devices, called with float32 NC(Z)YX."""

    inner: Network
    arrangement: Arrangement

    def __call__(self, batch: Tensor) -> Any:
        """Run it on NC(Z)YX."""
        return self.arrangement.call(self.inner, batch)

    def placed_on(self, device: torch.device) -> Network:
        """Return the same for another device."""
        inner: object = self.inner
        if not isinstance(inner, Placeable):
            raise RuntimeError("it runs on the CPU only")
        return ArrangedProgram(inner.placed_on(device), self.arrangement)


def arranged(network: Network, arrangement: Arrangement) -> Network:
    """A network that takes and gives float32 NC(Z)YX."""
    if isinstance(network, nn.Module):
        return ArrangedModule(network, arrangement)
    return network if arrangement.is_plain else ArrangedProgram(network, arrangement)


def _to(batch: Tensor, standard: str, letters: str) -> Tensor:
    """Axes of a batch in the order of some letters; axes that are not among them have one entry."""
    dropped = [i for i, letter in enumerate(standard) if letter not in letters]
    kept = [letter for letter in standard if letter in letters]
    for i in reversed(dropped):
        if batch.shape[i] != 1:
            raise ValueError(f"the network takes no axis {standard[i]} of {batch.shape[i]} entries")
        batch = batch.squeeze(i)
    batch = batch.permute([kept.index(letter) for letter in letters if letter in kept])
    for i, letter in enumerate(letters):
        if letter == "1":
            batch = batch.unsqueeze(i)
    return batch


def _from(answer: Any, letters: str, standard: str) -> Any:
    """What `_to` did, undone; something else than a tensor of these axes is left as it is."""
    if not isinstance(answer, Tensor) or answer.ndim != len(letters):
        return answer
    for i in reversed(range(len(letters))):
        if letters[i] == "1" and answer.shape[i] == 1:
            answer = answer.squeeze(i)
    kept = [letter for letter in letters if letter != "1"]
    answer = answer.permute([kept.index(letter) for letter in standard if letter in kept])
    for i, letter in enumerate(standard):
        if letter not in kept:
            answer = answer.unsqueeze(i)
    return answer
