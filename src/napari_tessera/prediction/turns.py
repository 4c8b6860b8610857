"""The eight flips and quarter turns of a plane, and what is made of their predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from napari_tessera.models import ModelGeometry


@dataclass(frozen=True)
class Turn:
    """One of the symmetries of the square, applied to the last two axes.

    Parameters
    ----------
    quarters : int
        Quarter turns, 0…3, from Y to X.
    flipped : bool
        Whether X is reversed first.
    """

    quarters: int
    flipped: bool

    def apply(self, tile: Tensor) -> Tensor:
        """Turn a tile; odd quarters swap the sizes of Y and X."""
        import torch

        there = tile.flip(-1) if self.flipped else tile
        return torch.rot90(there, self.quarters, (-2, -1)).contiguous()

    def shape(self, size: Sequence[int]) -> tuple[int, ...]:
        """Sizes of a turned tile."""
        *rest, y, x = size
        return (*rest, x, y) if self.quarters % 2 else (*rest, y, x)

    def undo(self, tile: Tensor) -> Tensor:
        """Turn it back."""
        import torch

        back = torch.rot90(tile, -self.quarters, (-2, -1))
        return back.flip(-1) if self.flipped else back


TURNS = tuple(Turn(quarters, flipped) for flipped in (False, True) for quarters in range(4))
"""All eight, the one that changes nothing first."""


def turnable(geometry: ModelGeometry) -> ModelGeometry:
    """What tiles must be like so that a turned tile suits the model as well: alike in Y and X."""
    *rest, y, x = geometry.period
    square = lcm(y, x)
    reach = geometry.reach
    if reach is not None:
        far = max(reach[-2:])
        reach = (*reach[:-2], far, far)
    *deep, most_y, most_x = geometry.sizes.maximum
    limits = [most for most in (most_y, most_x) if most is not None]
    most = min(limits) if limits else None
    sizes = replace(geometry.sizes, maximum=(*deep, most, most))
    return replace(geometry, reach=reach, period=(*rest, square, square), sizes=sizes)


class Reduction(Protocol):
    """Takes predictions one after another."""

    def add(self, prediction: NDArray[np.float64]) -> None:
        """Take one more, of the shape of those before."""
        ...

    @property
    def result(self) -> NDArray[np.float64]:
        """What has come of them."""
        ...


class _Mean:
    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | None = None
        self._count = 0

    def add(self, prediction: NDArray[np.float64]) -> None:
        self._sum = prediction if self._sum is None else self._sum + prediction
        self._count += 1

    @property
    def result(self) -> NDArray[np.float64]:
        assert self._sum is not None
        return self._sum / self._count


class _Median:
    def __init__(self) -> None:
        self._all: list[NDArray[np.float64]] = []

    def add(self, prediction: NDArray[np.float64]) -> None:
        self._all.append(prediction)

    @property
    def result(self) -> NDArray[np.float64]:
        median: NDArray[np.float64] = np.median(np.stack(self._all), axis=0)
        return median


class _Deviation:
    """Welford 1962: one pass, and no square of a large number is taken from another."""

    def __init__(self) -> None:
        self._mean: NDArray[np.float64] | None = None
        self._squares: NDArray[np.float64] | None = None
        self._count = 0

    def add(self, prediction: NDArray[np.float64]) -> None:
        self._count += 1
        if self._mean is None or self._squares is None:
            self._mean, self._squares = prediction, np.zeros_like(prediction)
            return
        away = prediction - self._mean
        self._mean = self._mean + away / self._count
        self._squares = self._squares + away * (prediction - self._mean)

    @property
    def result(self) -> NDArray[np.float64]:
        assert self._squares is not None
        return np.sqrt(self._squares / self._count)


_REDUCTIONS: dict[str, Callable[[], Reduction]] = {
    "mean": _Mean,
    "median": _Median,
    "disagreement": _Deviation,
}


def reduction(kind: str) -> Reduction:
    """What takes the predictions of all turns of one tile, turned back.

    Parameters
    ----------
    kind : {"mean", "median", "disagreement"}
        ``"disagreement"`` is their standard deviation (of a population of 8): it shows how
        unstable the model is there, not how wrong.
    """
    return _REDUCTIONS[kind]()
