"""Buttons that copy the settings as code, and the one that sets them back."""

from __future__ import annotations

from magicgui.widgets import PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.message import Message

PYTHON, COMMAND = "Python", "command"


class CopyRow(QWidget):
    """What the settings are in Python and on a command line, and *Reset*.

    Attributes
    ----------
    wanted : Signal(str)
        Code is to be copied: `PYTHON` or `COMMAND`.
    reset_wanted : Signal()
        All settings are to be set back.
    """

    wanted = Signal(str)
    reset_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.python_button = PushButton(
            text="Copy as Python", tooltip="Copy code that does what the main button would do now."
        )
        self.command_button = PushButton(
            text="Copy as command",
            tooltip="Copy a command line that does what the main button would do now.",
        )
        self.reset_button = PushButton(
            text="Reset", tooltip="Set all settings but the image back to what they were at first."
        )
        self.message = Message()
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.python_button.native, 1)
        row.addWidget(self.command_button.native, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(row)
        layout.addWidget(self.message)
        layout.addWidget(self.reset_button.native)
        self.python_button.native.clicked.connect(self._on_python)
        self.command_button.native.clicked.connect(self._on_command)
        self.reset_button.native.clicked.connect(self._on_reset)

    def say_copied(self, kind: str) -> None:
        """Tell what was copied; empty: nothing any more."""
        self.message.say(f"Copied as {kind}." if kind else "", "good")

    def say_refused(self, reason: str) -> None:
        """Tell why nothing was copied."""
        self.message.say(reason)

    def _on_python(self) -> None:
        self.wanted.emit(PYTHON)

    def _on_command(self) -> None:
        self.wanted.emit(COMMAND)

    def _on_reset(self) -> None:
        self.reset_wanted.emit()
