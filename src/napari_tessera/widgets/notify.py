"""Tells people who look elsewhere that a long run has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from napari_tessera.widgets.fields.text import duration_text
from napari_tessera.widgets.files.runner import DONE as FILES_DONE
from napari_tessera.widgets.files.runner import FAILED as FILES_FAILED
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.run_state import BUSY, DONE, PREVIEW

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.files.part import FilesPart
    from napari_tessera.widgets.files.runner import FilesRunner
    from napari_tessera.widgets.layer_run import LayerRun

LONG = 5.0
"""Seconds that a run takes at least for people to have looked away."""

_SHOWN_MS = 15_000
"""How long the icon of a desktop notification stays."""


def worth_telling(seconds: float, *, looking: bool) -> bool:
    """Whether people are told beyond the dock's own line.

    Parameters
    ----------
    seconds : float
        How long the run took.
    looking : bool
        Whether a window of the program is the active one.
    """
    return seconds >= LONG and not looking


class RunNotifier(QObject):
    """Lets the dock say what was done, and tells those who look elsewhere.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    files : FilesPart, optional
        Runs over files, which end too.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        dock: DenoiseDock,
        files: FilesPart | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(dock)
        self._dock = dock
        self._files = files
        self._clock = clock
        self._began: float | None = None
        self._through: tuple[LayerRun, ...] = ()
        """Runs of the queue that were through when what goes on now began."""
        self._closed = False
        self._tray: QSystemTrayIcon | None = None
        self._shown = QTimer(self)
        self._shown.setSingleShot(True)
        self._shown.setInterval(_SHOWN_MS)
        self._shown.timeout.connect(self._hide_tray)
        dock.controller.state_changed.connect(self._on_state)
        dock.controller.failed.connect(self._on_failed)
        if files is not None:
            files.ended.connect(self._on_files)

    def close(self) -> None:
        """Tell nothing any more."""
        self._closed = True
        self._hide_tray()

    @property
    def looking(self) -> bool:
        """Whether somebody has a window of the program in front."""
        return QApplication.activeWindow() is not None

    def _on_state(self, state: str) -> None:
        if self._closed:
            return
        if state in (*BUSY, PREVIEW):
            self._dock.run_row.set_done("")
        if state in BUSY:
            controller = self._dock.controller
            beside = controller.runs is not controller.results.runs
            if self._began is None and not beside:
                self._began = self._clock()
                self._through = tuple(
                    run for run in controller.results.runs if run.result and run.result.completed
                )
            return
        if state != DONE or self._began is None:
            # a failure is told of next, what people stopped is not told of
            QTimer.singleShot(0, self._forget)
            return
        seconds = self._clock() - self._began
        self._began = None
        runs = self._dock.controller.results.runs
        if runs.all_gone:
            return
        self._dock.run_row.set_done(done_text(runs, seconds, self._through))
        if worth_telling(seconds, looking=self.looking):
            line = ended_text(runs, seconds)
            show_info(line)
            self._call(line)

    def _on_failed(self, message: str) -> None:
        """What failed napari has shown; who looks elsewhere is called."""
        began, self._began = self._began, None
        if self._closed or began is None:
            return
        if worth_telling(self._clock() - began, looking=self.looking):
            self._call(message)

    def _on_files(self) -> None:
        assert self._files is not None
        runner = self._files.runner
        told = runner.state in (FILES_DONE, FILES_FAILED)
        if self._closed or not told or not worth_telling(runner.seconds, looking=self.looking):
            return
        line = files_text(runner)
        failed = runner.report is None or bool(runner.report.count("failed"))
        (show_warning if failed else show_info)(line)
        self._call(line)

    def _forget(self) -> None:
        if not self._dock.controller.busy:
            self._began = None

    def _call(self, line: str) -> None:
        """Let the task bar call, and the desktop tell, where it does that."""
        QApplication.alert(_outermost(self._dock))
        if not (QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()):
            return
        self._hide_tray()
        tray = self._tray = QSystemTrayIcon(_outermost(self._dock).windowIcon(), self)
        tray.messageClicked.connect(self._hide_tray)
        tray.show()
        tray.showMessage("napari-tessera", line, QSystemTrayIcon.MessageIcon.Information)
        # that of an earlier one would hide this one too soon
        self._shown.start()

    def _hide_tray(self) -> None:
        self._shown.stop()
        tray, self._tray = self._tray, None
        if tray is not None:
            tray.hide()
            tray.deleteLater()


def done_text(runs: Iterable[LayerRun], seconds: float, through: Sequence[LayerRun] = ()) -> str:
    """The dock's own line: ``"Done: 12 tiles in 4 s"``.

    Where some were there: ``"Done: 9 tiles (6 of them before) in 4 s"``.

    Parameters
    ----------
    runs : iterable of LayerRun
        Those that are through.
    seconds : float
        How long it took since the click.
    through : sequence of LayerRun, optional
        Those of them that were through before the click.
    """
    tiles = before = 0
    for run in runs:
        if run.result is not None:
            tiles += run.result.n_done
            was_through = any(run is one for one in through)
            before += run.result.n_done if was_through else run.done_before
    told = f"{tiles:,} {'tile' if tiles == 1 else 'tiles'}"
    if before:
        told += f" ({before:,} of them before)" if before < tiles else ", all of them before,"
    return f"Done: {told} in {duration_text(seconds)}"


def ended_text(runs: RunQueue, seconds: float) -> str:
    """One line: what was denoised, how long it took, and where it is saved."""
    through = [run for run in runs if run.result is not None]
    names = through[0].name if len(through) == 1 else f"{len(through)} layers"
    saved = [run.save.path for run in through if run.save is not None]
    where = "not saved, in memory"
    if saved:
        # desktops and napari cut what is long: folders come last
        name = f"as {saved[0].name}, " if len(saved) == 1 else ""
        where = f"saved {name}in {saved[0].parent}"
    return f"Denoised in {duration_text(seconds)}: {names}, {where}"


def files_text(runner: FilesRunner) -> str:
    """One line: how many images were denoised, how long it took, and where the results are."""
    took = duration_text(runner.seconds)
    if runner.report is None or runner.order is None or runner.failure:
        return f"Files: stopped after {took}: {runner.failure}"
    return f"Files: {runner.report.summary} in {took}, saved in {runner.order.out}"


def _outermost(widget: QWidget) -> QWidget:
    """The main window that a widget is in, out of which its dock may be taken."""
    while (parent := widget.parentWidget()) is not None:
        widget = parent
    return widget
