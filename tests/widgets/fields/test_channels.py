"""Channels to denoise."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.widgets.fields.channels import ALL, PICK, SHOWN, ChannelsRow


@pytest.fixture
def row(qtbot: QtBot) -> ChannelsRow:
    row = ChannelsRow(lambda: 2)
    qtbot.addWidget(row)
    return row


def test_one_channel_takes_no_room(row: ChannelsRow) -> None:
    assert row.isHidden()
    row.set_count(3)
    assert not row.isHidden()
    assert row.value is None
    row.chooser.value = SHOWN
    assert row.value == (2,)
    assert row.follows_view
    row.set_count(1)
    assert row.isHidden()
    assert row.value is None
    assert not row.follows_view


def test_numbers_are_typed(qtbot: QtBot, row: ChannelsRow) -> None:
    row.set_count(4)
    row.show()
    edit = row.entry.native
    assert not edit.isVisible()
    row.chooser.value = PICK
    assert edit.isVisible()
    assert row.value == (2,), "the one on display to begin with"
    edit.selectAll()
    with qtbot.waitSignal(row.changed):
        qtbot.keyClicks(edit, "3, 0,3")
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert row.value == (0, 3)
    edit.setText("0,1,2,3")
    assert row.value is None, "all of them"


def test_channels_of_a_file_are_picked_where_there_are_such(qtbot: QtBot, row: ChannelsRow) -> None:
    assert not row.choose((0,)), "one channel is no choice"
    row.set_count(3)
    with qtbot.waitSignal(row.changed):
        assert row.choose((0, 2))
    assert (row.chooser.value, row.value) == (PICK, (0, 2))
    with qtbot.waitSignal(row.changed):
        assert row.choose((1,))
    assert row.value == (1,)
    assert not row.choose((3,))
    assert row.value == (1,)
    assert row.choose(None)
    assert row.chooser.value == ALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no channel is picked: give numbers from 0 to 3"),
        ("red", "'red' is no channel"),
        ("0,,1", "is no channel"),
        ("-1", "'-1' is no channel"),
        ("²", "'²' is no channel"),
        ("4", "there is no channel 4: give numbers from 0 to 3, like 0,3"),
    ],
)
def test_what_is_no_channel_is_told(row: ChannelsRow, text: str, message: str) -> None:
    row.set_count(4)
    row.chooser.value = PICK
    row.entry.value = text
    assert message in row.problem
    with pytest.raises(ValueError, match="give numbers"):
        _ = row.value


def test_an_image_with_fewer_channels_takes_all(row: ChannelsRow) -> None:
    row.set_count(4)
    row.chooser.value = PICK
    row.entry.value = "1,3"
    row.set_count(5)
    assert row.value == (1, 3)
    row.set_count(2)
    assert (row.chooser.value, row.value, row.problem) == (ALL, None, "")
