"""Measuring how far a network looks, and on which grid it works.

One input pixel is set to NaN: the output pixels that turn NaN are those that depend on it. Moved
pixel by pixel, the pattern of dependent pixels repeats with the network's period.

Where NaN does not come through (functions that skip it, some compiled programs) the same is
measured with finite changes of a random image: see `perturbation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm, prod
from typing import NamedTuple

import torch
from torch import Tensor

from napari_tessera.models.axis_probe import AxisProbe, middle, widest_gap
from napari_tessera.models.calling import Network
from napari_tessera.models.errors import ModelError
from napari_tessera.models.frame import InInputFrame, find_near_loss
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.perturbation import (
    LARGE,
    changes_beyond,
    is_large,
    is_repeatable,
    reach_by_change,
    smallest_shift,
)
from napari_tessera.models.size_probe import SizeProbe, coarsened, measure_sizes
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.sizing import with_batches
from napari_tessera.models.threads import few_threads
from napari_tessera.models.trial import try_network
from napari_tessera.models.work import WorkBudget, work_per_pixel

LONGEST = {2: 1024, 3: 256}
"""Longest probe in pixels by number of spatial axes: a reach up to half of it is measured."""

NARROW = {2: 32, 3: 8}
"""Pixels across the axis that is looked along, by number of spatial axes."""

PERIODS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 20, 24, 32, 48, 64)
"""Periods that are looked for, in pixels."""

_MOST_CHANNELS = 1024
"""Input channels: tiles of more would fill the memory before one is measured."""

SHIFT_NOTE = "the model's answer depends on where in a tile a structure lies: expect seams"
RANDOM_NOTE = "the model gives another answer each time it is asked"


class _SwallowedError(Exception):
    """NaN in the input is not NaN in the output."""


class _EverywhereError(Exception):
    """The pattern is as long as the longest probe."""


def probe_geometry(
    network: Network,
    *,
    name: str,
    spatial_dims: int,
    in_channels: int | None,
    sizes: ValidSizes | None = None,
    are_strict: bool = False,
    batch: int | None = None,
) -> ModelGeometry:
    """Measure a network's reach, period and sizes, and count its output channels.

    Parameters
    ----------
    network : callable
        The network as it was loaded, on the CPU in float32, in evaluation mode.
    name : str
        What errors call the model.
    spatial_dims : int
        2 or 3.
    in_channels : int or None
        Input channels; None, for a model that takes any number, is measured with one.
    sizes : ValidSizes, optional
        What its file promises to work; ``are_strict`` where nothing else can.
    batch : int, optional
        Number of samples that the network takes at once, where only one will do.

    Returns
    -------
    ModelGeometry
        In (Z)YX, in pixels of the input.

    Raises
    ------
    ModelError
        If the network takes no tile, or returns no image whose size follows from the input's.

    Notes
    -----
    A depth-2 U-Net (two max-pools, bilinear upsampling) has reach 26 and period 4.
    """
    channels = in_channels or 1
    if channels > _MOST_CHANNELS:
        raise ModelError.not_usable(
            name,
            f"it takes {channels:,} channels, more than {_MOST_CHANNELS:,}",
            "Give it fewer channels",
        )
    full = with_batches(network, name, batch)
    with torch.no_grad(), few_threads(spatial_dims == 2 and not (are_strict and _is_large(sizes))):
        trial = try_network(full, name, spatial_dims, channels, sizes=sizes, are_strict=are_strict)
        _check_answer(trial.answer, name)
        near = find_near_loss(full, name, trial.frame, trial.given)
        size = tuple(trial.given.shape[2:])
        is_finite = bool(torch.isfinite(trial.answer).all())
        tried = SizeProbe(full, name, channels, trial.frame, is_finite)
        measured = measure_sizes(tried, size, sizes, are_strict)
        narrow = _narrow(tried, measured, size)
        budget = WorkBudget(full, work_per_pixel(full, trial.given))
        aligned = InInputFrame(budget, name, trial.frame, near)
        longest = LONGEST[spatial_dims]
        seen = _look_around(
            [
                AxisProbe(aligned, name, channels, axis, narrow, max(size), longest, measured)
                for axis in range(spatial_dims)
            ],
            budget,
        )
    measured = coarsened(measured, seen.period)
    return ModelGeometry(
        seen.reach,
        tuple(lcm(k, s) if s else k for k, s in zip(seen.period, measured.step, strict=True)),
        int(trial.answer.shape[1]),
        seen.notes,
        output_scale=tuple(float(scale) for scale in trial.frame.scale),
        offset=near,
        far_offset=tuple(lost - n for lost, n in zip(trial.frame.lost, near, strict=True)),
        sizes=measured,
    )


def _check_answer(answer: Tensor, name: str) -> None:
    """Refuse a network in whose answers there is nothing to measure."""
    if not answer.shape[1]:
        raise ModelError.not_usable(
            name, "it returns an image without channels", "Return one channel at least"
        )
    if not torch.isfinite(answer).any():
        raise ModelError.not_usable(
            name,
            "its output is not a number, or infinite, in every pixel: its weights may be damaged",
            "Save or download it again",
        )


def _is_large(sizes: ValidSizes | None) -> bool:
    """Whether inputs are so large, as the network takes no others, that threads are worth it."""
    return sizes is not None and prod(sizes.minimum) > LARGE


def _narrow(tried: SizeProbe, sizes: ValidSizes, size: tuple[int, ...]) -> tuple[int, ...]:
    """Size across the axis that is looked along: small, as nothing is seen across.

    In volumes it counts twice.
    """
    dims = len(size)
    usual = sizes.rounded_up((min(size),) * dims) or size
    small = sizes.rounded_up((NARROW[dims],) * dims) or usual
    ways = [(*small[:axis], max(size), *small[axis + 1 :]) for axis in range(dims)]
    # the smallest size along each axis was found with the others at their usual one
    return small if all(tried.works(way) for way in ways if sizes.fits(way)) else usual


class _Seen(NamedTuple):
    reach: tuple[int, ...] | None
    period: tuple[int, ...]
    notes: tuple[str, ...]


def _look_around(axes: Sequence[AxisProbe], budget: WorkBudget) -> _Seen:
    try:
        return _by_nan(axes, budget)
    except _EverywhereError:
        return _Seen(None, _periods_by_shift(axes, budget), ())
    except _SwallowedError:
        return _by_change(axes, budget)


class _Patterns:
    """Which output pixels along one axis depend on an input pixel, by the pixel's offset."""

    def __init__(self, axis: AxisProbe, shortest: int) -> None:
        self.axis = axis
        self._longer = axis.lengths(shortest)
        self.length = self._longer.pop(0)
        self._seen: dict[int, tuple[int, ...]] = {}

    def at(self, offset: int) -> tuple[int, ...]:
        """Dependent pixels relative to the one at an offset from the middle, ascending.

        The probe grows until they end before it does; what was seen on a shorter one, where
        offsets counted from another pixel, is then forgotten.
        """
        while offset not in self._seen:
            found = self._measure(offset)
            if found is not None:
                self._seen[offset] = found
            elif self._longer:
                self.length = self._longer.pop(0)
                self._seen.clear()
            else:
                raise _EverywhereError
        return self._seen[offset]

    def _measure(self, offset: int) -> tuple[int, ...] | None:
        position = middle(self.length) + offset
        if position >= self.length - 1:
            return None
        batch = torch.zeros(self.axis.shape(self.length), dtype=torch.float32, device="cpu")
        batch[self.axis.pixel(position)] = torch.nan
        try:
            answer = self.axis.run(batch)
        except ModelError as error:
            # It took finite tiles, so it is NaN that it refuses.
            raise _SwallowedError from error
        dependent = self.axis.positions(answer.isnan())
        if not dependent.size:
            raise _SwallowedError
        if dependent[0] == 0 or dependent[-1] == self.length - 1:
            return None
        return tuple(int(at) - position for at in dependent)

    def same(self, one: int, other: int) -> bool:
        """Whether two offsets have the same pattern."""
        while True:
            length = self.length
            patterns = self.at(one), self.at(other)
            if self.length == length:
                return patterns[0] == patterns[1]

    def same_as(self, other: _Patterns, offset: int) -> bool:
        """Whether an offset has the pattern that it has along another axis."""
        return self.at(offset) == other.at(offset) and self.length == other.length

    def repeats(self, period: int) -> bool:
        """Whether patterns repeat after ``period`` pixels, at three places of the period."""
        return all(self.same(at, at + period) for at in {0, 1, period - 1})

    def reach(self, period: int) -> int:
        """Farthest dependent pixel, of all offsets within a period.

        Moving the input pixel right never moves the ends of its pattern left, so between measured
        offsets a reach can only exceed theirs by the distance between them.
        """
        seen = max(max(-pattern[0], pattern[-1], 0) for pattern in self._seen.values())
        return seen + widest_gap(list(self._seen), period) - 1


def _by_nan(axes: Sequence[AxisProbe], budget: WorkBudget) -> _Seen:
    """Reach, period and notes of a network that NaN comes through."""
    reaches: list[int] = []
    periods: list[int] = []
    notes: list[str] = []
    known: _Patterns | None = None
    for axis in reversed(axes):
        patterns = _Patterns(axis, axis.shortest if known is None else known.length)
        if known is not None and _is_alike(patterns, known, periods[0], budget):
            reach, period = reaches[0], periods[0]
        else:
            pattern = patterns.at(0)
            if changes_beyond(axis, patterns.length, pattern[0], pattern[-1]):
                raise _SwallowedError
            found = _period(patterns, budget)
            period = found or 1
            for offset in range(period):
                if not budget.is_spent:
                    patterns.at(offset)
            reach = patterns.reach(period)
            known = patterns
        if not budget.is_spent:
            shift = smallest_shift(axis, [period * 2**n for n in range(7)], reach)
            period = shift.step
            if not shift.holds and not notes:
                repeatable = is_repeatable(axis, patterns.length)
                notes.append(SHIFT_NOTE if repeatable else RANDOM_NOTE)
        reaches.insert(0, reach)
        periods.insert(0, period)
    return _Seen(tuple(reaches), tuple(periods), tuple(notes))


def _period(patterns: _Patterns, budget: WorkBudget) -> int | None:
    for period in PERIODS:
        # Nearly all networks halve: others are looked for only while that costs little.
        if budget.is_spent and period & (period - 1):
            continue
        if patterns.repeats(period):
            return period
    return None


def _is_alike(patterns: _Patterns, known: _Patterns, period: int, budget: WorkBudget) -> bool:
    """Whether an axis has the patterns of one that was measured before.

    Where the budget is spent, they are compared where pooled cells begin and end: there they differ
    most.
    """
    start = -middle(known.length) % period
    offsets = [start, start + period - 1] if budget.is_spent else range(period + 1)
    return all(patterns.same_as(known, offset) for offset in offsets)


def _by_change(axes: Sequence[AxisProbe], budget: WorkBudget) -> _Seen:
    """Reach, period and notes of a network that NaN does not come through."""
    periods = _periods_by_shift(axes, budget)
    reaches: list[int] = []
    for axis, period in zip(axes, periods, strict=True):
        reach = reach_by_change(axis, period)
        if reach is None:
            return _Seen(None, periods, ())
        reaches.append(reach)
    return _Seen(tuple(reaches), periods, ())


def _periods_by_shift(axes: Sequence[AxisProbe], budget: WorkBudget) -> tuple[int, ...]:
    periods: list[int] = []
    for axis in reversed(axes):
        is_costly = budget.is_spent or is_large(axis, axis.shortest)
        steps = [step for step in PERIODS if not is_costly or not step & (step - 1)]
        if is_costly and periods:
            steps = [step for step in PERIODS if periods[0] % step == 0][-2:]
        periods.insert(0, smallest_shift(axis, steps, None).step)
    return tuple(periods)
