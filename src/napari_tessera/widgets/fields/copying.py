"""Buttons for the settings as a whole: as code, as a file, and as they were at first."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets import PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.message import Message

PYTHON, COMMAND = "Python", "command"


class CopyRow(QWidget):
    """What the settings are in Python and on a command line; their files, and *Reset*.

    Attributes
    ----------
    wanted : Signal(str)
        Code is to be copied: `PYTHON` or `COMMAND`.
    save_wanted, load_wanted : Signal()
        The settings are to be written to a file, or read from one.
    reset_wanted : Signal()
        All settings are to be set back.
    """

    wanted = Signal(str)
    save_wanted = Signal()
    load_wanted = Signal()
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
        self.save_button = PushButton(
            text="Save settings…",
            tooltip="Save the settings to a file (JSON), for later or for somebody else.\n"
            "The command line takes it too: napari-tessera predict … --plan FILE.",
        )
        self.load_button = PushButton(
            text="Load settings…",
            tooltip="Take over settings from a file that was saved here, or from a plan of the "
            "command line.",
        )
        self.reset_button = PushButton(
            text="Reset",
            tooltip="Set all settings but the image back to what they were at first, and do not "
            "remember them.",
        )
        self.message = Message()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(_side_by_side(self.python_button, self.command_button))
        layout.addLayout(_side_by_side(self.save_button, self.load_button))
        layout.addWidget(self.message)
        layout.addWidget(self.reset_button.native)
        for button, slot in (
            (self.python_button, self._on_python),
            (self.command_button, self._on_command),
            (self.save_button, self._on_save),
            (self.load_button, self._on_load),
            (self.reset_button, self._on_reset),
        ):
            button.native.clicked.connect(slot)

    def say_copied(self, kind: str) -> None:
        """Tell what was copied; empty: nothing any more."""
        self.message.say(f"Copied as {kind}." if kind else "", "good")

    def say_refused(self, reason: str) -> None:
        """Tell why nothing was copied, saved or loaded."""
        self.message.say(reason)

    def say_done(self, text: str, notes: Sequence[str] = ()) -> None:
        """Tell what was saved or loaded, and line by line what to know of it."""
        self.message.say("\n".join((text, *notes)), "warning" if notes else "good")

    def _on_python(self) -> None:
        self.wanted.emit(PYTHON)

    def _on_command(self) -> None:
        self.wanted.emit(COMMAND)

    def _on_save(self) -> None:
        self.save_wanted.emit()

    def _on_load(self) -> None:
        self.load_wanted.emit()

    def _on_reset(self) -> None:
        self.reset_wanted.emit()


def _side_by_side(*buttons: PushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(GAP)
    for button in buttons:
        row.addWidget(button.native, 1)
    return row
