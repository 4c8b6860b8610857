import pytest

from napari_tessera.widgets.fields.text import (
    bytes_text,
    duration_text,
    image_summary,
    in_peoples_words,
    overlap_text,
    sizes_text,
)


def test_an_image_is_told_by_axes_sizes_and_type() -> None:
    assert image_summary("TZYX", (60, 21, 2048, 2048), "uint16") == "T60 Z21 Y2048 X2048 · uint16"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (4.4, "4 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (190, "3 min"),
        (3569, "59 min"),
        (3600, "1 h"),
        (5400, "1.5 h"),
        (7210, "2 h"),
        (30 * 3600, "30 h"),
        (5 * 86400, "5 days"),
    ],
)
def test_times_are_rounded_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (640e6, "640 MB"),
        (2.14e9, "2.1 GB"),
        (21e9, "21 GB"),
        (999.6e6, "1.0 GB"),
        (3.2e15, "3200 TB"),
    ],
)
def test_sizes_have_two_digits_and_decimal_units(size: float, text: str) -> None:
    assert bytes_text(size) == text


def test_sizes_of_tiles_and_overlaps() -> None:
    assert sizes_text((32, 128, 128)) == "32×128×128"
    assert overlap_text((56, 56)) == "56"
    assert overlap_text((16, 48, 48)) == "16×48×48"


def test_the_engine_speaks_the_words_of_the_dock() -> None:
    told = in_peoples_words("patch size Y: 58 is no multiple of the alignment 4: use 56 or 60")
    assert told == "tile size Y: 58 is no multiple of the model's step of 4: use 56 or 60"
    assert in_peoples_words("less than the patch size 64, or a larger patch") == (
        "less than the tile size 64, or a larger tile"
    )
