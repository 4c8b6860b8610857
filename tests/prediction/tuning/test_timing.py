"""Times of several things in turn, by a clock that the test sets."""

from __future__ import annotations

from threading import Event

import pytest

from napari_tessera.prediction.tuning.stopping import (
    Listener,
    MeasuringProgress,
    MeasuringStoppedError,
)
from napari_tessera.prediction.tuning.timing import ROUNDS, in_turn, middle


class Clock:
    """Time passes only where something is done."""

    def __init__(self) -> None:
        self.now = 100.0
        self.done: list[str] = []

    def __call__(self) -> float:
        return self.now

    def of(self, name: str, seconds: float):
        def do() -> None:
            self.done.append(name)
            self.now += seconds

        return do


def test_each_has_its_turn_in_each_round() -> None:
    clock = Clock()
    kinds = {"a": clock.of("a", 0.5), "b": clock.of("b", 0.25)}
    found = in_turn(kinds, {"a": 0.5, "b": 0.25}, 100.0, Listener(), clock=clock)
    assert clock.done == ["a", "b"] * ROUNDS
    assert found == {"a": [0.5] * ROUNDS, "b": [0.25] * ROUNDS}


def test_no_round_begins_that_there_is_no_time_for() -> None:
    clock = Clock()
    kinds = {"a": clock.of("a", 1.0), "b": clock.of("b", 1.0)}
    found = in_turn(kinds, {"a": 1.0, "b": 1.0}, 5.0, Listener(), clock=clock)
    assert [len(times) for times in found.values()] == [2, 2]
    # the time before stands for what there is none for
    assert in_turn(kinds, {"a": 3.0, "b": 2.5}, 5.0, Listener(), clock=clock) == {
        "a": [3.0],
        "b": [2.5],
    }
    assert in_turn({}, {}, 5.0, Listener(), clock=clock) == {}


def test_what_is_short_is_done_several_times_in_a_row() -> None:
    clock = Clock()
    found = in_turn({"a": clock.of("a", 0.005)}, {"a": 0.005}, 100.0, Listener(), clock=clock)
    assert len(clock.done) == 4 * ROUNDS
    assert found["a"] == pytest.approx([0.005] * ROUNDS)


def test_the_middle_is_never_nothing() -> None:
    assert middle([3.0, 1.0, 100.0]) == 3.0
    assert middle([0.0]) > 0


def test_a_listener_hears_of_its_part_and_stops() -> None:
    said: list[MeasuringProgress] = []
    cancel = Event()
    listener = Listener(cancel, said.append).part(0.5, 0.5).part(0.5, 0.2)
    for part in (0.0, 0.5, 7.0):
        listener.at(part, "x")
    assert [one.part for one in said] == pytest.approx([0.75, 0.8, 0.85])
    cancel.set()
    with pytest.raises(MeasuringStoppedError):
        listener.at(0.0, "x")
    with pytest.raises(MeasuringStoppedError):
        in_turn({"a": list}, {"a": 1.0}, 100.0, listener)
