import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.widgets.fields.sizes import SizesEntry, parse_number


@pytest.fixture
def entry(qtbot: QtBot) -> SizesEntry:
    entry = SizesEntry("tile size", "Larger: faster, more memory.")
    qtbot.addWidget(entry)
    entry.show()
    return entry


@pytest.mark.parametrize("text", ["", "  ", "auto", "AUTO "])
def test_nothing_and_auto_are_automatic(text: str) -> None:
    assert parse_number(text, "tile size Y") is None


@pytest.mark.parametrize("text", ["abc", "12.5", "1e3", "12 px"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"tile size Y: .* is no whole number; type one"):
        parse_number(text, "tile size Y")


def test_untouched_it_is_automatic(entry: SizesEntry) -> None:
    assert entry.value == "auto"
    assert entry.typed_nothing


def test_numbers_are_typed_in_zyx(entry: SizesEntry, qtbot: QtBot) -> None:
    entry.set_letters("ZYX")
    with qtbot.waitSignal(entry.changed):
        qtbot.keyClicks(entry.entries["Z"].edit, "8")
    qtbot.keyClicks(entry.entries["Y"].edit, "64")
    qtbot.keyClicks(entry.entries["X"].edit, "128")
    assert entry.value == (8, 64, 128)


def test_z_is_asked_for_only_where_tiles_are_volumes(entry: SizesEntry) -> None:
    assert not entry.entries["Z"].edit.isVisible()
    entry.set_letters("ZYX")
    assert entry.entries["Z"].edit.isVisible()


def test_a_number_left_out_is_what_auto_came_to(entry: SizesEntry) -> None:
    entry.entries["Y"].value = "64"
    with pytest.raises(ValueError, match="tile size X: give it too"):
        _ = entry.value
    entry.set_auto((256, 192))
    assert entry.entries["X"].edit.placeholderText() == "auto 192"
    assert entry.value == (64, 192)


def test_a_value_can_be_set_and_taken_back(entry: SizesEntry) -> None:
    entry.value = (128, 64)
    assert entry.value == (128, 64)
    entry.value = "auto"
    assert entry.value == "auto"
    with pytest.raises(ValueError, match="does not go with the axes YX"):
        entry.value = (1, 2, 3)


def test_nothing_is_told_before_a_number_is_typed_to_its_end(
    entry: SizesEntry, qtbot: QtBot
) -> None:
    edit = entry.entries["Y"].edit
    with qtbot.assertNotEmitted(entry.changed):
        qtbot.keyClicks(edit, "5")
    with qtbot.waitSignal(entry.changed):
        qtbot.keyClick(edit, Qt.Key.Key_Return)
