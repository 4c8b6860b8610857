"""Wheel, drag and double click, as the mouse does them."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QImage, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.compare.side_by_side.picture_view import (
    LARGEST,
    SMALLEST,
    STEP,
    PictureView,
    Sight,
)


@pytest.fixture
def view(qtbot: QtBot) -> PictureView:
    view = PictureView("picture")
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    qtbot.waitExposed(view)
    picture = QImage(100, 400, QImage.Format.Format_RGB32)
    picture.fill(QColor("red"))
    view.set_picture(picture, 0.5)
    return view


def turn(view: PictureView, notches: int, at: QPoint) -> None:
    viewport = view.viewport()
    assert viewport is not None
    event = QWheelEvent(
        QPointF(at),
        QPointF(viewport.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)


def under(view: PictureView, at: QPoint) -> tuple[float, float]:
    """Point of the picture under a point of the view."""
    point = view.mapToScene(at)
    return point.x(), point.y()


def test_the_wheel_zooms_around_the_mouse(view: PictureView) -> None:
    said: list[Sight] = []
    view.moved.connect(said.append)
    view.look_at(Sight(4, 50, 100))
    at = QPoint(260, 30)
    before = under(view, at)
    turn(view, 3, at)
    assert view.sight.zoom == pytest.approx(4 * STEP**3)
    assert under(view, at) == pytest.approx(before, abs=0.3)
    turn(view, -3, at)
    assert under(view, at) == pytest.approx(before, abs=0.3)
    assert said[-1] == view.sight
    turn(view, 100, at)
    assert view.sight.zoom == LARGEST
    turn(view, -100, at)
    assert view.sight.zoom == SMALLEST


def test_dragging_moves_and_a_double_click_shows_all(view: PictureView) -> None:
    viewport = view.viewport()
    assert viewport is not None
    view.look_at(Sight(2, 50, 100))
    grabbed = under(view, QPoint(100, 100))
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    QTest.mouseMove(viewport, QPoint(140, 70))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(140, 70))
    assert under(view, QPoint(140, 70)) == pytest.approx(grabbed, abs=1)
    moved = view.sight
    QTest.mouseMove(viewport, QPoint(10, 10))
    assert view.sight == moved
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    # 100 wide and, with pixels half as high as wide, 200 high, in a view of 300 × 200
    assert view.sight == Sight(1.0, 50, 100)


def test_a_large_picture_is_first_seen_pixel_by_pixel(view: PictureView) -> None:
    assert view.first_sight() == Sight(1.0, 50, 100)
    large = QImage(4000, 3000, QImage.Format.Format_RGB32)
    view.set_picture(large, 1)
    assert view.first_sight() == Sight(1.0, 2000, 1500)
    assert view.whole().zoom < 0.1
    small = QImage(10, 10, QImage.Format.Format_RGB32)
    view.set_picture(small, 1)
    assert view.first_sight() == view.whole() == Sight(20.0, 5, 5)
    view.set_picture(QImage(), 1)
    assert view.whole() == view.sight


def test_keys_do_the_same(view: PictureView) -> None:
    said: list[Sight] = []
    view.moved.connect(said.append)
    view.look_at(Sight(2, 50, 100))
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.sight == Sight(2 * STEP, 50, 100)
    QTest.keyClick(view, Qt.Key.Key_Minus)
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.sight == Sight(pytest.approx(2), 70, 80)
    QTest.keyClick(view, Qt.Key.Key_0)
    assert view.sight == Sight(1.0, 50, 100)
    QTest.keyClick(view, Qt.Key.Key_A)
    assert len(said) == 5
