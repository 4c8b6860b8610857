"""What is told of tiles that were measured."""

from __future__ import annotations

import pytest

from napari_tessera.prediction.tuning.best_tiles import Measured, Tuned
from napari_tessera.prediction.tuning.remembered import Remembered
from napari_tessera.widgets.tuning.words import speed_text, suggestion_text, tuned_text

SMALL = Measured((256, 256), (44, 44), 1, 0.01, 8.1e6, 5)
LARGE = Measured((448, 448), (44, 44), 1, 0.02, 10.5e6, 5)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("best", "before", "text"),
    [
        (LARGE, SMALL, "256 × 256 → 448 × 448: 1.3 × as fast here; 8.1 → 10 MP/s"),
        (SMALL, SMALL, "256 × 256 is the fastest here already: 8.1 MP/s"),
        (LARGE, None, "448 × 448 is the fastest here: 10 MP/s"),
        (
            Measured((1024, 1024), (44, 44), 8, 0.1, 1.2e8, 5),
            Measured((512, 512), (44, 44), 4, 0.1, 6e7, 5),
            "512 × 512, batch 4 → 1024 × 1024, batch 8: 2 × as fast here; 60 → 120 MP/s",
        ),
    ],
)
def test_what_was_gained(best: Measured, before: Measured | None, text: str) -> None:
    assert plain(tuned_text(Tuned(best, before, (best,)))) == text


def test_where_nothing_else_was_measured() -> None:
    alone = Tuned(SMALL, SMALL, (SMALL,), ((448, 448),))
    assert plain(tuned_text(alone)) == (
        "Time or memory is short for any other tiles than 256 × 256: 8.1 MP/s"
    )


@pytest.mark.parametrize(
    ("speed", "text"),
    [(8.14e6, "8.1"), (0.024e6, "0.02"), (0.8e6, "0.80"), (99.6e6, "100"), (1.5e9, "1500")],
)
def test_speeds(speed: float, text: str) -> None:
    assert speed_text(speed) == text


def test_what_was_found_before() -> None:
    found = Remembered((448, 448), 1, 10.4e6)
    assert plain(suggestion_text(found)) == "Tuned before: 448 × 448, 10 MP/s"
