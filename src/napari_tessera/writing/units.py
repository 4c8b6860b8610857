"""Units as OME writes them, found under the names that people and programs use."""

from __future__ import annotations

_SPACE = {
    "angstrom": "Å",
    "picometer": "pm",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "inch": "in",
    "foot": "ft",
}
_TIME = {
    "femtosecond": "fs",
    "picosecond": "ps",
    "nanosecond": "ns",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
}
_ALSO = {"micron": "micrometer", "um": "micrometer", "us": "microsecond", "sec": "second"}


def unit_name(letter: str, unit: str | None) -> str | None:
    """Name of an axis' unit in OME-Zarr; None where it is unknown or no length or time.

    Parameters
    ----------
    letter : str
        The axis: T is measured in time, Z, Y and X in length, others in nothing.
    unit : str or None
        A name or symbol: ``"micrometer"``, ``"microns"``, ``"µm"``, ``"um"``, ``"s"`` ...
    """
    names = _TIME if letter == "T" else _SPACE if letter in "ZYX" else {}
    if unit is None:
        return None
    # U+03BC, the Greek letter, looks like U+00B5, the micro sign
    unit = unit.strip().replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")
    for name, symbol in names.items():
        if unit == symbol:
            return name
    word = unit.lower().replace("metre", "meter")
    for candidate in (word, word.removesuffix("s")):
        candidate = _ALSO.get(candidate, candidate)
        if candidate in names:
            return candidate
    return None


def unit_symbol(letter: str, unit: str | None) -> str | None:
    """Symbol of an axis' unit in OME-XML; None where it is unknown or no length or time."""
    name = unit_name(letter, unit)
    return None if name is None else {**_SPACE, **_TIME}[name]
