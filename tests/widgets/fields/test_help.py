import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.fields.help import TOPICS, HelpPopup, HelpRow
from napari_tessera.widgets.fields.main_key import WHAT_KEYS_DO, key_text

FORBIDDEN = ("predict", "halo", "receptive field", "period", "scope", "method noise", "sample axis")


@pytest.fixture
def row(qtbot: QtBot) -> HelpRow:
    row = HelpRow()
    qtbot.addWidget(row)
    row.show()
    return row


def test_the_question_mark_opens_the_help_and_escape_closes_it(row: HelpRow, qtbot: QtBot) -> None:
    qtbot.mouseClick(row.button, Qt.MouseButton.LeftButton)
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, HelpPopup)
    text = popup.text.text()
    assert "Intensity kept near 100 % does not prove that small structures are real." in text
    for key, does in WHAT_KEYS_DO:
        assert key_text(key) in text
        assert does in text
    with qtbot.waitSignal(popup.destroyed):
        qtbot.keyClick(popup, Qt.Key.Key_Escape)


def test_the_help_uses_the_docks_words() -> None:
    text = " ".join(f"{name} {text}" for name, text in TOPICS).lower()
    assert [word for word in FORBIDDEN if word in text] == []


def test_the_help_stays_on_the_screen_whatever_its_font(row: HelpRow, qtbot: QtBot) -> None:
    font = row.font()
    font.setPointSizeF(3 * font.pointSizeF())
    row.setFont(font)
    popup = HelpPopup(row)
    popup.open_below(row.button)
    screen = popup.screen()
    assert screen is not None
    assert screen.availableGeometry().contains(popup.frameGeometry())
    popup.close()
