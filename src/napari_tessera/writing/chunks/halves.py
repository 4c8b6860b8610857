"""The planes of a pyramid, each half as high and wide as the one before."""

from __future__ import annotations

SMALLEST_PLANE = 512
"""The last level is one whose Y and X are no longer than this: a chunk, a window's part."""


def halved(size: int) -> int:
    """Length of an axis in the next level."""
    return -(-size // 2)


def plane_levels(height: int, width: int) -> list[tuple[int, int]]:
    """Heights and widths of the levels below a plane, until both are at most `SMALLEST_PLANE`."""
    levels = []
    while max(height, width) > SMALLEST_PLANE:
        height, width = halved(height), halved(width)
        levels.append((height, width))
    return levels
