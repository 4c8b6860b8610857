"""When somebody looks at something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.preview.moves import LONGEST_MS, Moves


@dataclass
class Watched:
    """A viewer, and how often a move was told of."""

    viewer: ViewerModel
    moves: Moves
    told: list[float]
    qtbot: QtBot

    def until(self, n: int) -> None:
        """Wait until so many moves were told of, and no more are to come."""
        moves = self.moves
        timers = (moves._first, moves._rest, moves._longest)
        self.qtbot.waitUntil(lambda: len(self.told) == n and not any(t.isActive() for t in timers))


@pytest.fixture
def watched(qtbot: QtBot) -> Iterator[Watched]:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 20, 20)))
    owner = QObject()
    moves = Moves(viewer, owner)
    told: list[float] = []
    moves.moved.connect(lambda: told.append(camera_of(viewer).zoom))
    moves.start()
    yield Watched(viewer, moves, told, qtbot)
    moves.stop()


def test_the_first_is_told_at_once_and_alone(watched: Watched) -> None:
    camera_of(watched.viewer).zoom = 2
    assert watched.told == []
    watched.qtbot.waitUntil(lambda: watched.told == [2], timeout=60)
    watched.until(1)


def test_of_many_the_first_and_the_last(watched: Watched) -> None:
    camera_of(watched.viewer).zoom = 2
    watched.qtbot.waitUntil(lambda: watched.told == [2])
    for zoom in (3, 4, 5):
        camera_of(watched.viewer).zoom = zoom
    watched.until(2)
    assert watched.told == [2, 5]


def test_who_never_rests_is_followed_all_the_same(watched: Watched) -> None:
    zooms = iter(np.linspace(2, 9, 1000))

    def goes_on() -> bool:
        camera_of(watched.viewer).zoom = next(zooms)
        return len(watched.told) >= 3

    watched.qtbot.waitUntil(goes_on, timeout=20 * LONGEST_MS)
    assert watched.moves._rest.isActive()


def resize_canvas(viewer: Any, size: tuple[int, int]) -> None:
    """Tell a viewer's model of another size of its canvas, as a window does."""
    if not hasattr(viewer, "canvas"):
        pytest.skip("napari before 0.9 tells nobody of the canvas's size")
    viewer.canvas.size = size


@pytest.mark.parametrize(
    "move",
    [
        lambda viewer: viewer.dims.set_current_step(0, 1),
        lambda viewer: setattr(camera_of(viewer), "center", (0, 3, 4)),
        lambda viewer: setattr(viewer.dims, "ndisplay", 3),
        lambda viewer: setattr(viewer.dims, "order", (1, 0, 2)),
        lambda viewer: resize_canvas(viewer, (200, 300)),
    ],
    ids=["slider", "pan", "3D", "order", "window"],
)
def test_whatever_changes_the_view(watched: Watched, move: Any) -> None:
    move(watched.viewer)
    watched.qtbot.waitUntil(lambda: len(watched.told) >= 1)


def test_after_its_end_nothing_is_told(watched: Watched) -> None:
    camera_of(watched.viewer).zoom = 2
    watched.moves.stop()
    watched.moves.stop()
    camera_of(watched.viewer).zoom = 3
    watched.qtbot.wait(20)
    assert watched.told == []
    watched.moves.start()
    watched.moves.start()
    camera_of(watched.viewer).zoom = 4
    watched.until(1)
