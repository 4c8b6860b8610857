"""What to do with what is at a place already: rename, resume or overwrite."""

from __future__ import annotations

from magicgui.widgets import PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.place_report import Offer

ASK, CONTINUE, OVERWRITE = "ask", "continue", "overwrite"


class ExistsRow(QWidget):
    """Answers to the question what to do with what exists.

    Attributes
    ----------
    renamed : Signal()
        It is to be saved beside it.
    settings_wanted : Signal()
        The settings of the run that is there are to be taken over, so that it can be resumed.
    answered : Signal()
        Another answer holds, or none any more.
    """

    renamed = Signal()
    settings_wanted = Signal()
    answered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._answer: str | None = None
        """What was answered; None where nothing was, `ASK` where an answer was taken back."""
        self.offer: Offer | None = None
        """What can be done with what is there; None where nobody has looked."""
        self.rename_button = PushButton(text="Rename", tooltip="Save beside it, with a number.")
        self.continue_button = PushButton(
            text="Resume", tooltip="Go on with the run that is saved there: its tiles stay."
        )
        self.settings_button = PushButton(
            text="Use its settings",
            tooltip="Set the dock to what the run that is there was begun with, to resume it.",
        )
        self.overwrite_button = PushButton(
            text="Overwrite", tooltip="Delete what is there when the run starts."
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        for button in (
            self.rename_button,
            self.continue_button,
            self.settings_button,
            self.overwrite_button,
        ):
            row.addWidget(button.native, 1)
        for button in (self.continue_button, self.overwrite_button):
            button.native.setCheckable(True)
        self.rename_button.native.clicked.connect(self._on_rename)
        self.continue_button.native.clicked.connect(self._on_continue)
        self.settings_button.native.clicked.connect(self._on_settings)
        self.overwrite_button.native.clicked.connect(self._on_overwrite)

    @property
    def answer(self) -> str:
        """``"ask"``, ``"continue"`` or ``"overwrite"``.

        An unfinished run of the same settings is gone on with unless something else is asked for:
        nothing is lost by that.
        """
        if self._answer is None:
            return CONTINUE if self.offer is not None and self.offer.resumable else ASK
        return self._answer

    def choose(self, answer: str | None) -> None:
        """Answer without a click; None: as if nobody had."""
        self._answer = answer

    def refresh(self, *, can_resume: bool) -> None:
        """Show the answers that there are, and the one that holds.

        Parameters
        ----------
        can_resume : bool
            Whether there may be a run to go on with, where nobody has looked.
        """
        offer = self.offer
        resumable = can_resume if offer is None else offer.resumable
        self.continue_button.native.setVisible(resumable)
        self.settings_button.native.setVisible(offer is not None and bool(offer.settings))
        self.overwrite_button.native.setVisible(offer is None or offer.replaceable)
        self.continue_button.native.setChecked(self.answer == CONTINUE)
        self.overwrite_button.native.setChecked(self.answer == OVERWRITE)

    def _on_rename(self) -> None:
        self.renamed.emit()

    def _on_settings(self) -> None:
        self.settings_wanted.emit()

    def _on_continue(self, checked: bool) -> None:
        self._click(CONTINUE if checked else ASK)

    def _on_overwrite(self, checked: bool) -> None:
        self._click(OVERWRITE if checked else ASK)

    def _click(self, answer: str) -> None:
        self.choose(answer)
        self.answered.emit()
