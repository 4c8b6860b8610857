"""Message colours can be read: contrast of at least 4.5 to 1 (WCAG 2.1, level AA)."""

import re

import pytest
from napari.utils.theme import get_theme

from napari_tessera.widgets.fields.look import kind_of_theme, style_sheet

LEVELS = ("error", "warning", "good", "muted")


def luminance(colour: tuple[int, ...]) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in colour[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def rgb(text: str) -> tuple[int, ...]:
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("level", LEVELS)
def test_messages_can_be_read_in_both_themes(theme: str, level: str) -> None:
    found = re.search(rf'level="{level}"\] {{ color: (#\w+)', style_sheet(theme))
    assert found is not None
    background = rgb(get_theme(theme).background.as_hex("long"))
    assert contrast(rgb(found[1]), background) >= 4.5


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_main_button_can_be_read(theme: str) -> None:
    found = re.search(
        r"#main {{? background-color: (#\w+); color: (#\w+)".replace("{{?", r"\{"),
        style_sheet(theme),
    )
    assert found is not None
    assert contrast(rgb(found[1]), rgb(found[2])) >= 4.5


def test_a_theme_of_an_unknown_kind_gets_the_dark_style() -> None:
    assert style_sheet("sepia") == style_sheet("dark")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_themes_are_told_apart_by_their_background(theme: str) -> None:
    assert kind_of_theme(theme) == theme
