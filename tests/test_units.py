"""Names and symbols of units."""

from __future__ import annotations

import pytest

from napari_tessera.units import ome_unit, unit_name, unit_symbol


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("µm", "micrometer"),
        ("\u03bcm", "micrometer"),
        ("um", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("micron", "micrometer"),
        ("Microns", "micrometer"),
        ("micrometer", "micrometer"),
        ("micrometers", "micrometer"),
        ("nm", "nanometer"),
        ("m", "meter"),
        ("s", "second"),
        ("sec", "second"),
        ("seconds", "second"),
        ("ms", "millisecond"),
        ("min", "minute"),
        ("pixel", None),
        ("", None),
        (None, None),
        ("furlong", "furlong"),
    ],
)
def test_names_a_unit_in_full(text: str | None, name: str | None) -> None:
    assert unit_name(text) == name


@pytest.mark.parametrize(
    ("letter", "unit", "name", "symbol"),
    [
        ("X", "micrometer", "micrometer", "µm"),
        ("X", "µm", "micrometer", "µm"),
        ("X", "\N{GREEK SMALL LETTER MU}m", "micrometer", "µm"),
        ("Z", "microns", "micrometer", "µm"),
        ("Y", "Nanometres", "nanometer", "nm"),
        ("Y", "um", "micrometer", "µm"),
        ("T", "s", "second", "s"),
        ("T", "milliseconds", "millisecond", "ms"),
        ("T", "min", "minute", "min"),
        ("T", "micrometer", None, None),
        ("X", "second", None, None),
        ("X", "pixel", None, None),
        ("C", "micrometer", None, None),
        ("X", None, None, None),
    ],
)
def test_only_length_and_time_have_units_in_ome(
    letter: str, unit: str | None, name: str | None, symbol: str | None
) -> None:
    assert ome_unit(letter, unit) == name
    assert unit_symbol(letter, unit) == symbol
