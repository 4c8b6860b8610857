"""What is told of a tile and of the rest."""

from __future__ import annotations

import pytest
from tests.widgets.conftest import make_plan, noisy

from napari_tessera.widgets.try_tile.words import Cost, cost_lines, cost_text, tile_text


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (
            Cost("Everything", 126_000, 7200, 0, 21_000_000_000),
            "Everything: 126,000 tiles · ~2 h · 21 GB disk",
        ),
        (
            Cost("This slice", 1, 0.2, 4_000_000, 2_000_000),
            "This slice: 1 tile · ~1 s · 4.0 MB memory · 2.0 MB disk",
        ),
        (Cost("What I see", 12, None, 4_000_000, 0), "What I see: 12 tiles · 4.0 MB memory"),
    ],
)
def test_costs(cost: Cost, text: str) -> None:
    assert cost_text(cost) == text


def test_what_is_all_of_it_is_told_once() -> None:
    view, everything = Cost("What I see", 9, 1, 8, 0), Cost("Everything", 9, 1, 8, 0)
    assert cost_lines([view, everything]) == [cost_text(everything)]
    more = Cost("Everything", 10, 1, 8, 0)
    assert cost_lines([view, more]) == [cost_text(view), cost_text(more)]
    assert cost_lines([]) == []


@pytest.mark.parametrize(
    ("y", "x", "seconds", "text"),
    [
        (0, 0, 0.214, "Tile 1, 1 of 5 × 3 · 0.21 s"),
        (150, 40, 9.99, "Tile 5, 2 of 5 × 3 · 9.99 s"),
        (70, 80, 75, "Tile 3, 3 of 5 × 3 · 1 min"),
    ],
)
def test_a_tile_by_row_and_column(y: int, x: int, seconds: float, text: str) -> None:
    image = noisy((2, 160, 100))
    region = {"T": 1, "Y": slice(y, y + 1), "X": slice(x, x + 1)}
    plan = make_plan(image, "TYX", patch_size=(40, 40), overlaps=(8, 8), region=region)
    assert tile_text(plan, seconds) == text
