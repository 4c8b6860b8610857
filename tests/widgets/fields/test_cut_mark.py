"""A path that is cut shows its end, and says so."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.cut_mark import CutMark
from napari_tessera.widgets.fields.look import style_sheet

LONG = "/home/somebody/data/2024/experiment/cells_denoised.ome.zarr"


@pytest.fixture
def field(qtbot: QtBot) -> tuple[QWidget, QLineEdit, CutMark]:
    holder, edit, other = QWidget(), QLineEdit(), QLineEdit()
    qtbot.addWidget(holder)
    layout = QVBoxLayout(holder)
    for each in (other, edit):
        layout.addWidget(each)
    mark = CutMark(edit)
    holder.setStyleSheet(style_sheet("dark"))
    holder.resize(200, 100)
    with qtbot.waitExposed(holder):
        holder.show()
    other.setFocus()
    return holder, edit, mark


def test_a_short_text_has_no_mark(field: tuple[QWidget, QLineEdit, CutMark]) -> None:
    _, edit, mark = field
    edit.setText("a.tif")
    assert mark.label.isHidden()
    assert edit.textMargins().left() == 0


def test_a_long_one_shows_its_end_with_a_mark_before_it(
    field: tuple[QWidget, QLineEdit, CutMark],
) -> None:
    holder, edit, mark = field
    edit.setText(LONG)
    edit.setCursorPosition(0)
    edit.setText(LONG)
    assert mark.label.isVisible()
    assert edit.cursorPosition() == len(LONG)
    assert edit.textMargins().left() >= mark.label.width() > 0
    holder.resize(1200, 100)
    assert mark.label.isHidden()
    holder.resize(200, 100)
    assert mark.label.isVisible()
    edit.clear()
    assert mark.label.isHidden()


def test_who_types_there_has_the_whole_field(
    field: tuple[QWidget, QLineEdit, CutMark], qtbot: QtBot
) -> None:
    holder, edit, mark = field
    edit.setText(LONG)
    holder.activateWindow()
    edit.setFocus()
    qtbot.waitUntil(edit.hasFocus)
    assert mark.label.isHidden()
    edit.home(False)
    edit.clearFocus()
    qtbot.waitUntil(mark.label.isVisible)
    assert edit.cursorPosition() == len(LONG)
