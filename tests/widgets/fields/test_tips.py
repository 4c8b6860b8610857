from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPixmap, QTextDocument
from qtpy.QtWidgets import QLabel, QWidget
from tests.widgets.conftest import Blur

from napari_tessera.models import load_model
from napari_tessera.models.about import About
from napari_tessera.widgets.fields.about_model import AboutModel
from napari_tessera.widgets.fields.main_action import START, MainAction
from napari_tessera.widgets.fields.model import ModelField
from napari_tessera.widgets.fields.run import RunRow
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.tips import MOST, plain_tip


def shown(tip: str) -> str:
    """What somebody reads of a tooltip, as Qt decides on it."""
    if not Qt.mightBeRichText(tip):
        return tip
    document = QTextDocument()
    document.setHtml(tip)
    return document.toPlainText()


@given(
    st.text(
        st.sampled_from("<>&;\"'/= abcimgltqprsxu?!-") | st.characters(categories=("L", "N")),
        max_size=60,
    )
)
def test_any_text_is_shown_as_it_stands(text: str) -> None:
    assert " ".join(shown(plain_tip(text)).split()) == " ".join(text.split())


def test_short_text_stays_itself_and_long_text_wraps() -> None:
    assert plain_tip("57 is odd:\nuse 56 or 58") == "57 is odd:\nuse 56 or 58"
    long = "word " * 100
    assert plain_tip(long).startswith("<qt>")
    assert shown(plain_tip(long)).split() == long.split()
    assert len(shown(plain_tip("x" * 10 * MOST))) == MOST


@pytest.fixture
def picture(tmp_path: Path, qtbot: QtBot) -> str:
    """Markup that makes Qt read a file."""
    pixmap = QPixmap(300, 300)
    pixmap.fill(QColor("red"))
    path = tmp_path / "secret.png"
    assert pixmap.save(str(path))
    return f"<img src='{path.as_uri()}'>"


def tips(widget: QWidget) -> list[str]:
    children = widget.findChildren(QWidget)
    return [child.toolTip() for child in (widget, *children) if child.toolTip()]


def test_what_a_model_says_is_no_markup_anywhere(qtbot: QtBot, picture: str) -> None:
    info = load_model(Blur(), device="cpu").info
    about = About(
        title=picture, description=picture, authors=(picture,), documentation=f"https://x/{picture}"
    )
    widget = AboutModel()
    qtbot.addWidget(widget)
    widget.show_info(replace(info, about=about, source=picture, normalization=picture))
    found = [tip for tip in tips(widget) if "img" in tip]
    assert len(found) >= 3
    for tip in found:
        assert "<img" not in tip
        assert picture in shown(tip)
    for label in widget.findChildren(QLabel):
        assert "<img" not in label.text() or label.textFormat() == Qt.TextFormat.PlainText


def test_what_a_message_quotes_is_no_markup(qtbot: QtBot, picture: str) -> None:
    row = RunRow("Ctrl+D")
    field = ModelField()
    section = Section("Advanced", QWidget())
    for widget in (row, field, section):
        qtbot.addWidget(widget)
    row.set_action(MainAction(START, "Denoise"), picture)
    row.add_run_warning(picture)
    section.set_problem(picture)
    field.value = f"/m/{picture}"
    assert "<img" not in str(field.main.combo.itemData(1, Qt.ItemDataRole.ToolTipRole))
    for widget, at_least in ((row, 2), (section, 1), (field, 1)):
        found = [tip for tip in tips(widget) if "img" in tip]
        assert len(found) >= at_least
        assert all("<img" not in tip for tip in found)
