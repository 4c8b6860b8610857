"""Names and symbols of units."""

from __future__ import annotations

import pytest

from napari_tessera.units import ome_unit, unit_name, unit_ratio, unit_symbol


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


@pytest.mark.parametrize(
    ("unit", "wanted", "ratio"),
    [
        ("mm", "micrometer", 1000.0),
        ("nm", "micron", 0.001),
        ("angstrom", "nm", 0.1),
        ("inch", "cm", 2.54),
        ("km", "picometer", 1e15),
        ("ms", "second", 0.001),
        ("hours", "min", 60.0),
        ("µm", "micron", 1.0),
        ("parsec", "parsec", 1.0),
        (None, "pixel", 1.0),
        ("micrometer", None, None),
        ("micrometer", "second", None),
        ("parsec", "meter", None),
    ],
)
def test_one_unit_is_told_in_another(
    unit: str | None, wanted: str | None, ratio: float | None
) -> None:
    assert unit_ratio(unit, wanted) == ratio


def test_all_units_are_told_in_each_other() -> None:
    lengths = "angstrom picometer nanometer micrometer millimeter centimeter decimeter meter"
    for names in (
        (*lengths.split(), "kilometer", "inch", "foot"),
        ("femtosecond", "nanosecond", "microsecond", "millisecond", "second", "hour", "day"),
    ):
        for one in names:
            for other in names:
                there, back = unit_ratio(one, other), unit_ratio(other, one)
                assert there is not None
                assert back is not None
                assert there * back == pytest.approx(1)
