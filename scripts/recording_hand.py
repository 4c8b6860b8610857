"""A hand on the mouse: it moves, clicks, drags and turns the wheel as people do, and is watched.

What it does goes to the widgets as mouse events, in the time it takes; the pointer of the screen
itself is not needed. Where the hand was is kept, for drawing a pointer there.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

STEP_S = 0.012
"""Between two positions of a movement."""


class Place(NamedTuple):
    """Where the hand was, from a time on: px of the window, and whether it pressed."""

    at: float
    x: float
    y: float
    pressed: bool


class Hand:
    """A mouse in a window.

    Parameters
    ----------
    window : QWidget
        The window; positions are pixels of it.
    start : tuple of float
        Where the hand lies at first.
    """

    def __init__(self, window: Any, start: tuple[float, float]) -> None:
        self.window = window
        self.pressed = False
        self.track = [Place(time.monotonic(), *start, pressed=False)]
        self._held: Any = None

    @property
    def position(self) -> tuple[float, float]:
        """Where it is."""
        return self.track[-1].x, self.track[-1].y

    def over(self, widget: Any, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
        """A position in the window by a widget and parts of its width and height."""
        from qtpy.QtCore import QPoint

        inside = QPoint(round(x * (widget.width() - 1)), round(y * (widget.height() - 1)))
        corner = widget.mapTo(self.window, inside)
        return corner.x(), corner.y()

    def move(self, to: tuple[float, float], seconds: float) -> None:
        """Go somewhere, faster in the middle of the way than at its ends."""

        def way(part: float) -> None:
            eased = part * part * (3 - 2 * part)
            self._place(*(a + eased * (b - a) for a, b in zip(start, to, strict=True)))
            self._send("MouseMove")

        start = self.position
        self._for(seconds, way)

    def press(self) -> None:
        """Button down, where the hand is."""
        self.pressed = True
        self._place(*self.position)
        self._held = self._below()
        self._send("MouseButtonPress")

    def release(self) -> None:
        """Button up."""
        self.pressed = False
        self._place(*self.position)
        self._send("MouseButtonRelease")
        self._held = None

    def click(self, widget: Any, seconds: float) -> None:
        """Go to a button and press it."""
        self.move(self.over(widget), seconds)
        self.press()
        self.rest(0.15)
        self.release()

    def drag(self, by: tuple[float, float], seconds: float) -> None:
        """Take what is below along."""
        x, y = self.position
        self.press()
        self.move((x + by[0], y + by[1]), seconds)
        self.release()

    def wheel(self, notches: float, seconds: float) -> None:
        """Turn the wheel: up is positive."""
        from qtpy.QtCore import QPoint, QPointF, Qt
        from qtpy.QtGui import QWheelEvent
        from qtpy.QtWidgets import QApplication

        sent = [0]

        def turn(part: float) -> None:
            angle = round(part * notches * 120) - sent[0]
            sent[0] += angle
            widget, inside, outside = self._target()
            none, no_phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
            event = QWheelEvent(
                QPointF(inside),
                QPointF(outside),
                QPoint(),
                QPoint(0, angle),
                none,
                Qt.KeyboardModifier.NoModifier,
                no_phase,
                False,
            )
            QApplication.sendEvent(widget, event)

        self._for(seconds, turn, step=0.05)

    def rest(self, seconds: float) -> None:
        """Do nothing for a while; the window goes on."""
        self._for(seconds, lambda part: None)

    def _for(self, seconds: float, do: Callable[[float], None], step: float = STEP_S) -> None:
        from qtpy.QtWidgets import QApplication

        start = time.monotonic()
        part, due = 0.0, start
        while part < 1:
            QApplication.processEvents()
            now = time.monotonic()
            if now < due:
                time.sleep(min(0.004, due - now))
                continue
            due = now + step
            part = min(1.0, (now - start) / seconds)
            do(part)

    def _place(self, x: float, y: float) -> None:
        self.track.append(Place(time.monotonic(), x, y, self.pressed))

    def _below(self) -> Any:
        from qtpy.QtCore import QPoint

        x, y = self.position
        return self.window.childAt(QPoint(round(x), round(y))) or self.window

    def _target(self) -> tuple[Any, Any, Any]:
        from qtpy.QtCore import QPoint

        widget = self._held or self._below()
        place = QPoint(*(round(part) for part in self.position))
        return widget, widget.mapFrom(self.window, place), self.window.mapToGlobal(place)

    def _send(self, kind: str) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        widget, inside, outside = self._target()
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        event = QMouseEvent(
            getattr(QEvent.Type, kind),
            QPointF(inside),
            QPointF(outside),
            none if kind == "MouseMove" else left,
            left if self.pressed else none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)


def place_at(track: list[Place], moment: float) -> Place:
    """Where the hand was at a time."""
    return track[max(0, bisect_right(track, moment, key=lambda place: place.at) - 1)]
