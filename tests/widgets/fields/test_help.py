import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.fields.help import TOPICS, HelpPopup, HelpRow

FORBIDDEN = ("predict", "halo", "receptive field", "period", "scope", "method noise", "sample axis")


@pytest.fixture
def row(qtbot: QtBot) -> HelpRow:
    row = HelpRow("Ctrl+Shift+D")
    qtbot.addWidget(row)
    row.show()
    return row


def test_the_question_mark_opens_the_help_and_escape_closes_it(row: HelpRow, qtbot: QtBot) -> None:
    qtbot.mouseClick(row.button, Qt.MouseButton.LeftButton)
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, HelpPopup)
    text = popup.text.text()
    assert "Intensity kept near 100 % does not prove that small structures are real." in text
    assert "Ctrl+Shift+D" in text
    with qtbot.waitSignal(popup.destroyed):
        qtbot.keyClick(popup, Qt.Key.Key_Escape)


def test_the_help_uses_the_docks_words() -> None:
    text = " ".join(f"{name} {text}" for name, text in TOPICS).lower()
    assert [word for word in FORBIDDEN if word in text] == []
