"""What is going to be read of an image, and in which order, by arithmetic along each axis."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

Span = tuple[int, int]
"""Start and stop along an axis."""


@dataclass(frozen=True)
class Parts:
    """What reads take along one axis: a part for each position of a grid.

    Parameters
    ----------
    starts, stops : sequence of int
        Where the parts begin and end. Both ascend; parts may overlap.
    """

    starts: Sequence[int]
    stops: Sequence[int]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Parts:
        """Parts with these starts and stops.

        Raises
        ------
        ValueError
            If they do not ascend.
        """
        starts, stops = array("q"), array("q")
        for start, stop in spans:
            if starts and not (starts[-1] < start and stops[-1] <= stop):
                raise ValueError(
                    f"part {start}…{stop} does not come after {starts[-1]}…{stops[-1]}"
                )
            starts.append(start)
            stops.append(stop)
        return cls(starts, stops)

    def at(self, start: int) -> int | None:
        """Number of the part that begins there; None where none does."""
        number = bisect_left(self.starts, start)
        found = number < len(self.starts) and self.starts[number] == start
        return number if found else None

    def meeting(self, start: int, stop: int) -> Span:
        """First part that has pixels of start…stop−1, and the one after the last."""
        return bisect_right(self.stops, start), bisect_left(self.starts, stop)


@dataclass(frozen=True)
class ExpectedReads:
    """Reads that are to come: one for each combination of parts, in C order of the axes.

    Parameters
    ----------
    parts : mapping of str to Parts
        Axis letter to what is read along it, the slowest axis first. Along axes that are not
        named every read takes the same.
    """

    parts: Mapping[str, Parts]


class ReadOrder:
    """Expected reads of one array: how often, and when next, pixels of it are read.

    Parameters
    ----------
    expected : ExpectedReads
        The reads.
    axes : str
        Letters of the array's axes.
    """

    def __init__(self, expected: ExpectedReads, axes: str) -> None:
        self._along = [(axes.index(letter), own) for letter, own in expected.parts.items()]
        sizes = [len(own.starts) for _, own in self._along]
        self._steps = [prod(sizes[at + 1 :]) for at in range(len(sizes))]

    def number(self, spans: Sequence[Span]) -> int | None:
        """Number of the read that takes these spans, one per axis; None of one not expected."""
        number = 0
        for (axis, own), step in zip(self._along, self._steps, strict=True):
            at = own.at(spans[axis][0])
            if at is None or own.stops[at] != spans[axis][1]:
                return None
            number += at * step
        return number

    def count(self, spans: Sequence[Span]) -> int:
        """How many reads take any of the pixels within these spans."""
        return prod(stop - first for first, stop in self._meeting(spans))

    def next(self, spans: Sequence[Span], after: int) -> int | None:
        """Number of the first read, later than one, that takes any of these pixels; None: none."""
        met = self._meeting(spans)
        if any(stop <= first for first, stop in met):
            return None
        best = None
        number, rest = 0, after
        # what stays at its place, while the first axis behind it goes on: the later the sooner
        for at, ((first, stop), step) in enumerate(zip(met, self._steps, strict=True)):
            here, rest = divmod(rest, step)
            going_on = max(here + 1, first)
            if going_on < stop:
                best = number + going_on * step + self._firsts(met, at + 1)
            if not first <= here < stop:
                break
            number += here * step
        return best

    def _firsts(self, met: Sequence[Span], begin: int) -> int:
        pairs = zip(met[begin:], self._steps[begin:], strict=True)
        return sum(first * step for (first, _), step in pairs)

    def _meeting(self, spans: Sequence[Span]) -> list[Span]:
        return [own.meeting(*spans[axis]) for axis, own in self._along]
