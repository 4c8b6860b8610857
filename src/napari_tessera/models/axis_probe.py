"""A network on inputs that are long along one axis and narrow along the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_tessera.models.calling import Network, call_network, random_batch, sizes_text
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.sizes import ValidSizes


@dataclass(frozen=True)
class AxisProbe:
    """Runs a network on narrow inputs and looks at the answer along one axis.

    Measuring along one axis at a time on such inputs costs a fraction of a square or a cube.

    Parameters
    ----------
    network : callable
        On the CPU, float32.
    name : str
        What errors call the model.
    channels : int
        Input channels.
    axis : int
        The axis of interest, counted from the first spatial one.
    narrow : tuple of int
        Size along every spatial axis; the one along ``axis`` is not used.
    shortest, longest : int
        Shortest and longest input along ``axis``, in pixels.
    sizes : ValidSizes, optional
        Sizes that the network takes; any by default.
    """

    network: Network
    name: str
    channels: int
    axis: int
    narrow: tuple[int, ...]
    shortest: int
    longest: int
    sizes: ValidSizes | None = None

    def lengths(self, shortest: int | None = None) -> list[int]:
        """Lengths that are tried, shortest first: each at least twice the one before."""
        found: list[int] = []
        wanted = shortest or self.shortest
        while (length := self._fitting(wanted)) is not None and length <= self.longest:
            found.append(length)
            wanted = 2 * length
        most = self.sizes.maximum[self.axis] if self.sizes is not None else None
        return found or [most or self.shortest]

    def length_for(self, step: int, least: int) -> int | None:
        """Length of an input that is to be shifted by ``step`` pixels, and at least ``least``.

        An odd multiple of the step where the network takes one: what resizes inside then shows
        whether the step goes with its grid. None where it takes nothing so long.
        """
        first = found = self._fitting(least)
        for _ in range(2 * step):
            if found is None or found % (2 * step) == step:
                break
            found = self._fitting(found + 1)
        return found if found is not None and found % (2 * step) == step else first

    def _fitting(self, length: int) -> int | None:
        if self.sizes is None:
            return length
        wanted = list(self.sizes.minimum)
        wanted[self.axis] = length
        size = self.sizes.rounded_up(wanted)
        return None if size is None else size[self.axis]

    def shape(self, length: int) -> tuple[int, ...]:
        """Shape of an input, NC(Z)YX, of some length along the axis."""
        size = list(self.narrow)
        size[self.axis] = length
        return (1, self.channels, *size)

    def random(self, length: int, seed: int = 0) -> Tensor:
        """Draw an input with mean 0 and standard deviation 1."""
        return random_batch(self.shape(length), seed)

    def run(self, batch: Tensor) -> Tensor:
        """Run the network.

        Raises
        ------
        ModelError
            If it fails, or does not return a tile.
        """
        try:
            with torch.no_grad():
                return call_network(self.network, batch, self.name)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError.not_usable(
                self.name,
                f"it fails on an input of {sizes_text(batch.shape)} ({message_line(error)})",
                "It must take tiles of any size that is a multiple of its strides",
            ) from error

    def pixel(self, position: int) -> tuple[slice | int, ...]:
        """Index of one pixel in the middle of the narrow axes, in all channels."""
        return (slice(None), slice(None), *self._at(position, [s // 2 for s in self.narrow]))

    def section(self, position: int) -> tuple[slice | int, ...]:
        """Index of the whole cross-section at a position along the axis."""
        return (slice(None), slice(None), *self._at(position, [slice(None)] * len(self.narrow)))

    def between(self, batch: Tensor, start: int, stop: int) -> Tensor:
        """Part of a batch along the axis."""
        return batch.narrow(self.axis + 2, start, stop - start)

    def positions(self, mask: Tensor) -> NDArray[np.intp]:
        """Positions along the axis at which a mask (NC(Z)YX) holds anywhere, ascending."""
        others = [dim for dim in range(mask.ndim) if dim != self.axis + 2]
        return np.flatnonzero(mask.to(torch.uint8).amax(dim=others).numpy())

    def _at(self, position: int, others: Sequence[slice | int]) -> tuple[slice | int, ...]:
        index = list(others)
        index[self.axis] = position
        return tuple(index)


def middle(length: int) -> int:
    """Where the first probed pixel lies: a little left of the middle, as offsets go right."""
    return length // 2 - length // 16


def widest_gap(offsets: Sequence[int], period: int) -> int:
    """Widest distance between neighbouring offsets on a circle of ``period`` pixels."""
    on_circle = sorted({offset % period for offset in offsets})
    around = [*on_circle, on_circle[0] + period]
    return max(after - before for before, after in pairwise(around))
