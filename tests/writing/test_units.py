from __future__ import annotations

import pytest

from napari_tessera.writing.units import unit_name, unit_symbol


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
def test_units(letter: str, unit: str | None, name: str | None, symbol: str | None) -> None:
    assert unit_name(letter, unit) == name
    assert unit_symbol(letter, unit) == symbol
