from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.widgets.fields.copying import CopyRow


@pytest.fixture
def row(qtbot: QtBot) -> CopyRow:
    widget = CopyRow()
    qtbot.addWidget(widget)
    widget.show()
    return widget


@pytest.mark.parametrize(("button", "kind"), [("python", "Python"), ("command", "command")])
def test_the_buttons_tell_what_is_wanted(
    row: CopyRow, qtbot: QtBot, button: str, kind: str
) -> None:
    with qtbot.waitSignal(row.wanted) as wanted:
        qtbot.mouseClick(getattr(row, f"{button}_button").native, Qt.MouseButton.LeftButton)
    assert wanted.args == [kind]


def test_reset_tells(row: CopyRow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(row.reset_wanted):
        qtbot.mouseClick(row.reset_button.native, Qt.MouseButton.LeftButton)


def test_what_came_of_it_is_said(row: CopyRow) -> None:
    row.say_copied("Python")
    assert (row.message.message, row.message.level) == ("Copied as Python.", "good")
    row.say_refused("cells is no file")
    assert (row.message.message, row.message.level) == ("cells is no file", "error")
    row.say_copied("")
    assert row.message.isHidden()
