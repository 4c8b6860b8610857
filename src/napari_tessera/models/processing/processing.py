"""All that is done to grey levels before and after a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.processing.inverses import Inverse, Undo, undoes
from napari_tessera.models.processing.operations import (
    Affine,
    Operation,
    Rescale,
    Standardize,
)
from napari_tessera.models.processing.statistic import SampleStatistics, Statistic, Values
from napari_tessera.models.processing.steps import AffineStep, Step

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Resolved:
    """Processing with all of its numbers, for one sample.

    The first and the last operations that only scale and shift are held apart, in float64: the
    reader subtracts before anything is rounded to float32, and the mean is added after.

    Parameters
    ----------
    subtract, divide : numpy.ndarray
        One number per input channel: first of all x becomes (x − subtract) / divide.
    before, after : tuple of Step
        Then these, the network, and those.
    multiply, add : numpy.ndarray
        One number per output channel: last of all y becomes y · multiply + add.
    """

    subtract: Values
    divide: Values
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    multiply: Values
    add: Values

    def scaled(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Grey levels, ``C(Z)YX`` of any type, as `prepared` takes them.

        Worked out in float64, and rounded to float32 when it is small again.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if not self.subtract.any() and (self.divide == 1).all():
                return np.array(pixels, np.float32)
            wide = pixels - _along_channels(self.subtract, pixels)
            wide /= _along_channels(self.divide, pixels)
            scaled: NDArray[np.float32] = wide.astype(np.float32)
        return scaled

    def prepared(self, tile: Tensor) -> Tensor:
        """What the network gets of a scaled tile, ``C(Z)YX`` float32."""
        for step in self.before:
            tile = step(tile)
        return tile

    def finished(self, tile: Tensor) -> NDArray[np.float64]:
        """Grey levels of what the network makes of a tile, but for what is added: see `shifted`."""
        return self.multiplied(self.answered(tile).cpu().numpy())

    def answered(self, tile: Tensor) -> Tensor:
        """What comes of a network's tile by the steps after it: all but `multiply` and `add`."""
        for step in self.after:
            tile = step(tile)
        return tile

    def multiplied(self, tile: NDArray[np.float32]) -> NDArray[np.float64]:
        """What `answered` gives, in the grey levels' scale."""
        made: NDArray[np.float64] = tile * _along_channels(self.multiply, tile)
        return made

    def shifted(self, made: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add what comes last, in float64: a large mean is not rounded before it meets its pixels.

        Apart from `finished`, as what is made of a tile's turns is only added to once.
        """
        return made + _along_channels(self.add, made)


def _along_channels(values: Values, like: NDArray[Any] | Tensor) -> Values:
    return values.reshape(-1, *(1,) * (like.ndim - 1))


@dataclass(frozen=True)
class Processing:
    """Operations before and after a network, in order.

    Parameters
    ----------
    before : tuple of Operation
        On grey levels, before the network.
    after : tuple of Operation
        On its answer; the prediction in grey levels comes out.
    scope : {"time_point", "series"}
        What statistics of the image are taken over where the user does not say.
    """

    before: tuple[Operation, ...] = ()
    after: tuple[Operation, ...] = ()
    scope: str = "time_point"

    @property
    def needs(self) -> frozenset[Statistic]:
        """Statistics of the image that are needed."""
        return frozenset().union(*(step.needs for step in (*self.before, *self.after)))

    @property
    def needs_whole_output(self) -> bool:
        """Whether a prediction can only be finished when all of it is there."""
        return any(step.needs_whole_output for step in self.after)

    def measured(self) -> Processing:
        """The same with the image's statistics instead of those that came with the model.

        Numbers after the network stay the model's own where it maps to other grey levels than
        those that went in (an inverse that is not the inverse of the first operation).
        """
        before = tuple(step.measured() for step in self.before)
        after = tuple(
            step.measured() if isinstance(step, Undo | Inverse) and step.of in self.before else step
            for step in self.after
        )
        return Processing(before, after, self.scope)

    def with_inverses(self) -> Processing:
        """The same, with each operation after the network that undoes the first one known as that.

        Files write the inverse as one more operation with numbers of its own.
        """
        first = next(
            (step for step in self.before if isinstance(step, Standardize | Rescale)), None
        )
        if first is None or first.needs:
            return self
        after = tuple(
            Inverse(step, first)
            if isinstance(step, Affine | Standardize) and undoes(step, first)
            else step
            for step in self.after
        )
        return Processing(self.before, after, self.scope)

    def resolve(
        self, statistics: SampleStatistics, in_channels: int, out_channels: int
    ) -> Resolved:
        """Put in the numbers.

        Raises
        ------
        UnknownStatisticError
            If an operation needs a number that cannot be known where it stands.
        ValueError
            If an operation's numbers do not go with the channels.
        """
        before = _resolved_chain(self.before, statistics, in_channels)
        after = [step.resolve(statistics, out_channels) for step in self.after]
        steps = [step for step in after if step is not None]
        first, before = _leading(before, in_channels)
        last, steps = _trailing(steps, out_channels)
        return Resolved(
            subtract=-first.offset / first.gain,
            divide=1 / first.gain,
            before=tuple(before),
            after=tuple(steps),
            multiply=last.gain,
            add=last.offset,
        )


MEAN_STD = Processing((Standardize(),), (Undo(Standardize()),))
"""What is done for a network that is known to want an image of mean 0 and spread 1."""


def _resolved_chain(
    operations: Sequence[Operation], statistics: SampleStatistics, channels: int
) -> list[Step]:
    steps = []
    for operation in operations:
        step = operation.resolve(statistics, channels)
        statistics = operation.after(statistics, channels)
        if step is not None:
            steps.append(step)
    return steps


def _leading(steps: list[Step], channels: int) -> tuple[AffineStep, list[Step]]:
    """What scales and shifts at the beginning, as one step, and the rest."""
    first, rest = _nothing(channels), list(steps)
    while rest and isinstance(rest[0], AffineStep) and np.all(rest[0].gain != 0):
        first = first.then(rest[0])
        del rest[0]
    return first, rest


def _trailing(steps: list[Step], channels: int) -> tuple[AffineStep, list[Step]]:
    """What scales and shifts at the end, as one step, and the rest."""
    last, rest = _nothing(channels), list(steps)
    while rest and isinstance(rest[-1], AffineStep):
        last = rest[-1].then(last)
        del rest[-1]
    return last, rest


def _nothing(channels: int) -> AffineStep:
    return AffineStep(np.ones(channels), np.zeros(channels))
