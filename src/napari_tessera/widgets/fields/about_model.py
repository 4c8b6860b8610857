"""About the model: what it takes, how far it looks, whose it is, and its own test."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

from napari_tessera.widgets.fields.about_text import Fact, facts, has_own_test, own_test_said
from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message, breakable
from napari_tessera.widgets.fields.tips import plain_tip

if TYPE_CHECKING:
    from napari_tessera.models import ModelInfo
    from napari_tessera.widgets.model_reader import TestReport

_LABELS = 64


class AboutModel(QFrame):
    """Lines about a model, and the button that runs its own test where it has one.

    Attributes
    ----------
    test_wanted : Signal()
        The model's own test is to be run.
    """

    test_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("about")
        self.info: ModelInfo | None = None
        self._link_colour = ""
        self.test_button = PushButton(
            text="Run the model's own test",
            tooltip="Run the model on the test image of its package, and compare.",
        )
        self.test_button.native.clicked.connect(self._on_test)
        self.test_message = Message()
        self.state = Message()
        self._lines = QWidget()
        self._form = Form(self._lines, _LABELS)
        outer = Form(self, 0)
        outer.setContentsMargins(8, 6, 8, 6)
        for widget in (self.state, self._lines, self.test_button.native, self.test_message):
            outer.add_across(widget)
        self.show_nothing("")

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What is shown: labels and texts."""
        return [] if self.info is None else [(fact.label, fact.text) for fact in facts(self.info)]

    @property
    def says_something(self) -> bool:
        """Whether there is anything to show."""
        return self.info is not None or bool(self.state.message)

    def set_link_colour(self, colour: str) -> None:
        """Show links in a colour that can be read in the theme."""
        info, self._link_colour = self.info, colour
        if info is not None:
            self.info = None
            self.show_info(info)

    def show_nothing(self, why: str) -> None:
        """Show no model, and why."""
        self.info = None
        self._lines.hide()
        self.test_button.native.hide()
        self.test_message.say("")
        self.state.say(why, "muted")

    def show_info(self, info: ModelInfo) -> None:
        """Show what is known of a model."""
        if info == self.info:
            return
        said = (self.test_message.message, self.test_message.level)
        same = self.info is not None and self.info.sha256 == info.sha256
        self.show_nothing("")
        self.info = info
        self._clear()
        for fact in facts(info):
            name = self._form.add_row(fact.label, _label(fact, self._link_colour))
            set_property(name, "level", "muted")
        self._lines.show()
        if same and said[0]:
            self.test_message.say(*said)
        elif own_test_said(info) and info.own_test not in info.warnings:
            self.test_message.say(info.own_test, "good")
        self.test_button.native.setVisible(has_own_test(info))
        self.test_button.native.setEnabled(True)

    def show_tested(self, report: TestReport) -> None:
        """Show what came of the test."""
        self.test_button.native.setEnabled(True)
        self.test_message.say(report.text, "good" if report.passed else "warning")

    def _clear(self) -> None:
        while (item := self._form.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()

    def _on_test(self) -> None:
        self.test_button.native.setEnabled(False)
        self.test_message.say("Running…", "muted")
        self.test_wanted.emit()


def _label(fact: Fact, link_colour: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    # A file may say anything: only the link made here is markup.
    if fact.link is None:
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setText(breakable(fact.text))
    else:
        label.setTextFormat(Qt.TextFormat.RichText)
        address, text = html.escape(fact.link), html.escape(breakable(fact.text))
        link = f'<a href="{address}" style="color: {link_colour}">link</a>'
        label.setText(f"{text} {link}")
        label.setOpenExternalLinks(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.LinksAccessibleByMouse
    )
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setToolTip(plain_tip(fact.tip or fact.link or ""))
    return label
