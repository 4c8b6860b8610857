"""The main button, what everything would cost, and how far the run is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from magicgui.widgets import ProgressBar, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.main_action import CONTINUE, WAIT, MainAction
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.progress_text import held_up_text, progress_text, speed_text
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.fields.whole_text import WholeText
from napari_tessera.widgets.fields.wrapping import WrappingRow
from napari_tessera.widgets.reports import RunProgress
from napari_tessera.widgets.run_state import BUSY, IDLE, PLANNING, RUNNING, STOPPED

COMES_BACK = "A run was stopped: with its settings again, Continue comes back."

_MOST_WARNINGS = 4


class RunRow(QWidget):
    """Main button, messages of the run, estimate line and progress row.

    Attributes
    ----------
    beside_main : WrappingRow
        Small buttons right of the main one.
    tools : WrappingRow
        Buttons below the main one.
    pressed : Signal()
        The main button was clicked.
    everything_wanted : Signal()
        The estimate line was clicked.
    start_over : Signal()
        A stopped run is to begin anew instead of going on.
    """

    pressed = Signal()
    everything_wanted = Signal()
    start_over = Signal()

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self._of_settings: tuple[str, ...] = ()
        self._of_run: tuple[str, ...] = ()
        self._progress: RunProgress | None = None
        self.main_button = PushButton(text="Denoise this view")
        self._main.setObjectName("main")
        self._main.clicked.connect(self._on_main)
        self.failure = Message()
        self.warnings = Message()
        self.kept = Message()
        self.comes_back = Message()
        self._kept = self._done = self._what = ""
        self._state = IDLE
        self._can_resume = self._of_all = False
        self._saved_to: Path | None = None
        self._can_continue = False
        self.estimate_button = PushButton(text="", tooltip="Click: choose Everything as area.")
        self._estimate.setObjectName("link")
        self._estimate.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._estimate.clicked.connect(self._on_estimate)
        self._row = QWidget()
        self.bar = ProgressBar(min=0, max=1, value=0)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(12)
        self._bar.setMinimumWidth(60)
        self._bar.setAccessibleName("Progress")
        self.label = WholeText()
        # The bar has what the words leave.
        self.label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.start_over_button = PushButton(
            text="Start over",
            tooltip="Begin anew with the settings as they are, instead of going on.",
        )
        self._again.clicked.connect(self._on_start_over)
        self.held_up = Message()
        self._shown = self._aside = self._estimate_hidden = False
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP + 2)
        row.addWidget(self._bar, 1)
        row.addWidget(self.label)
        row.addWidget(self._again)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        self.beside_main, self.tools = WrappingRow(), WrappingRow()
        self.beside_main.addWidget(self._main, 1)
        layout.addLayout(self.beside_main)
        layout.addLayout(self.tools)
        lines = (self.failure, self.warnings, self.kept)
        for widget in (*lines, self._estimate, self._row, self.comes_back, self.held_up):
            layout.addWidget(widget)
        self._row.hide()
        self.set_estimate("")

    @property
    def _main(self) -> QPushButton:
        native: QPushButton = self.main_button.native
        return native

    @property
    def _estimate(self) -> QPushButton:
        native: QPushButton = self.estimate_button.native
        return native

    @property
    def _again(self) -> QPushButton:
        native: QPushButton = self.start_over_button.native
        return native

    @property
    def _bar(self) -> QProgressBar:
        native: QProgressBar = self.bar.native
        return native

    def set_action(self, action: MainAction, reason: str, *, can_resume: bool = False) -> None:
        """Show what the main button does.

        Parameters
        ----------
        action : MainAction
            Text and kind.
        reason : str
            Why it cannot be clicked; empty where it can.
        can_resume : bool, default False
            Whether the stopped run could go on, were the settings its own again.
        """
        self._main.setText(f"{action.symbol} {action.text}")
        self._main.setAccessibleName(action.text)
        self._main.setEnabled(not reason and action.kind != WAIT)
        self._again.setVisible(action.kind == CONTINUE)
        self._can_continue, self._can_resume = action.kind == CONTINUE, can_resume
        self._show_row()
        self._show_kept()
        self._main.setToolTip(plain_tip(reason or f"{action.text} ({self._key})"))

    def set_estimate(self, text: str) -> None:
        """Show what everything would cost; empty where that is unknown."""
        self._estimate.setText(text)
        told = self._estimate_hidden or (self._of_all and self._state in BUSY)
        self._estimate.setVisible(bool(text) and not told)

    def set_of_all(self, of_all: bool) -> None:
        """Say whether what runs is everything: its own progress tells more than an estimate."""
        self._of_all = of_all
        self.set_estimate(self._estimate.text())

    def hide_estimate(self, hidden: bool) -> None:
        """Do not show what everything would cost while it is told elsewhere, or show it again."""
        self._estimate_hidden = hidden
        self.set_estimate(self._estimate.text())

    def set_failure(self, text: str) -> None:
        """Show why the run ended; empty: no longer."""
        self.failure.say(text)

    def set_kept(self, text: str) -> None:
        """Show what is on disk of a run that was stopped; empty: nothing any more."""
        self._kept = text
        self._show_kept()

    def set_done(self, text: str) -> None:
        """Show what the last run has done, until something else starts; empty: no longer."""
        self._done = text
        self._show_kept()

    def set_saved_to(self, path: Path | None) -> None:
        """Show where the run saves while the field says another place; None: it does not."""
        self._saved_to = path
        self._show_kept()

    def _show_kept(self) -> None:
        if self._saved_to is not None:
            self.kept.say(f"This run is saved to {self._saved_to.name}.", "muted")
            self.kept.setToolTip(plain_tip(str(self._saved_to)))
            return
        if self._done:
            self.kept.say(f"{self._done}.", "good")
            self.kept.setToolTip("")
            return
        end = ": Continue goes on." if self._can_continue else "."
        self.kept.say(f"{self._kept}{end}" if self._kept else "", "good")
        self.kept.setToolTip("")

    def set_settings_warnings(self, warnings: Iterable[str]) -> None:
        """Show what to know of the settings as they are."""
        self._of_settings = tuple(warnings)
        self._show_warnings()

    def add_run_warning(self, warning: str) -> None:
        """Show what to know of the run, beside what it said before."""
        self._of_run = (*self._of_run, warning)
        self._show_warnings()

    def forget_run_warnings(self) -> None:
        """Show nothing of the run any more."""
        self._of_run = ()
        self._show_warnings()

    def _show_warnings(self) -> None:
        """Show the first lines of all, the same only once."""
        lines = list(dict.fromkeys((*self._of_settings, *self._of_run)))
        shown = lines[:_MOST_WARNINGS]
        if len(lines) > len(shown):
            shown.append(f"and {len(lines) - len(shown)} more: see the tooltip")
        self.warnings.say("\n".join(shown), "warning")
        self.warnings.setToolTip(plain_tip("\n".join(lines)))

    def show_state(self, state: str, what: str = "") -> None:
        """Show the progress row while there is something to say about a run.

        Parameters
        ----------
        state : str
            State of the controller.
        what : str, optional
            What runs where it is not the denoising of one layer, as ``"layer 2/3 · "``.
        """
        self._state, self._what = state, what
        if state == PLANNING:
            self._progress = None
            self._bar.setRange(0, 0)
            self.label.setText(f"{what}preparing…" if what else "Preparing…")
            self._row.setToolTip("")
        elif state not in (*BUSY, STOPPED):
            self._progress = None
        elif state == STOPPED and self._progress is not None and self._progress.writing:
            self._bar.setRange(0, 1)
            self._bar.setValue(1)
        self._shown = state in BUSY or (state == STOPPED and self._progress is not None)
        self._show_row()
        self.set_estimate(self._estimate.text())
        self._show_text(state)

    def _show_row(self) -> None:
        """Show how far the run is while it goes on, or can with the settings as they are."""
        goes_on = self._state != STOPPED or self._can_continue or not self._can_resume
        shown = self._shown and not self._aside
        self._row.setVisible(shown and goes_on)
        self.comes_back.say(COMES_BACK if shown and not goes_on else "", "muted")

    def set_aside(self, aside: bool) -> None:
        """Hide what is said of a run while another image than its own is chosen."""
        self._aside = aside
        self._show_row()
        if aside:
            self.set_failure("")
            self.set_kept("")
            self.set_done("")
            self.held_up.say("")

    def show_progress(self, progress: RunProgress, state: str) -> None:
        """Show how far the run is."""
        self._progress = progress
        # Qt counts in 32 bits: parts per thousand are enough for a bar.
        uncounted = progress.writing or (progress.getting_ready and state == RUNNING)
        self._bar.setRange(0, 0 if uncounted else 1000)
        self._bar.setValue(round(1000 * progress.done / max(1, progress.total)))
        self._row.setToolTip(plain_tip(speed_text(progress)))
        self._show_text(state)

    @property
    def progress(self) -> RunProgress | None:
        """How far the run is; None before it has said so, and after its end."""
        return self._progress

    @property
    def progress_shown(self) -> bool:
        """Whether the progress row is there."""
        return not self._row.isHidden()

    def _show_text(self, state: str) -> None:
        if self._progress is not None:
            self.label.setText(progress_text(self._progress, state, self._what))
            tip = f"{self.label.text()}\n{speed_text(self._progress)}"
            self.label.setToolTip(plain_tip(tip))
        self.held_up.say("" if self._aside else held_up_text(self._progress, state), "muted")

    def _on_main(self) -> None:
        self.pressed.emit()

    def _on_estimate(self) -> None:
        self.everything_wanted.emit()

    def _on_start_over(self) -> None:
        self.start_over.emit()
