"""Reach and period seen through finite changes of a random image.

For what NaN cannot tell: networks that NaN does not come through, the period of networks that look
at everything, and whether shifting the input really shifts the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from napari_tessera.models.axis_probe import AxisProbe, lengths, middle, widest_gap
from napari_tessera.models.errors import ModelError

CHANGES = (3.0, -3.0, 1e3, -1e3)
"""What is added to pixels, in standard deviations of the image: rank filters, rectifiers and
max-pools each pass on only some of them."""

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
    offsets = range(period) if period <= 8 else (0, period // 2, period - 1)
    for length in lengths(axis.shortest, axis.longest):
        if length // 2 <= 2 * period:
            continue
        seen = _extent(axis, length, offsets)
        if seen is None:
            return None
        reach, is_inside = seen
        if is_inside:
            # Between measured offsets it can be farther by the distance between them, no more.
            return reach + widest_gap(offsets, period) - 1
    return None


def _extent(axis: AxisProbe, length: int, offsets: Iterable[int]) -> tuple[int, bool] | None:
    """Farthest distance of a change, and whether every change ends before the input does."""
    reach, is_inside, is_seen = 0, True, False
    for image in (axis.random(length, 1), 500 + 150 * axis.random(length, 2)):
        plain = axis.run(image)
        spread = float(image.std())
        for offset in offsets:
            position = middle(length) + offset
            for change in CHANGES:
                altered = image.clone()
                # The whole cross-section: one pixel alone often leaves a median as it is.
                altered[axis.section(position)] += change * spread
                changed = _changed(axis, plain, axis.run(altered))
                if changed is None:
                    continue
                first, last = changed
                is_seen = True
                reach = max(reach, position - first, last - position)
                is_inside = is_inside and first > 0 and last < length - 1
    return (reach, is_inside) if is_seen else None


def _changed(axis: AxisProbe, plain: Tensor, altered: Tensor) -> tuple[int, int] | None:
    """First and last position at which two outputs differ by more than rounding."""
    difference = (plain - altered).abs().nan_to_num(nan=torch.inf)
    greatest = float(difference.max())
    if greatest == 0:
        return None
    finite = min(greatest, torch.finfo(torch.float32).max)
    positions = axis.positions(difference > ROUNDING * finite)
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

    Every step is tried on an input whose length is an odd multiple of it, so that a step is also
    known to be a size that the network takes. What leaves the input at one end comes in at the
    other, so that its statistics stay.

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
        Where none holds: the smallest step whose sizes the network takes.
    """
    margin = reach if reach is not None else axis.shortest // 2
    enough = SAME if reach is not None else 10 * SAME
    errors: dict[int, float] = {}
    for step in steps:
        length = step * ((2 * margin + 2 * step + 16) // step // 2 * 2 + 1)
        image = axis.random(length)
        try:
            here = axis.run(image)
            there = axis.run(image.roll(-step, dims=axis.axis + 2))
        except ModelError:
            continue
        errors[step] = _distance(
            axis.between(here, margin + step, length - margin),
            axis.between(there, margin, length - margin - step),
        )
        if errors[step] <= enough:
            return Shift(step, True)
    if not errors:
        return Shift(steps[0], False)
    if reach is None:
        best = min(errors.values())
        close = (step for step, error in errors.items() if error <= AS_GOOD * best)
        return Shift(min(close), True)
    return Shift(min(errors), False)


def _distance(one: Tensor, other: Tensor) -> float:
    """Root mean square difference of two outputs, in standard deviations of one."""
    spread = float(one.std())
    return float((one - other).square().mean().sqrt()) / (spread or 1.0)
