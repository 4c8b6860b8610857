"""Buttons in rows of one width."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.even_rows import EvenRows
from napari_tessera.widgets.fields.look import GAP


class Box(QWidget):
    """A widget that asks for a width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def sizeHint(self) -> QSize:
        return QSize(self._width, 20)


@pytest.fixture
def rows(qtbot: QtBot) -> tuple[QWidget, EvenRows, list[Box]]:
    holder = QWidget()
    qtbot.addWidget(holder)
    layout = EvenRows(holder)
    boxes = [Box(width) for width in (100, 90, 60, 40, 80, 100)]
    for box in boxes:
        layout.addWidget(box)
    boxes[5].hide()
    holder.show()
    return holder, layout, boxes


@pytest.mark.parametrize(
    ("width", "rows_of"),
    [
        (370 + 4 * GAP, [5]),
        (370 + 4 * GAP - 1, [2, 3]),
        (190 + GAP, [2, 3]),
        (190 + GAP - 1, [1, 2, 2]),
        (100, [1, 1, 1, 1]),
        (60, [1, 1, 1, 1, 1]),
    ],
)
def test_as_few_rows_as_can_be_all_of_one_width(
    rows: tuple[QWidget, EvenRows, list[Box]], width: int, rows_of: list[int]
) -> None:
    holder, layout, boxes = rows
    if width == 100:
        boxes[3].hide()
    height = layout.heightForWidth(width)
    assert height == len(rows_of) * 20 + (len(rows_of) - 1) * GAP
    holder.resize(width, height)
    shown = [box for box in boxes if box.isVisible()]
    lines = [[box for box in shown if box.y() == y] for y in sorted({box.y() for box in shown})]
    assert [len(line) for line in lines] == rows_of
    for line in lines:
        assert (line[0].x(), line[-1].geometry().right()) == (0, holder.width() - 1)


def test_it_is_as_narrow_as_its_widest_and_nothing_without_widgets(
    rows: tuple[QWidget, EvenRows, list[Box]],
) -> None:
    _, layout, boxes = rows
    assert layout.minimumSize() == QSize(100, 20)
    assert layout.sizeHint() == QSize(370 + 4 * GAP, 20)
    for box in boxes:
        box.hide()
    assert layout.heightForWidth(100) == 0
    assert layout.sizeHint() == QSize(0, 0)
    assert layout.count() == 6
    taken = layout.takeAt(0)
    assert taken is not None
    assert layout.count() == 5
    assert layout.takeAt(9) is None
