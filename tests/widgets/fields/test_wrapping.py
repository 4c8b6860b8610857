"""Rows that become columns where they do not fit."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.wrapping import WrappingRow


@pytest.fixture
def row(qtbot: QtBot) -> tuple[QWidget, WrappingRow, list[QWidget]]:
    holder = QWidget()
    qtbot.addWidget(holder)
    layout = WrappingRow()
    holder.setLayout(layout)
    layout.setContentsMargins(0, 0, 0, 0)
    boxes = [QWidget() for _ in range(3)]
    for box, width in zip(boxes, (100, 60, 80), strict=True):
        box.setMinimumSize(width, 20)
        layout.addWidget(box)
    boxes[2].hide()
    holder.show()
    return holder, layout, boxes


def test_it_needs_no_more_than_its_widest(
    row: tuple[QWidget, WrappingRow, list[QWidget]],
) -> None:
    _, layout, boxes = row
    assert layout.minimumSize().width() == 100
    assert layout.heightForWidth(160 + GAP) < layout.heightForWidth(159 + GAP)
    assert layout.minimumHeightForWidth(120) == layout.heightForWidth(120)
    for box in boxes:
        box.hide()
    assert layout.heightForWidth(120) == 0


@pytest.mark.parametrize(("width", "beside"), [(160 + GAP, True), (159 + GAP, False)])
def test_what_does_not_fit_beside_goes_below(
    row: tuple[QWidget, WrappingRow, list[QWidget]], width: int, beside: bool, qtbot: QtBot
) -> None:
    holder, _, (first, second, _) = row
    holder.resize(width, 100)
    qtbot.waitUntil(lambda: (second.x() > first.x()) is beside)
    assert (second.y() > first.y()) is not beside
    assert first.width() >= 100
    holder.resize(width + 200, 100)
    qtbot.waitUntil(lambda: second.x() > first.x())
