"""Tune: a button beside the tile size that measures which is the fastest here, and sets it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QProgressBar, QPushButton, QShortcut

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.actions import TRY, TUNE
from napari_tessera.widgets.fields.main_key import MainKey
from napari_tessera.widgets.fields.sizes import AUTO
from napari_tessera.widgets.fields.text import in_peoples_words
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.fields.wrapping import WrappingRow
from napari_tessera.widgets.model_reader import reason_line
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.run_state import BUSY, PREVIEW
from napari_tessera.widgets.tuning.job import SECONDS, TuneBox, Tuning, suggested, tune
from napari_tessera.widgets.tuning.words import suggestion_text, tiles_text, tuned_text, unbroken
from napari_tessera.widgets.worker import Job, start_job

if TYPE_CHECKING:
    from napari_tessera.prediction.tuning.remembered import Remembered
    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.reports import PlanReview
    from napari_tessera.widgets.worker import Outcome

TIP = (
    "Measure which tile size is the fastest here, for this image, model and device,\n"
    f"and use it. Takes about {SECONDS:.0f} s; Esc stops it."
)
HELD = "Tile sizes are being measured: wait, or press Stop beside the tile size"
ENDING = "Measuring tile sizes ends with the tile at work: wait a moment"
LOOK_MS = 100
"""How often the GUI thread looks how far it is, in milliseconds."""

ESCAPE = "Escape"


class TuneTiles(QObject):
    """The button, what it measures in another thread, and the way back.

    While it measures nothing else runs: both would be slower, and the numbers wrong.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._closed = self._setting = False
        self._box = TuneBox()
        self._job: Job | None = None
        """The measuring at work, as long as its outcome is wanted."""
        self._thread: Job | None = None
        """The one whose thread has not ended, wanted or not."""
        self._asked: RunRequest | None = None
        self._before: tuple[Any, str] | None = None
        """Tile size and batch as they were typed before a measuring set others."""
        self._said_for: RunRequest | None = None
        self._found: Remembered | None = None
        self._key: MainKey | None = None
        self.button = _button("Tune", "Tune tile size")
        self.button.setObjectName(TUNE)
        self.button.clicked.connect(self._on_clicked)
        self.back = _button("Back", "Back to the tile size of before")
        self.back.clicked.connect(self._go_back)
        self.use = _button("Use", "Use the tile size found before")
        self.use.clicked.connect(self._use_found)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(12)
        self.bar.setMinimumWidth(60)
        self.bar.setAccessibleName("Progress of measuring")
        self.message = dock.settings.tiles.tools_message
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._show_progress)
        self._shortcut = QShortcut(QKeySequence(Qt.Key.Key_Escape), dock)
        self._shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._shortcut.setEnabled(False)
        self._shortcut.activated.connect(self.stop)
        self._looks = NewestJob("looking for tuned tile sizes", self)
        self._looks.finished.connect(self._on_suggested)
        fields = dock.settings
        for field in (fields.image, fields.model, fields.tiles, fields.advanced):
            field.changed.connect(self._on_settings)
        controller = dock.controller
        controller.state_changed.connect(self._show)
        controller.problem_changed.connect(self._show)
        controller.review_changed.connect(self._on_review)
        dock.held_back_changed.connect(self._show)
        # Whoever destroys the dock: the thread ends.
        dock.destroyed.connect(partial(TuneBox.stop, self._box))
        self._show()

    @property
    def is_measuring(self) -> bool:
        """Whether it measures now."""
        return self._job is not None

    @property
    def reason(self) -> str:
        """Why nothing can be measured now; empty where it can, or does."""
        if self.is_measuring:
            return ""
        state = self._dock.controller.state
        if state in BUSY:
            return "Not while a run goes on: stop it first, or wait"
        if state == PREVIEW:
            return "Not while the live preview is on: turn it off first"
        if not self._dock.settings.image.layers:
            return "Open an image first"
        return self._dock.controller.held_back or self._dock.reason(saving=False)

    def stop(self) -> None:
        """Stop measuring; nothing is set."""
        if self.is_measuring:
            self._end()
            self.message.say("Stopped: nothing was changed", "muted")

    def close(self) -> None:
        """Stop, and let go of the viewer."""
        if self._closed:
            return
        if self.is_measuring:
            self._end()
        self._closed = True
        self._looks.forget()

    def _lay_out(self) -> None:
        row = self._dock.settings.tiles.tools.layout()
        assert isinstance(row, WrappingRow)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.button, self.back, self.use):
            row.addWidget(button)
        row.addWidget(self.bar, 1)
        row.addStretch(0)
        for widget in (self.back, self.use, self.bar):
            widget.hide()

    def _on_clicked(self) -> None:
        if self.is_measuring:
            self.stop()
        elif not self.reason:
            self._start()
        self._show()

    def _start(self) -> None:
        request = self._dock.request()
        if request is None:
            return
        everything = replace(request, area=EVERYTHING, inside=None, at=None, save=None)
        try:
            run = next(iter(RunQueue.of(self._dock.viewer, everything)))
        except PlanError as error:
            self.message.say(in_peoples_words(str(error)), "warning")
            return
        self._forget()
        self._asked = request
        cancel = self._box.begin()
        job = Job(
            partial(tune, run, self._dock.models, self._box, cancel),
            "measuring tile sizes",
            stand_back=True,
        )
        self._job = self._thread = job
        if (trying := self._dock.findChild(QPushButton, TRY)) is not None:
            # both would hear Esc
            trying.setChecked(False)
        self._shortcut.setEnabled(True)
        self._key = MainKey(self._dock.viewer, self.stop, ESCAPE)
        self._dock.hold_back(self, HELD)
        start_job(job, self._on_finished, cancel, quiet=True)
        self._timer.start()
        self._show_progress()

    def _end(self) -> None:
        """Want no outcome any more; the thread ends after the tile at work."""
        self._box.stop()
        self._job = self._asked = None
        self._timer.stop()
        self._shortcut.setEnabled(False)
        if self._key is not None:
            self._key.release()
            self._key = None
        # beside the tile at work nothing is to be measured, or run
        self._dock.hold_back(self, "" if self._thread is None else ENDING)
        self._show()

    def _show_progress(self) -> None:
        progress = self._box.progress
        self.bar.setValue(0 if progress is None else round(100 * progress.part))
        if self.is_measuring:
            doing = (
                "Getting ready…" if progress is None else f"Measuring {unbroken(progress.doing)}…"
            )
            self.message.say(doing, "muted")

    def _on_finished(self) -> None:
        ended, job, asked = self._thread, self._job, self._asked
        if self._closed or ended is None or ended.outcome is None:
            return
        self._thread, outcome = None, ended.outcome
        if job is None:
            self._dock.hold_back(self, "")
            return
        self._end()
        if outcome.error is not None:
            self.message.say(f"Nothing was measured: {reason_line(outcome.error)}", "warning")
        elif asked is not None:
            self._take(outcome.value)
        self._show()

    def _take(self, tuning: Tuning) -> None:
        """Set what was found, and say what is gained."""
        tuned = tuning.tuned
        if tuned.before is None or tuned.best != tuned.before:
            self._set(tuned.patch_size, None if tuning.auto_batch else tuned.batch_size)
        self.message.say(tuned_text(tuned), "good" if self._before else "muted")
        self._said_for = self._dock.request()

    def _set(self, patch_size: tuple[int, ...], batch_size: int | None) -> None:
        """Set sizes, and keep those of before; None leaves the batch as it is."""
        tiles, advanced = self._dock.settings.tiles, self._dock.settings.advanced
        self._before = tiles.patch_size, str(advanced.batch.value)
        self._setting = True
        try:
            tiles.patch_size = patch_size
            if batch_size is not None:
                advanced.batch.value = str(batch_size)
        finally:
            self._setting = False
        size = self._before[0]
        was = "automatic tiles" if isinstance(size, str) else tiles_text(size, 1)
        self.back.setToolTip(f"Take {was} again")

    def _go_back(self) -> None:
        if self._before is None or self._setting:
            return
        size, batch = self._before
        self._setting = True
        try:
            self._dock.settings.tiles.patch_size = size
            self._dock.settings.advanced.batch.value = batch
        finally:
            self._setting = False
        self._forget()
        self._show()

    def _use_found(self) -> None:
        found = self._found
        if found is None:
            return
        self._set(found.patch_size, None if found.batch_size == 1 else found.batch_size)
        self._found = None
        self.message.say("")
        self._said_for = self._dock.request()
        self._show()

    def _forget(self) -> None:
        """Tell nothing of an earlier measuring."""
        self._before = self._said_for = self._found = None
        self.message.say("")

    def _on_settings(self) -> None:
        if self._setting or self._closed:
            return
        if self.is_measuring:
            if self._dock.request() != self._asked:
                self._end()
                self.message.say("Stopped, as the settings have changed", "muted")
        elif self._said_for is not None and self._dock.request() != self._said_for:
            self._forget()
        elif self._said_for is None:
            self._found = None
            self.message.say("")
        self._show()

    def _on_review(self, review: PlanReview | None) -> None:
        self._show()
        if review is None or self._closed or self.is_measuring or self._said_for is not None:
            return
        self._looks.forget()
        if review.request.patch_size == AUTO:
            self._looks.ask(review, partial(suggested, self._dock.models, review))

    def _on_suggested(self, review: PlanReview, outcome: Outcome) -> None:
        stands = self._closed or self.is_measuring or self._said_for is not None
        if stands or outcome.value is None or self._dock.request() != review.request:
            return
        found: Remembered = outcome.value
        self._found = found
        self.use.setToolTip(f"Use {tiles_text(found.patch_size, found.batch_size)}")
        self.message.say(suggestion_text(found), "muted")
        self._show()

    def _show(self, _: object = None) -> None:
        if self._closed:
            return
        reason, measuring = self.reason, self.is_measuring
        self.button.setText("Stop" if measuring else "Tune")
        self.button.setEnabled(not reason)
        self.button.setToolTip(plain_tip(reason or ("Stop measuring" if measuring else TIP)))
        self.bar.setVisible(measuring)
        self.back.setVisible(self._before is not None and not measuring)
        self.use.setVisible(self._found is not None and not measuring)
        for button in (self.back, self.use):
            button.setEnabled(self._dock.controller.state not in BUSY)


def _button(text: str, name: str) -> QPushButton:
    button = QPushButton(text)
    button.setAccessibleName(name)
    return button
