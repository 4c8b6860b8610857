import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_tessera.widgets.fields.section import Section


@pytest.fixture
def section(qtbot: QtBot) -> Section:
    section = Section("Tiles", QLabel("body"))
    qtbot.addWidget(section)
    section.show()
    return section


def test_a_click_opens_and_another_closes(section: Section, qtbot: QtBot) -> None:
    assert not section.is_open
    with qtbot.waitSignal(section.toggled) as told:
        qtbot.mouseClick(section.header, Qt.MouseButton.LeftButton)
    assert told.args == [True]
    assert section.is_open
    qtbot.mouseClick(section.header, Qt.MouseButton.LeftButton)
    assert not section.is_open


def test_the_keyboard_opens_it_too(section: Section, qtbot: QtBot) -> None:
    section.header.setFocus()
    qtbot.keyClick(section.header, Qt.Key.Key_Space)
    assert section.is_open


def test_opening_what_is_open_tells_nothing(section: Section, qtbot: QtBot) -> None:
    section.set_open(True)
    with qtbot.assertNotEmitted(section.toggled):
        section.set_open(True)


def test_a_closed_section_hides_no_reason(section: Section) -> None:
    section.set_summary("256×256, overlap 56 (auto)")
    assert section.summary == "256×256, overlap 56 (auto)"
    section.set_problem("57 is odd: use 56 or 58")
    assert section.summary == "57 is odd: use 56 or 58"
    assert section.header.toolTip() == "57 is odd: use 56 or 58"
    assert section.header.accessibleName() == "Tiles, closed: 57 is odd: use 56 or 58"
    section.set_problem("")
    assert section.summary == "256×256, overlap 56 (auto)"


def test_a_warning_is_said_while_it_is_closed(section: Section) -> None:
    section.set_summary("256×256")
    section.set_warning("expect seams")
    assert section.summary == "expect seams"
    section.set_problem("57 is odd")
    assert section.summary == "57 is odd"
    section.set_problem("")
    section.set_open(True)
    assert section.summary == "256×256"
