"""Reach and period seen through finite changes of a random image.

For what NaN cannot tell: networks that NaN does not come through, the period of networks that look
at everything, and whether shifting the input really shifts the output.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_tessera.models.axis_probe import AxisProbe, middle, widest_gap
from napari_tessera.models.errors import ModelError

CHANGES = (3.0, -3.0, 1e3, -1e3, 1e8, -1e8)
"""What is added to pixels, in standard deviations of the image: rank filters, rectifiers and
max-pools each pass on only some of them, and small ones die out on a long way."""

LARGE = 2**16
"""Pixels of an input above which fewer changes are tried."""

ROUNDING = 1e-6
"""Share of the greatest change below which a change is rounding."""

SAME = 1e-4
"""Difference, in standard deviations of the output, below which two outputs are the same but for
rounding."""

AS_GOOD = 2.5
"""Factor within which steps of a network that looks at everything do equally well: the ends of the
input are felt in all of it then, and no step is exact. In U-Nets with instance norm, steps off the
period do about ten times worse."""


class Shift(NamedTuple):
    """Whether shifting the input by ``step`` pixels shifts the output and does no more."""

    step: int
    holds: bool


def reach_by_change(axis: AxisProbe, period: int) -> int | None:
    """Farthest distance at which a change of the input shows, in pixels.

    Parameters
    ----------
    axis : AxisProbe
        The network and the axis.
    period : int
        Its period along that axis.

    Returns
    -------
    int or None
        None where the change shows everywhere, or nowhere at all.
    """
    for length in axis.lengths():
        if length // 2 <= 2 * period:
            continue
        offsets = _offsets(axis, length, period)
        extents = _extents(axis, length, offsets)
        if not extents.seen:
            return None
        reach = extents.exact.within(length)
        if reach is None and (extents.exact.is_all or length * 2 > axis.lengths()[-1]):
            # Rounding alone comes out everywhere where a network transforms the whole image.
            reach = extents.plain.within(length)
        if reach is not None:
            # Between measured offsets it can be farther by the distance between them, no more.
            return reach + widest_gap(offsets, period) - 1
    return None


def _offsets(axis: AxisProbe, length: int, period: int) -> Sequence[int]:
    """Offsets from the middle at which the input is changed."""
    if period <= 8 and not is_large(axis, length):
        return range(period)
    # where pooled cells begin and end, in most networks: from there changes are seen farthest
    start = -middle(length) % period
    return sorted({start, start + period - 1})


def is_large(axis: AxisProbe, length: int) -> bool:
    """Whether inputs are so large, as the network takes no others, that each run counts."""
    return prod(axis.shape(length)[2:]) > LARGE


@dataclass
class _Extent:
    """How far changes of the input were seen in the output."""

    reach: int = 0
    is_inside: bool = True
    is_all: bool = False

    def add(self, position: int, changed: NDArray[np.intp], length: int) -> None:
        """Add the positions at which the output changed with a position of the input."""
        first, last = int(changed[0]), int(changed[-1])
        self.reach = max(self.reach, position - first, last - position)
        self.is_inside = self.is_inside and first > 0 and last < length - 1
        self.is_all = self.is_all or len(changed) == length

    def within(self, length: int) -> int | None:
        """The reach, where every change ended before the input did."""
        return self.reach if self.is_inside and 2 * self.reach < length else None


@dataclass
class _Extents:
    """Extents of all changes: of any at all, and of those beyond rounding."""

    exact: _Extent = field(default_factory=_Extent)
    plain: _Extent = field(default_factory=_Extent)
    seen: bool = False


def _extents(axis: AxisProbe, length: int, offsets: Iterable[int]) -> _Extents:
    found = _Extents()
    images: list[tuple[Tensor, Sequence[float]]]
    if is_large(axis, length):
        images = [(axis.random(length, 1), CHANGES[2:4])]
    else:
        images = [
            (axis.random(length, 1), CHANGES),
            (500 + 150 * axis.random(length, 2), CHANGES[:4]),
        ]
    for image, changes in images:
        plain = axis.run(image)
        noise = float((plain - axis.run(image)).abs().nan_to_num().max())
        spread = float(image.std())
        for offset in offsets:
            position = middle(length) + offset
            for change in changes:
                altered = image.clone()
                # The whole cross-section: one pixel alone often leaves a median as it is.
                altered[axis.section(position)] += change * spread
                difference = _difference(plain, axis.run(altered))
                greatest = float(difference.max())
                if greatest <= noise:
                    continue
                found.seen = True
                found.exact.add(position, axis.positions(difference > noise), length)
                rounding = max(noise, ROUNDING * greatest)
                found.plain.add(position, axis.positions(difference > rounding), length)
    return found


def _difference(plain: Tensor, altered: Tensor) -> Tensor:
    """Absolute difference of two outputs; what is no number counts as the largest one."""
    largest = torch.finfo(torch.float32).max
    return (plain - altered).abs().nan_to_num(nan=largest, posinf=largest)


def _changed(axis: AxisProbe, plain: Tensor, altered: Tensor) -> tuple[int, int] | None:
    """First and last position at which two outputs differ by more than rounding."""
    difference = _difference(plain, altered)
    greatest = float(difference.max())
    if greatest == 0:
        return None
    positions = axis.positions(difference > ROUNDING * greatest)
    return int(positions[0]), int(positions[-1])


def changes_beyond(axis: AxisProbe, length: int, first: int, last: int) -> bool:
    """Whether changing the pixel in the middle changes the output outside ``first``…``last``.

    Parameters
    ----------
    axis : AxisProbe
        The network and the axis.
    length : int
        Length of the input along the axis.
    first, last : int
        Positions along the axis, relative to the changed pixel.
    """
    image = axis.random(length, 1)
    plain = axis.run(image)
    position = middle(length)
    for change in CHANGES[:2]:
        altered = image.clone()
        altered[axis.pixel(position)] += change
        changed = _changed(axis, plain, axis.run(altered))
        if changed is None:
            continue
        if changed[0] < position + first or changed[1] > position + last:
            return is_repeatable(axis, length)
    return False


def is_repeatable(axis: AxisProbe, length: int) -> bool:
    """Whether the network gives the same answer when it is asked again."""
    image = axis.random(length, 1)
    return _distance(axis.run(image), axis.run(image)) <= SAME


def smallest_shift(axis: AxisProbe, steps: Sequence[int], reach: int | None) -> Shift:
    """Find the smallest step by which shifting the input shifts the output.

    Every step is tried on an input whose length is an odd multiple of it, where the network takes
    one. What leaves the input at one end comes in at the other, so that its statistics stay.
    Where the network looks everywhere, the ends are blank.

    Parameters
    ----------
    axis : AxisProbe
        The network and the axis.
    steps : sequence of int
        Steps to try, ascending, in pixels.
    reach : int or None
        How far the ends of the input are felt. None where they are felt everywhere: a step then
        holds if the output shifts up to a small difference, or as well as with any other step.

    Returns
    -------
    Shift
        Where none holds: the smallest step that could be tried.
    """
    longest = axis.lengths()[-1]
    margin = reach if reach is not None else min(axis.shortest // 2, longest // 4)
    # where the ends are felt everywhere, they are felt less in longer inputs: alike for all steps
    least = 2 * margin + 16 + (0 if reach is not None else steps[-1])
    errors: dict[int, float] = {}
    plain: dict[int, Tensor] = {}
    refused = False
    for step in steps:
        length = axis.length_for(step, max(least, 2 * margin + step + 16)) or longest
        if length < 2 * margin + step + 2:
            continue
        image = axis.random(length) if reach is not None else _between_blanks(axis, length)
        try:
            if length not in plain:
                plain = {length: axis.run(image)}
            there = axis.run(image.roll(-step, dims=axis.axis + 2))
        except ModelError:
            refused = True
            continue
        errors[step] = _distance(
            axis.between(plain[length], margin + step, length - margin),
            axis.between(there, margin, length - margin - step),
        )
        if math.isnan(errors[step]):
            # where an output is not a number there is nothing to compare
            errors[step] = math.inf
        if errors[step] <= SAME:
            return Shift(step, True)
    if not errors:
        # nothing that the network takes is long enough to tell
        return Shift(steps[0], not refused)
    if reach is None:
        best = min(errors.values())
        close = (step for step, error in errors.items() if error <= AS_GOOD * best)
        return Shift(min(close), True)
    return Shift(min(errors), False)


def _between_blanks(axis: AxisProbe, length: int) -> Tensor:
    """A random image with zeros in the first and the last third.

    Shifted a little, it has the same ends: so what a network takes from the whole image stays the
    same, padding at the ends included, and shifts by its period show no difference at all.
    """
    image = axis.random(length)
    for start in (0, length - length // 3):
        axis.between(image, start, start + length // 3).zero_()
    return image


def _distance(one: Tensor, other: Tensor) -> float:
    """Root mean square difference of two outputs, in standard deviations of one."""
    spread = float(one.std())
    return float((one - other).square().mean().sqrt()) / (spread or 1.0)
