"""The canvas shows the input left of the line and the output right of it, pixel by pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.compare.conftest import BLACK_WHITE, Canvas, made_of, noise_of
from tests.widgets.pointer import move

from napari_tessera.widgets.canvas import camera_of, grid_of
from napari_tessera.widgets.compare.divider import GRIP, NEAREST, Divider
from napari_tessera.widgets.compare.split import IN_GRID, NO_CANVAS, NOTHING, Split

LEFT = Qt.MouseButton.LeftButton


def started(canvas: Canvas) -> Split:
    split = Split(canvas.viewer)
    split.start()
    assert split.on
    return split


def line_of(split: Split) -> Divider:
    assert split._divider is not None
    return split._divider


def assert_split_at(canvas: Canvas, x: float) -> None:
    """Black before a column, white behind it, as far as the layers reach."""
    row = canvas.row()
    white = np.flatnonzero(row > 200)
    assert white.size
    assert white.min() == pytest.approx(x, abs=1)
    # the pair fills the middle of the canvas
    assert row[round(x) - 40 : round(x) - 2].max() < 60


def drag(canvas: Canvas, widget: Any, start: QPoint, stop: QPoint) -> None:
    QTest.mousePress(widget, LEFT, pos=start)
    for part in (0.3, 0.7, 1.0):
        at = start + (stop - start) * part
        move(widget, at, LEFT)
    QTest.mouseRelease(widget, LEFT, pos=stop)


def test_left_is_the_input_and_right_the_output(canvas: Canvas) -> None:
    source, output = canvas.pair()
    whole = canvas.row()
    split = started(canvas)
    line = line_of(split)
    middle = canvas.native.width() / 2
    assert line.edge == pytest.approx(middle, abs=1)
    assert_split_at(canvas, middle)
    assert (line.left_label.text(), line.right_label.text()) == ("input", "denoised")
    assert line.left_label.geometry().right() < middle < line.right_label.geometry().left()
    split.suspend(True)
    assert not line.isVisible()
    assert not line.left_label.isVisible()
    np.testing.assert_array_equal(canvas.row(), whole)
    split.suspend(False)
    assert line.isVisible()
    assert_split_at(canvas, line.edge)
    split.end()
    assert not split.on
    np.testing.assert_array_equal(canvas.row(), whole)
    # hidden layers are brought for the time being
    source.visible = output.visible = False
    split.start()
    assert_split_at(canvas, line_of(split).edge)
    split.end()
    assert not source.visible
    assert not output.visible


def test_the_line_is_dragged_and_the_image_panned_beside_it(canvas: Canvas) -> None:
    canvas.pair()
    split = started(canvas)
    line = line_of(split)
    grip = QPoint(GRIP // 2, line.height() // 3)
    centre = camera_of(canvas.viewer).center
    for step in (-90, 130):
        before = line.edge
        QTest.mousePress(line, LEFT, pos=grip)
        for part in (0.5, 1.0):
            # the line moves with the mouse, so that its own coordinates do as well
            target = line.mapFromParent(QPoint(round(before + step * part), grip.y()))
            QTest.mouseMove(line, target)
        QTest.mouseRelease(line, LEFT, pos=grip)
        assert line.edge == pytest.approx(before + step, abs=2)
        assert_split_at(canvas, line.edge)
    assert camera_of(canvas.viewer).center == centre
    edge = line.edge
    drag(canvas, canvas.native, QPoint(round(edge) + 60, 200), QPoint(round(edge) + 90, 230))
    canvas.qtbot.waitUntil(lambda: camera_of(canvas.viewer).center != centre)
    assert line.edge == edge
    assert_split_at(canvas, edge)
    # it cannot get lost
    QTest.mousePress(line, LEFT, pos=grip)
    QTest.mouseMove(line, QPoint(-5000, 20))
    QTest.mouseRelease(line, LEFT, pos=grip)
    assert line.edge == NEAREST
    # a side too narrow for its label has none
    assert not line.left_label.isVisible()
    assert line.right_label.isVisible()
    QTest.mousePress(line, LEFT, pos=grip)
    QTest.mouseMove(line, QPoint(9000, 20))
    QTest.mouseRelease(line, LEFT, pos=grip)
    assert line.edge == canvas.native.width() - NEAREST
    assert line.left_label.isVisible()
    assert not line.right_label.isVisible()
    # only the left button takes hold of it
    QTest.mousePress(line, Qt.MouseButton.RightButton, pos=grip)
    QTest.mouseMove(line, QPoint(-200, 20))
    assert line.edge == canvas.native.width() - NEAREST


@pytest.mark.slow
def test_it_follows_the_size_of_the_canvas(canvas: Canvas) -> None:
    canvas.pair()
    split = started(canvas)
    line = line_of(split)
    width = canvas.native.width()
    main = canvas.native.window()
    with canvas.qtbot.waitSignal(line.moved):
        main.resize(main.width() - 200, main.height())
    assert canvas.native.width() < width
    assert line.edge == pytest.approx(canvas.native.width() / 2, abs=1)
    assert_split_at(canvas, line.edge)


@pytest.mark.slow
def test_every_kind_of_layer_is_divided(canvas: Canvas, tmp_path: Path) -> None:
    split = Split(canvas.viewer)
    small = [np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)]
    large = [np.zeros((600, 600), np.float32), np.ones((600, 600), np.float32)]
    stored = [zarr.array(a, store=str(tmp_path / str(a[0, 0]))) for a in small]
    limits: dict[str, Any] = {"contrast_limits": BLACK_WHITE}
    turned = {"rotate": 30, "scale": (0.5, 0.5), "translate": (4, 9), "shear": [0.2]}
    kinds: list[tuple[list[Any], dict[str, Any]]] = [
        (small, {**limits, **turned}),
        ([[a, a[::2, ::2]] for a in large], limits),
        (stored, limits),
        ([da.from_array(a, chunks=32) for a in small], limits),
        ([np.repeat(np.uint8(255 * a)[..., None], 3, axis=-1) for a in small], {"rgb": True}),
    ]
    for data, look in kinds:
        source = canvas.viewer.add_image(data[0], name="cells", **look)
        canvas.viewer.add_layer(made_of(source, data[1], **look))
        canvas.viewer.reset_view()
        split.start()
        assert_split_at(canvas, line_of(split).edge)
        canvas.viewer.layers.clear()
        assert not split.on


def test_it_follows_sliders_zoom_and_what_is_written_meanwhile(canvas: Canvas) -> None:
    _, output = canvas.pair((3, 64, 64))
    split = started(canvas)
    line = line_of(split)
    canvas.viewer.dims.set_current_step(0, 2)
    assert_split_at(canvas, line.edge)
    camera_of(canvas.viewer).zoom *= 2
    camera_of(canvas.viewer).center = (0, 30, 40)
    assert_split_at(canvas, line.edge)
    output.data[2] = np.nan
    output.refresh()
    assert canvas.row().max() < 60
    output.data[2] = 1
    output.refresh()
    assert_split_at(canvas, line.edge)


@pytest.mark.slow
def test_it_stays_in_3d_display(canvas: Canvas) -> None:
    canvas.pair((16, 16, 16), rendering="mip")
    split = started(canvas)
    line = line_of(split)
    canvas.viewer.dims.ndisplay = 3
    assert_split_at(canvas, line.edge)
    canvas.viewer.dims.ndisplay = 2
    assert_split_at(canvas, line.edge)
    split.close()
    assert canvas.row().max() > 200


def test_layers_that_come_and_go(canvas: Canvas) -> None:
    source, output = canvas.pair()
    events = (canvas.viewer.layers.events.inserted, source.events.set_data, source.events.visible)
    before = [len(event.callbacks) for event in events]
    children = len(canvas.native.children())
    split = started(canvas)
    line = line_of(split)
    second = made_of(source, np.ones((64, 64), np.float32), contrast_limits=BLACK_WHITE)
    canvas.viewer.add_layer(second)
    assert_split_at(canvas, line.edge)
    noise = noise_of(second, np.ones((64, 64), np.float32))
    canvas.viewer.add_layer(noise)
    assert line.right_label.text() == "removed noise"
    noise.visible = False
    assert line.right_label.text() == "denoised"
    output.visible = second.visible = False
    assert line.right_label.text() == "nothing shown"
    canvas.viewer.layers.remove(output)
    assert split.on
    canvas.viewer.layers.remove(second)
    assert not split.on
    assert split.reason == NOTHING
    assert source.visible
    split.close()
    canvas.qtbot.waitUntil(lambda: len(canvas.native.children()) == children)
    assert [len(event.callbacks) for event in events] == before


def test_why_it_cannot_be(canvas: Canvas, qapp: object) -> None:
    split = Split(canvas.viewer)
    assert split.reason == NOTHING
    split.start()
    assert not split.on
    canvas.pair()
    assert split.reason == ""
    split.start()
    grid_of(canvas.viewer).enabled = True
    assert not split.on
    assert split.reason == IN_GRID
    grid_of(canvas.viewer).enabled = False
    assert split.reason == ""
    assert Split(ViewerModel()).reason == NO_CANVAS
