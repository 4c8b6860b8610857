"""The numbers that scale grey levels, for float32: what a device computes with.

`Resolved.scaled` and `Resolved.finished` work in float64, which takes a CPU several times as long
and which some accelerators have not at all. Here a number that is added or subtracted is two
float32 numbers instead, its nearest one and the rest: the large parts cancel before anything is
rounded, so that the result is within two roundings of theirs. There is one operation a step, never
a fused one: each is rounded as IEEE 754 says, so that the result is the same bytes on every device,
in batches of any size and with any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_tessera.models.processing import Resolved

FARTHEST = 1e30
"""Numbers beyond this, and those below its inverse, are left to float64: float32 ends at 3e38."""

Number = Any
"""One float for all channels, or an array (tensor) of one for each that spreads over a tile."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is done first and last to a tile, in float32. Nothing is there for what changes nothing.

    Parameters
    ----------
    subtract : tuple of number
        Subtracted one after another.
    divide : number or None
        Then divided by.
    multiply : number or None
        Last of all, what the network made is multiplied by this.
    add : tuple of number
        And these are added, one after another.
    largest : float
        Grey levels up to this in size stay finite in float32 all the way.
    """

    subtract: tuple[Number, ...]
    divide: Number | None
    multiply: Number | None
    add: tuple[Number, ...]
    largest: float

    @classmethod
    def of(cls, resolved: Resolved, ndim: int) -> Scaling | None:
        """The numbers of some processing; None where float32 cannot hold them.

        Parameters
        ----------
        resolved : Resolved
            The processing of a sample.
        ndim : int
            Axes of a tile, the channels included.
        """
        numbers = (resolved.subtract, resolved.divide, resolved.multiply, resolved.add)
        if not all((np.abs(values) <= FARTHEST).all() for values in numbers):
            return None
        if not (np.abs(resolved.divide) >= 1 / FARTHEST).all():
            return None
        smallest = min(1.0, float(np.abs(resolved.divide).min()))
        return cls(
            subtract=_parts(resolved.subtract, ndim),
            divide=_factor(resolved.divide, ndim),
            multiply=_factor(resolved.multiply, ndim),
            add=tuple(reversed(_parts(resolved.add, ndim))),
            largest=FARTHEST * smallest - float(np.abs(resolved.subtract).max()),
        )

    def converted(self, convert: Callable[[Number], Number]) -> Scaling:
        """The same with all arrays as something else, such as tensors on a device.

        What is divided by is an array then, of one number at least: CUDA's kernels multiply by the
        inverse of a number that the host gives, which is rounded twice.
        """
        divide = self.divide
        if isinstance(divide, float):
            divide = np.full(1, divide, np.float32)

        def one(number: Number) -> Number:
            return convert(number) if isinstance(number, np.ndarray) else number

        return Scaling(
            tuple(map(one, self.subtract)),
            one(divide),
            one(self.multiply),
            tuple(map(one, self.add)),
            self.largest,
        )

    def scale(self, pixels: Any) -> None:
        """Subtract and divide in place: a float32 array, or a tensor where the numbers are."""
        for number in self.subtract:
            pixels -= number
        if self.divide is not None:
            pixels /= self.divide

    def restore(self, made: Any) -> None:
        """Multiply and add in place."""
        if self.multiply is not None:
            made *= self.multiply
        for number in self.add:
            made += number


def _parts(values: NDArray[np.float64], ndim: int) -> tuple[Number, ...]:
    """A number as the sum of float32 ones, the nearest first; those that are 0 are left out."""
    nearest = values.astype(np.float32)
    rest = (values - nearest).astype(np.float32)
    return tuple(_spread(part, ndim) for part in (nearest, rest) if part.any())


def _factor(values: NDArray[np.float64], ndim: int) -> Number | None:
    return None if (values == 1).all() else _spread(values.astype(np.float32), ndim)


def _spread(values: NDArray[np.float32], ndim: int) -> Number:
    if (values == values[0]).all():
        return float(values[0])
    return values.reshape(-1, *(1,) * (ndim - 1))
