from __future__ import annotations

import pytest

from napari_tessera.stacks.units import unit_name


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
