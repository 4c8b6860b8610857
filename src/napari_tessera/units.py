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


def _known(letter: str) -> dict[str, tuple[str, ...]]:
    return _TIME if letter == "T" else _SPACE if letter in "ZYX" else {}
