"""Names of units as OME-Zarr writes them, from the many ways files spell them."""

from __future__ import annotations

_SPELLINGS = {
    "angstrom": ("å", "Å", "ångström", "angstroms"),
    "picometer": ("pm", "picometre"),
    "nanometer": ("nm", "nanometre"),
    "micrometer": ("um", "µm", "μm", "micron", "micrometre"),
    "millimeter": ("mm", "millimetre"),
    "centimeter": ("cm", "centimetre"),
    "meter": ("m", "metre"),
    "inch": ("in", "inches", '"'),
    "nanosecond": ("ns", "nsec"),
    "microsecond": ("us", "µs", "μs", "usec"),
    "millisecond": ("ms", "msec"),
    "second": ("s", "sec"),
    "minute": ("min", "mn"),
    "hour": ("h", "hr"),
    "day": ("d",),
}
_NAMES = {
    spelling.casefold(): name
    for name, spellings in _SPELLINGS.items()
    for spelling in (name, *spellings)
}


def unit_name(text: str | None) -> str | None:
    r"""Full name of a unit (``"micrometer"``), or None where it says nothing of size.

    Parameters
    ----------
    text : str or None
        A unit as a file or a layer gives it: ``"µm"``, ``"micron"``, ImageJ's ``"\u00B5m"``,
        ``"micrometers"``. ``"pixel"`` and empty text are no units; a unit that is not known here
        is kept as it is.
    """
    if text is None:
        return None
    plain = text.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    folded = plain.casefold()
    if folded in ("", "pixel", "pixels", "px", "dimensionless", "arbitrary", "a.u.", "none"):
        return None
    return _NAMES.get(folded) or _NAMES.get(folded.removesuffix("s")) or plain
