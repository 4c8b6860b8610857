"""What tiling needs to know about a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelGeometry:
    """How far a model looks, and on which grid it works.

    Parameters
    ----------
    reach : tuple of int, or None
        Farthest distance in pixels from which an input pixel changes an output pixel, along each
        spatial axis in (Z)YX. None where every input pixel changes every output pixel (or where
        more was seen than can be measured): no overlap makes tiles join exactly then.
    period : tuple of int
        Shifts by multiples of it, in pixels along each spatial axis, shift the output by as much
        and change nothing else. Sizes that are multiples of it are accepted.
    out_channels : int
        Channels that come out.
    notes : tuple of str
        What people should know: one line each.
    """

    reach: tuple[int, ...] | None
    period: tuple[int, ...]
    out_channels: int
    notes: tuple[str, ...] = ()
