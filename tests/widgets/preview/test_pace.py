"""How fast tiles come."""

from __future__ import annotations

import pytest

from napari_tessera.widgets.preview.pace import Pace


@pytest.mark.parametrize(
    ("batch", "times", "tiles", "seconds"),
    [
        (1, [], 0, 0.0),
        (1, [9.0], 0, 0.0),
        (1, [9.0, 9.5, 10.0, 12.0], 3, 3.0),
        (4, [9.0, 9.1, 9.2], 0, 0.0),
        (4, [9.0, 9.0, 9.0, 9.0, 11.0, 11.0], 2, 2.0),
    ],
)
def test_the_first_batch_is_left_out(
    batch: int, times: list[float], tiles: int, seconds: float
) -> None:
    clock = iter(times)
    pace = Pace(batch, lambda: next(clock))
    for _ in times:
        pace.came()
    assert pace.tiles == tiles
    assert pace.seconds == pytest.approx(seconds)
