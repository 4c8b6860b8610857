"""Which inputs a torch.export program takes: read from its sizes, their ranges and its guards."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_tessera.models.exported.arguments import Json
from napari_tessera.models.exported.expressions import parsed, symbols, value
from napari_tessera.models.exported.guards import Sizes, UnknownGuardError, holds, read_guard
from napari_tessera.models.exported.program import Program
from napari_tessera.models.exported.refusal import RefusedProgramError
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.ways_out import CHANNELS_FIRST

_LONGEST = 1024
"""Sizes in pixels up to which the conditions are tried."""

_UNLIMITED = 2**20
"""Largest size in pixels that counts as a limit."""

_GREATEST = 2**31
"""Largest size that an example may have had, along any axis."""

_MOST_GUARDS = 200_000
"""Characters of all conditions: each is worked out for a thousand sizes."""


@dataclass(frozen=True)
class Constraints:
    """Inputs that a program takes.

    Parameters
    ----------
    spatial_dims : int
        2 or 3.
    in_channels : int or None
        None for any number.
    batch : int or None
        Number of samples, where only one will do.
    most_samples : int or None
        Largest number of samples.
    sizes : ValidSizes
        Sizes in pixels along (Z)YX.
    """

    spatial_dims: int
    in_channels: int | None
    batch: int | None
    most_samples: int | None
    sizes: ValidSizes


def read_constraints(program: Program) -> Constraints:
    """Read which inputs a program takes.

    Sizes that hang together (a program for square images only), and those under conditions that
    are not understood, are fixed at what they were in the example.

    Raises
    ------
    RefusedProgramError
        If its input has no axes for samples, channels and two or three of space.
    """
    axes = [_Axis(size, program.ranges) for size in program.image["sizes"]]
    if len(axes) not in (4, 5):
        text = "×".join(str(axis.example) for axis in axes)
        raise RefusedProgramError(
            f"its input has the axes {text or 'of one number'}", CHANNELS_FIRST
        )
    guards: list[ast.expr] = []
    texts = dict.fromkeys(program.guards)
    understood = sum(map(len, texts)) <= _MOST_GUARDS
    for text in texts if understood else ():
        try:
            guard = read_guard(text)
            holds(guard, [axis.example for axis in axes])
            guards.append(guard)
        except UnknownGuardError:
            understood = False
    named = Counter(symbol for axis in axes for symbol in axis.symbols)
    for axis in axes:
        if not understood or len(axis.symbols) > 1 or any(named[s] > 1 for s in axis.symbols):
            axis.fix()
    examples = [axis.example for axis in axes]
    spans = []
    for number, axis in enumerate(axes):
        tried = np.array(axis.candidates, np.int64)
        shape: list[int | Sizes] = [*examples]
        shape[number] = tried
        allowed = np.full(tried.shape, True)
        for guard in guards:
            allowed &= holds(guard, shape)
        spans.append(axis.span(tried[allowed].tolist()))
    if not _holds_together(guards, spans):
        # conditions on several axes at once: only the example is known to meet them
        spans = [(axis.example, 0, axis.example) for axis in axes]
    samples, channels, *space = spans
    sizes = ValidSizes(*(tuple(part) for part in zip(*space, strict=True)))
    return Constraints(
        spatial_dims=len(space),
        in_channels=channels[0] if not channels[1] else None,
        batch=samples[0] if not samples[1] or samples[0] > 2 else None,
        most_samples=samples[2],
        sizes=sizes,
    )


class _Axis:
    """An axis of the input: its size as an expression of symbols, and their ranges."""

    def __init__(self, size: Json, ranges: dict[str, tuple[int | None, int | None]]) -> None:
        self._tree: ast.expr | None = None
        self.symbols: frozenset[str] = frozenset()
        self._range: tuple[int, int | None] = (1, None)
        said = size if "as_int" in size else size["as_expr"]["hint"] or {}
        self.example = int(said.get("as_int", 0))
        if not 1 <= self.example <= _GREATEST:
            raise RefusedProgramError("it does not say on which size it was exported")
        if "as_int" in size:
            return
        self._tree = parsed(size["as_expr"]["expr_str"])
        self.symbols = symbols(self._tree)
        for name in self.symbols:
            least, most = ranges.get(name, (None, None))
            self._range = (max(least or 1, 1), most)
        if not self.symbols:
            # an expression of numbers only
            self.fix()

    def fix(self) -> None:
        """Leave no size but the example's."""
        self._tree = None
        self.symbols = frozenset()

    @property
    def candidates(self) -> list[int]:
        """Sizes that the expression and the range allow, ascending, up to a limit."""
        if self._tree is None:
            return [self.example]
        least, most = self._range
        # programs are exported as if sizes of 0 and 1 were special, and run all the same
        least = 1 if least == 2 else least
        found = set()
        (name,) = self.symbols
        for number in range(least, min(most or _LONGEST, least + _LONGEST) + 1):
            size = value(self._tree, {name: number})
            if size is None:
                return [self.example]
            if 1 <= size <= max(_LONGEST, 2 * self.example):
                found.add(size)
        return sorted(found | {self.example})

    def span(self, allowed: Sequence[int]) -> tuple[int, int, int | None]:
        """Smallest size, step, and largest size, of the sizes that are allowed.

        Small sizes off the rule (those that PyTorch treats as special) are left out.
        """
        if self._tree is None or len(allowed) < 2:
            return self.example, 0, self.example
        step = math.gcd(*(b - a for a, b in pairwise(allowed[-8:])))
        start = len(allowed) - 1
        while start > 0 and allowed[start] - allowed[start - 1] == step:
            start -= 1
        # what is refused above the largest size that is allowed is a limit as well
        is_cut = allowed[-1] < self.candidates[-1] - step
        most = allowed[-1] if is_cut else self._largest()
        if allowed[start] > self.example:
            return self.example, 0, self.example
        return allowed[start], step, most

    def _largest(self) -> int | None:
        (name,) = self.symbols
        most = self._range[1]
        if most is None or self._tree is None:
            return None
        largest = value(self._tree, {name: most})
        return largest if largest is not None and largest < _UNLIMITED else None


def _holds_together(guards: list[ast.expr], spans: list[tuple[int, int, int | None]]) -> bool:
    """Whether sizes from all axes' spans meet the conditions together."""
    for factors in ((0, 0, 0, 0, 0), (1, 1, 1, 2, 3), (5, 3, 7, 4, 6), (2, 1, 900, 999, 700)):
        shape = [
            min(least + factor * step, most or _UNLIMITED)
            for (least, step, most), factor in zip(spans, factors, strict=False)
        ]
        if not all(holds(guard, shape).all() for guard in guards):
            return False
    return True
