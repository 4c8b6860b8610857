"""Units of length and time, found under the names that files, people and programs use."""

from __future__ import annotations

_SPACE = {
    "angstrom": ("Å", "ångström"),
    "picometer": ("pm",),
    "nanometer": ("nm",),
    "micrometer": ("µm", "um", "micron"),
    "millimeter": ("mm",),
    "centimeter": ("cm",),
    "decimeter": ("dm",),
    "meter": ("m",),
    "kilometer": ("km",),
    "inch": ("in", "inches", '"'),
    "foot": ("ft", "feet"),
}
"""Name in OME-Zarr: symbol in OME-XML, then other spellings."""
_TIME = {
    "femtosecond": ("fs",),
    "picosecond": ("ps",),
    "nanosecond": ("ns", "nsec"),
    "microsecond": ("µs", "us", "usec"),
    "millisecond": ("ms", "msec"),
    "second": ("s", "sec"),
    "minute": ("min", "mn"),
    "hour": ("h", "hr"),
    "day": ("d",),
}
_METERS = {
    "angstrom": 1e-10,
    "picometer": 1e-12,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "decimeter": 1e-1,
    "meter": 1.0,
    "kilometer": 1e3,
    "inch": 0.0254,
    "foot": 0.3048,
}
_SECONDS = {
    "femtosecond": 1e-15,
    "picosecond": 1e-12,
    "nanosecond": 1e-9,
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}
_NAMES = {
    spelling.casefold(): name
    for name, spellings in (_SPACE | _TIME).items()
    for spelling in (name, *spellings)
}
_NO_UNIT = ("", "pixel", "pixels", "px", "dimensionless", "arbitrary", "a.u.", "none")


def unit_name(text: str | None) -> str | None:
    r"""Full name of a unit (``"micrometer"``), or None where it says nothing of size.

    Parameters
    ----------
    text : str or None
        A unit as a file or a layer gives it: ``"µm"``, ``"micron"``, ImageJ's ``"\u00B5m"``,
        ``"micrometres"``. ``"pixel"`` and empty text are no units; a unit that is not known here
        is kept as it is.
    """
    if text is None:
        return None
    plain = text.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    # Folded, the micro sign becomes the Greek letter that looks like it.
    folded = plain.casefold().replace("metre", "meter")
    if folded in _NO_UNIT:
        return None
    return _NAMES.get(folded) or _NAMES.get(folded.removesuffix("s")) or plain


def ome_unit(letter: str, unit: str | None) -> str | None:
    """Name of an axis' unit in OME-Zarr; None where it is unknown or no length or time.

    Parameters
    ----------
    letter : str
        The axis: T is measured in time, Z, Y and X in length, others in nothing.
    unit : str or None
        A name or symbol; see `unit_name`.
    """
    name = unit_name(unit)
    return name if name in _known(letter) else None


def unit_symbol(letter: str, unit: str | None) -> str | None:
    """Symbol of an axis' unit in OME-XML; None where it is unknown or no length or time."""
    name = ome_unit(letter, unit)
    return None if name is None else _known(letter)[name][0]


def unit_ratio(unit: str | None, wanted: str | None) -> float | None:
    """How many of a wanted unit one unit is: 1000 for millimeters in micrometers.

    Parameters
    ----------
    unit, wanted : str or None
        Names or symbols; see `unit_name`. None, like ``"pixel"``, is a unit that is not known.

    Returns
    -------
    float or None
        1 for what is the same or known of neither; None where one cannot be told in the other.
    """
    names = unit_name(unit), unit_name(wanted)
    if names[0] == names[1]:
        return 1.0
    for table in (_METERS, _SECONDS):
        if names[0] in table and names[1] in table:
            # one rounding, so that a thousand nanometers are one micrometer
            return _whole(table[names[0]] / table[names[1]])
    return None


def _whole(ratio: float) -> float:
    """The ratio without what rounding adds to powers of ten."""
    return float(f"{ratio:.15g}")


def _known(letter: str) -> dict[str, tuple[str, ...]]:
    return _TIME if letter == "T" else _SPACE if letter in "ZYX" else {}
