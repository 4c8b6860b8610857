from __future__ import annotations

import pytest

from napari_tessera.prediction import Progress
from napari_tessera.prediction.several.pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(done: int, total: int, pixels: int) -> Progress:
    return Progress(done, total, (), (), 0.0, pixels, {})


def test_time_left_follows_the_pixels_done() -> None:
    clock = Clock()
    pace = Pace([100, 300], clock)
    assert pace.seconds_left() is None
    pace.note(0, None)
    clock.now = 1
    pace.note(0, at(1, 4, 25))
    # 25 pixels a second, 375 left
    assert pace.seconds_left() == pytest.approx(15)
    clock.now = 4
    pace.note(0, at(4, 4, 100))
    pace.end(0)
    assert pace.seconds_left() == pytest.approx(12)
    # time between images counts for none
    clock.now = 10
    pace.note(1, None)
    clock.now = 12
    pace.note(1, at(1, 2, 150))
    assert pace.seconds_left() == pytest.approx(150 / (250 / 6))


def test_what_was_done_before_takes_no_time() -> None:
    clock = Clock()
    pace = Pace([100], clock)
    pace.note(0, None)
    pace.note(0, at(3, 4, 0))
    assert pace.seconds_left() is None
    clock.now = 2
    pace.note(0, at(4, 4, 25))
    assert pace.seconds_left() == 0


def test_images_that_fail_are_not_waited_for() -> None:
    clock = Clock()
    pace = Pace([100, 100, 100], clock)
    pace.note(0, None)
    pace.end(0)
    pace.note(1, None)
    clock.now = 1
    pace.note(1, at(1, 2, 50))
    assert pace.seconds_left() == pytest.approx(3)
