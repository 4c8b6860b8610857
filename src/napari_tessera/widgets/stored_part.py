"""Which part of its image a stored run is of, and in what that differs from another run's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AREA, _CHANNELS = "area", "channels"
_ONE_BY_ONE = "STZ"
"""Axes whose part is told by number: where the viewer's sliders have to be."""


def channels_of(deciding: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Channels that a run denoises; None for all.

    Parameters
    ----------
    deciding : mapping
        What ``fingerprint_of`` of a stored plan says.
    """
    together = deciding.get("input_channels")
    chosen = _region(deciding).get("C") if together is None else together
    return None if chosen is None else _indices(chosen)


def is_all_but_channels(deciding: Mapping[str, Any]) -> bool:
    """Whether a run is over all of its image, or over all of some of its channels."""
    return not deciding.get("inside") and set(_region(deciding)) <= {"C"}


def part_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, str]:
    """In what the parts of two runs differ, in the words of the dock.

    Parameters
    ----------
    theirs, ours : mapping
        What ``fingerprint_of`` of the stored plan, and of the one of now, says.

    Returns
    -------
    dict of str to str
        By what differs, a text: ``"channels 1 there, all now"``, ``"T 1 there, all now"``, or
        ``"area"`` for what no number tells.
    """
    told: dict[str, str] = {}
    stored, now = channels_of(theirs), channels_of(ours)
    if stored != now:
        told[_CHANNELS] = f"{_CHANNELS} {_text(stored)} there, {_text(now)} now"
    there, here = _region(theirs), _region(ours)
    for letter in sorted({*there, *here} - {"C"}):
        if there.get(letter) == here.get(letter):
            continue
        if letter in _ONE_BY_ONE and letter in there:
            parts = (
                _indices(region[letter]) if letter in region else None for region in (there, here)
            )
            was, is_now = map(_text, parts)
            told[letter] = f"{letter} {was} there, {is_now} now"
        else:
            told[_AREA] = _AREA
    return told or {_AREA: _AREA}


def _region(deciding: Mapping[str, Any]) -> Mapping[str, Any]:
    region = deciding.get("region_selection")
    return region if isinstance(region, Mapping) else {}


def _indices(chosen: Any) -> tuple[int, ...]:
    try:
        if isinstance(chosen, Mapping):
            return tuple(range(int(chosen["start"]), int(chosen["stop"])))
        return tuple(int(index) for index in chosen)
    except (KeyError, TypeError, ValueError):
        # what somebody has written into a store
        return ()


def _text(chosen: tuple[int, ...] | None) -> str:
    """Numbers as they are typed: ``"0,2"``, ``"3…7"`` for more than two in a row."""
    if not chosen:
        return "all" if chosen is None else "none"
    if len(chosen) > 2 and chosen == tuple(range(chosen[0], chosen[-1] + 1)):
        return f"{chosen[0]}…{chosen[-1]}"
    return ",".join(map(str, chosen))
