"""The main button, and how a training goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ProgressBar, PushButton
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_tessera.training.stop import Stop
from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.fields.wrapping import WrappingRow
from napari_tessera.widgets.training.box import Curve
from napari_tessera.widgets.training.controller import BUSY, PREPARING, STOPPING
from napari_tessera.widgets.training.curve import LossCurve
from napari_tessera.widgets.training.words import progress_text, progress_tip

if TYPE_CHECKING:
    from napari_tessera.training import TrainingProgress

_MOST_NOTICES = 4

TRAIN = "Train"
CONTINUE = "Continue training"
USE = "Stop and use"


class _ProgressLabel(QElidingLabel):
    """Asks for room for all of its text; its base asks for what is left of it once it was cut."""

    def sizeHint(self) -> QSize:
        """Size of the whole text."""
        rest = super().sizeHint()
        # a pixel more than the text: as wide as that it is cut already
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 6, rest.height())


class TrainingView(QWidget):
    """Buttons, progress, loss curve, and what there is to say.

    Attributes
    ----------
    start_wanted : Signal(bool)
        Train; True: go on with the training that was stopped.
    over_wanted : Signal()
        Begin the training that was stopped anew.
    stop_wanted : Signal(object)
        A `Stop`: what is to become of what goes on.
    preview_toggled : Signal(bool)
        Whether a preview is wanted.
    use_wanted : Signal()
        Denoise with what was trained.
    """

    start_wanted = Signal(bool)
    over_wanted = Signal()
    stop_wanted = Signal(object)
    preview_toggled = Signal(bool)
    use_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = "idle"
        self._goes_on = False
        self._notices: tuple[str, ...] = ()
        self.main = QPushButton(f"▶ {TRAIN}")
        self.main.setObjectName("main")
        self.main.clicked.connect(self._on_main)
        self.second = QPushButton("Cancel")
        self.second.clicked.connect(self._on_second)
        self.waiting, self.failure = Message(), Message()
        self.notices, self.kept = Message(), Message()
        self.progress_bar = ProgressBar(min=0, max=1, value=0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(12)
        self.bar.setMinimumWidth(60)
        self.bar.setAccessibleName("Progress of the training")
        self.label = _ProgressLabel()
        self.label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.curve = LossCurve()
        self.preview_box = CheckBox(
            value=True,
            text="Preview in the image",
            tooltip="Every few seconds, what is in view by the model as it is then: a layer.\n"
            "It takes some of the training's time.",
        )
        self.preview_box.native.toggled.connect(self.preview_toggled)
        self.preview_note = Message()
        self.use_button = PushButton(
            text="Use it: Denoise this view",
            tooltip="Denoise what is on screen of the image with the model just trained.",
        )
        self.use_button.native.clicked.connect(self._on_use)
        self._row = QWidget()
        self._lay_out()
        self.show_state("idle")

    @property
    def bar(self) -> QProgressBar:
        """The Qt widget."""
        native: QProgressBar = self.progress_bar.native
        return native

    def show_state(self, state: str) -> None:
        """Show what goes on: a state of the controller."""
        self._state = state
        busy = state in BUSY
        if state == PREPARING:
            self.bar.setRange(0, 0)
            self.label.setText("Looking at the image…")
            self.label.setToolTip("")
        elif state == STOPPING:
            self.label.setText("Ending…")
        self._row.setVisible(busy)
        self.preview_box.native.setVisible(busy)
        if not busy:
            self.preview_note.say("")

    def show_action(self, reason: str, waits_for: str = "", *, goes_on: bool) -> None:
        """Show what the buttons do.

        Parameters
        ----------
        reason : str
            Why nothing can be trained now; empty where something can.
        waits_for : str
            The same, where no field of the dock is the cause, so that none tells it.
        goes_on : bool
            Whether there is a stopped training that can go on, or begin anew.
        """
        self.waiting.say(waits_for, "warning")
        self._goes_on = goes_on
        busy = self._state in BUSY
        if busy:
            text, symbol = USE, "■"
            tip = "End now: the model is written with what was learned so far."
        else:
            text, symbol = (CONTINUE if goes_on else TRAIN), "▶"
            tip = "Go on where the training was stopped." if goes_on else "Train a model."
        self.main.setText(f"{symbol} {text}")
        self.main.setAccessibleName(text)
        # before the first step there is nothing to use
        self.main.setEnabled(self._state == "training" if busy else not reason)
        self.main.setToolTip(plain_tip(reason or tip))
        self.second.setVisible(busy or goes_on)
        self.second.setText("Cancel" if busy else "Start over")
        self.second.setEnabled(self._state != STOPPING and not (reason and not busy))
        self.second.setToolTip(
            "Stop; what was learned is kept, to continue later."
            if busy
            else "Begin anew, and forget what was learned."
        )

    def show_progress(self, progress: TrainingProgress | None, curve: Curve, steps: int) -> None:
        """Show how far it is, and the losses."""
        if progress is not None:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * progress.step / max(1, progress.steps)))
            if self._state != STOPPING:
                self.label.setText(progress_text(progress))
                # it does not tell the row itself that it needs more room now
                self.label.updateGeometry()
            self.label.setToolTip(plain_tip(progress_tip(progress)))
        self.curve.show_curve(curve, steps)

    def say_failed(self, text: str) -> None:
        """Show why a training ended; empty: no longer."""
        self.failure.say(text)

    def add_notice(self, text: str) -> None:
        """Show what to know of a training that goes on, beside what was said before."""
        self._notices = tuple(dict.fromkeys((*self._notices, text)))[-_MOST_NOTICES:]
        self.notices.say("\n".join(self._notices), "warning")

    def forget_notices(self) -> None:
        """Show nothing of the last training any more."""
        self._notices = ()
        self.notices.say("")

    def say_kept(self, text: str, level: str = "good") -> None:
        """Show what became of a training; empty: nothing."""
        self.kept.say(text, level)

    def offer_use(self, offered: bool) -> None:
        """Offer to denoise with what was trained, or no longer."""
        self.use_button.native.setVisible(offered)

    def set_preview(self, on: bool) -> None:
        """Show whether there is a preview, without telling anybody."""
        box = self.preview_box.native
        was = box.blockSignals(True)
        box.setChecked(on)
        box.blockSignals(was)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP + 2)
        row.addWidget(self.bar, 1)
        row.addWidget(self.label)
        buttons = WrappingRow()
        buttons.addWidget(self.main, 1)
        buttons.addWidget(self.second)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(buttons)
        for widget in (
            self.waiting,
            self.failure,
            self.notices,
            self.kept,
            self.use_button.native,
            self._row,
            self.curve,
            self.preview_box.native,
            self.preview_note,
        ):
            layout.addWidget(widget)
        self.use_button.native.hide()

    def _on_main(self) -> None:
        if self._state in BUSY:
            self.stop_wanted.emit(Stop.USE)
        else:
            self.start_wanted.emit(self._goes_on)

    def _on_second(self) -> None:
        if self._state in BUSY:
            self.stop_wanted.emit(Stop.PAUSE)
        else:
            self.over_wanted.emit()

    def _on_use(self) -> None:
        self.use_wanted.emit()
