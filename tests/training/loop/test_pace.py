"""Speed and time left, by a clock of the test's own."""

from __future__ import annotations

import pytest

from napari_tessera.training.loop.pace import Pace


def test_the_first_step_does_not_count() -> None:
    now = 10.0
    pace = Pace(lambda: now, spent=100.0)
    assert pace.steps_per_second is None
    now = 40.0
    pace.stepped(6)
    assert pace.seconds_left(10) is None
    now = 42.0
    pace.stepped(7)
    assert pace.steps_per_second == 0.5
    assert pace.seconds_left(10) == 20.0
    assert pace.seconds == 132.0


def test_the_last_minute_counts() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    step = 0
    for seconds, times in ((10.0, 30), (0.5, 240)):
        for _ in range(times):
            now += seconds
            step += 1
            pace.stepped(step)
    assert pace.steps_per_second == pytest.approx(2.0, rel=0.01)


def test_a_clock_that_stands_tells_no_speed() -> None:
    pace = Pace(lambda: 1.0)
    pace.stepped(1)
    pace.stepped(2)
    assert pace.steps_per_second is None
