"""Starts of patches along one axis: which region they belong to, and how often they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_BITS = 53


def scaled(uniform: float, n: int) -> int:
    """One of 0…n − 1, from a number that is uniform on [0, 1); ``n`` may be of any size."""
    return int(uniform * 2**_BITS) * n >> _BITS


@dataclass(frozen=True)
class StratifiedAxis:
    """Regions along an axis of size s with patch p, and the mass of every start 0…s − p.

    Masses sum to s/p: as many patches, laid side by side, fill the axis. A start has its share of
    one patch per epoch; the mass of a region is the sum over its starts.

    * Where s > 2p every start has 1/p. So each pixel that is p or more away from both ends is
      selected once. The starts that would lie outside the image have (p − 1)/p; one half goes to
      start 0 and one half to start s − p, which meet no such pixel.
    * Where s ≤ 2p there is no such pixel, and all starts have the same mass, s/p/(s − p + 1).

    Region g, one of s // p, has the p starts from g·p, the last one those from g·p to s − p.

    Parameters
    ----------
    size, patch : int
        In pixels; the patch is not larger than the axis.
    """

    size: int
    patch: int

    @cached_property
    def n(self) -> int:
        """Number of regions."""
        return self.size // self.patch

    @cached_property
    def has_interior(self) -> bool:
        """Whether any pixel is a patch away from both ends."""
        return self.size > 2 * self.patch

    @cached_property
    def denominator(self) -> int:
        """Masses are whole multiples of one part in this."""
        p = self.patch
        return 2 * p if self.has_interior else p * (self.size - p + 1)

    def n_starts(self, region: int) -> int:
        """Number of starts of a region."""
        return self.patch if region < self.n - 1 else self.size % self.patch + 1

    def mass(self, region: int) -> int:
        """Mass of a region, in parts of the denominator."""
        starts = self.n_starts(region)
        if not self.has_interior:
            return starts * self.size
        return 2 * starts + (self.patch - 1 if self.is_end(region) else 0)

    def is_end(self, region: int) -> bool:
        """Whether a region is the first or the last."""
        return region in (0, self.n - 1)

    def parts(self) -> Iterator[range]:
        """Regions of the same mass: the first, those in between, the last."""
        n = self.n
        for part in (range(1), range(1, n - 1), range(max(1, n - 1), n)):
            if part:
                yield part

    def offset(self, region: int, uniform: float) -> int:
        """Start within a region, by the masses, from a number that is uniform on [0, 1)."""
        starts = self.n_starts(region)
        if not self.has_interior:
            return scaled(uniform, starts)
        at = scaled(uniform, self.mass(region))
        if region == 0:
            return max(0, at - (self.patch - 1)) // 2
        return min(at // 2, starts - 1)

    def end_offset(self, region: int) -> int:
        """Start within a region at which a patch meets its own cell and an end of the axis only."""
        last = self.has_interior and region == self.n - 1
        return self.n_starts(region) - 1 if last else 0
