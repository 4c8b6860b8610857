"""Tiles of any size, in batches of any number, for networks that take only some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_tessera.models.calling import Network, call_network, check_size, sizes_text
from napari_tessera.models.errors import ModelError
from napari_tessera.models.geometry import ModelGeometry


@dataclass(frozen=True)
class FullBatches:
    """A network that takes a fixed number of samples, fed with any number.

    The last samples are filled up with repetitions.

    Parameters
    ----------
    network : callable
        The network itself.
    name : str
        What errors call the model.
    samples : int
        How many it takes.
    """

    network: Network
    name: str
    samples: int

    def __call__(self, batch: Tensor) -> Any:
        """Run the network."""
        answers = []
        for part in torch.split(batch, self.samples):
            missing = self.samples - len(part)
            full = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])])
            answers.append(call_network(self.network, full, self.name)[: len(part)])
        return torch.cat(answers)


def with_batches(network: Network, name: str, samples: int | None) -> Network:
    """The network itself, or one that takes any number of samples where it takes a fixed one."""
    return network if samples is None else FullBatches(network, name, samples)


def run_on_any_size(network: Network, batch: Tensor, name: str, geometry: ModelGeometry) -> Tensor:
    """Run a network on tiles of any size.

    Tiles are padded by reflection: at the far ends up to the next size that the network takes, and
    at both ends by what it loses there. What comes out is cut to the size of the tiles.

    Parameters
    ----------
    network : callable
        Takes the sizes of ``geometry``.
    batch : Tensor
        float32, NC(Z)YX; it is not changed.
    name : str
        What errors call the model.
    geometry : ModelGeometry
        Of the network.

    Returns
    -------
    Tensor
        float32, NC(Z)YX of the same size.

    Raises
    ------
    ModelError
        If the tile is larger than the network takes, if its output has another scale, or if what
        it returns is no such tensor. Its own exceptions come through.
    """
    if not geometry.keeps_size:
        raise ModelError.not_usable(name, *other_scale(geometry.output_scale))
    size = tuple(batch.shape[2:])
    before = [max(near, 0) for near in geometry.offset]
    after = [max(far, 0) for far in geometry.far_offset]
    wanted = [b + n + a for b, n, a in zip(before, size, after, strict=True)]
    full = geometry.sizes.rounded_up(wanted)
    if full is None:
        limit = [n if most is None else most for n, most in _zip(size, geometry.largest_tile)]
        raise ModelError.not_usable(
            name,
            f"it takes at most {sizes_text(limit)} pixels and the tile has {sizes_text(size)}",
            f"Choose tiles of {sizes_text(limit)}",
        )
    lost = [near + far for near, far in _zip(geometry.offset, geometry.far_offset)]
    answer = call_network(network, padded(batch, before, full), name)
    expected = tuple(n - less for n, less in _zip(full, lost))
    check_size(answer.shape[2:], full, expected, name)
    for axis, (near, n) in enumerate(_zip(geometry.offset, size), start=2):
        if near < 0 or answer.shape[axis] != n:
            answer = answer.narrow(axis, max(-near, 0), n)
    return answer


def other_scale(scale: Sequence[float]) -> tuple[str, str]:
    """Say why a network whose output has another scale cannot be used, and the way out."""
    text = "×".join(f"{s:g}" for s in scale)
    return (
        f"its output has {text} times the pixels of its input",
        "Tiles keep their size here: scale its output back inside the model, "
        "or choose a model that keeps the pixel size",
    )


def padded(batch: Tensor, before: Sequence[int], size: Sequence[int]) -> Tensor:
    """Pad a batch by reflection, over and over where it is smaller than the padding.

    Parameters
    ----------
    batch : Tensor
        NC(Z)YX.
    before : sequence of int
        Pixels before it along (Z)YX.
    size : sequence of int
        Size to pad to.

    Returns
    -------
    Tensor
        The batch itself where there is nothing to pad. The pixel at an end stands there once.
    """
    for axis, (start, stop) in enumerate(_zip(before, size), start=2):
        length = batch.shape[axis]
        if start or stop != length:
            index = reflected(-start, stop - start, length).to(batch.device)
            batch = batch.index_select(axis, index)
    return batch


def reflected(start: int, stop: int, length: int) -> Tensor:
    """Positions inside an axis that stand for positions outside: … 2 1 0 1 2 … 2 1 0 1 ….

    Parameters
    ----------
    start, stop : int
        First position, and the one after the last.
    length : int
        Length of the axis.
    """
    turn = max(2 * (length - 1), 1)
    folded = torch.arange(start, stop).remainder(turn)
    return torch.minimum(folded, turn - folded) if length > 1 else folded


def _zip(one: Sequence[Any], other: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(one, other, strict=True))
