"""Which input sizes a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ValidSizes:
    """Input sizes that a network takes, along each spatial axis in (Z)YX.

    Along an axis the valid sizes are ``minimum``, ``minimum + step``, ``minimum + 2·step``, … up to
    ``maximum``.

    Parameters
    ----------
    minimum : tuple of int
        Smallest size in pixels.
    step : tuple of int
        Distance of neighbouring sizes in pixels; 0 where only ``minimum`` is valid.
    maximum : tuple of (int or None)
        Largest size in pixels; None where there is no limit.
    """

    minimum: tuple[int, ...]
    step: tuple[int, ...]
    maximum: tuple[int | None, ...]

    @classmethod
    def any(cls, spatial_dims: int) -> ValidSizes:
        """Every size from one pixel on."""
        return cls((1,) * spatial_dims, (1,) * spatial_dims, (None,) * spatial_dims)

    @classmethod
    def fixed(cls, size: Sequence[int]) -> ValidSizes:
        """One size and no other."""
        sizes = tuple(int(s) for s in size)
        return cls(sizes, (0,) * len(sizes), sizes)

    @property
    def is_fixed(self) -> bool:
        """Whether only one size is valid."""
        return not any(self.step)

    def fits(self, size: Sequence[int]) -> bool:
        """Whether a size is valid along all axes."""
        return self.rounded_up(size) == tuple(size)

    def rounded_up(self, size: Sequence[int]) -> tuple[int, ...] | None:
        """Smallest valid size that holds a size; None where there is none."""
        found = []
        for s, least, step, most in zip(size, self.minimum, self.step, self.maximum, strict=True):
            up = least if s <= least else least + -(-(s - least) // step) * step if step else None
            if up is None or (most is not None and up > most):
                return None
            found.append(up)
        return tuple(found)
