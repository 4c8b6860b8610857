"""A camera's offset and gain as people give them; loads nothing, as command lines need it."""

from __future__ import annotations

from math import isfinite
from numbers import Real

MOST_OFFSET = 1e12
"""Largest offset in size, in grey levels."""

MOST_GAIN = 1e9
"""Largest gain, in grey levels per photo-electron; its inverse is the smallest."""


def checked_offset(value: object) -> float | None:
    """An offset as it is asked for; None where it is 0.

    Raises
    ------
    ValueError
        If it is no number, or too large.
    """
    way_out = "give grey levels, like 100"
    offset = _number("camera offset", value, way_out)
    if not abs(offset) <= MOST_OFFSET:
        raise ValueError(f"camera offset {value} is beyond {MOST_OFFSET:g}; {way_out}")
    return offset or None


def checked_gain(value: object) -> float | None:
    """A gain as it is asked for; None where it is 1.

    Raises
    ------
    ValueError
        If it is no number above 0, or too far from 1.
    """
    way_out = "give grey levels per photo-electron, like 0.46"
    gain = _number("camera gain", value, way_out, none=1.0)
    if gain <= 0:
        raise ValueError(f"camera gain {value} is not above 0; {way_out}")
    if not 1 / MOST_GAIN <= gain <= MOST_GAIN:
        raise ValueError(
            f"camera gain {value} is not from {1 / MOST_GAIN:g} to {MOST_GAIN:g}; {way_out}"
        )
    return None if gain == 1 else gain


def _number(name: str, value: object, way_out: str, none: float = 0.0) -> float:
    if value is None:
        return none
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} {value!r} is no number; {way_out}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large; {way_out}") from None
    if not isfinite(number):
        raise ValueError(f"{name} {number} is not finite; {way_out}")
    return number
