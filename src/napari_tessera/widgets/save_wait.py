"""Writing that takes long, while the window stays alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from qtpy.QtCore import QEventLoop, Qt, QThread, QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog

from napari_tessera.widgets.main_window import main_window

T = TypeVar("T")

PATIENCE_MS = 400
"""How long nothing is shown: most layers are written by then."""

_POLL_MS = 100
_STEPS = 1000


class _Job(QThread, Generic[T]):
    """Runs a function in a thread of its own and keeps what it gave or raised."""

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__()
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Run the function."""
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        """What the function gave; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._result[0]


def wait_for(
    work: Callable[[], T],
    *,
    title: str,
    share: Callable[[], float],
    cancel: Callable[[], None],
) -> T:
    """Run a function in a thread, and return or raise what it does, while the window is drawn.

    napari calls writers on the thread of its window and takes their return as "saved", so that
    this must not return before. After `PATIENCE_MS` a dialog shows how far the work is and can
    cancel it. It keeps people's hands off the viewer, so that no layer is changed or closed, and
    no second saving begun, meanwhile. Where there is no window the function is simply called.

    Parameters
    ----------
    work : callable
        What takes long. It must not touch Qt or napari.
    title : str
        What the dialog says.
    share : callable
        How much is done, from 0 to 1; asked from the window's thread.
    cancel : callable
        Makes the work end soon; called from the window's thread.
    """
    app = QApplication.instance()
    if app is None or QThread.currentThread() is not app.thread():
        return work()
    job = _Job(work)
    loop = QEventLoop()
    job.finished.connect(loop.quit)
    patience = QTimer(loop)
    patience.setSingleShot(True)
    patience.timeout.connect(loop.quit)
    patience.start(PATIENCE_MS)
    job.start()
    # clicks and keys wait for the dialog, or for the end
    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    patience.stop()
    if not job.isFinished():
        dialog = _Dialog(title, share, cancel)
        job.finished.connect(dialog.accept)
        if not job.isFinished():
            dialog.exec()
        dialog.stop()
    job.wait()
    return job.result()


class _Dialog(QProgressDialog):
    """How far the work is, and a button that ends it."""

    def __init__(self, title: str, share: Callable[[], float], cancel: Callable[[], None]) -> None:
        super().__init__(title, "Cancel", 0, _STEPS, main_window())
        self.setWindowTitle("Saving")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self.setAutoClose(False)
        self.setAutoReset(False)
        self._share = share
        self._cancel = cancel
        # its own answer hides it, and the work is not at its end then
        self.canceled.disconnect(self.cancel)
        self.canceled.connect(self._on_cancel)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.start(_POLL_MS)
        self._tick()

    def stop(self) -> None:
        """Look no more at the work, and go."""
        self._timer.stop()
        self.hide()
        self.deleteLater()

    def _tick(self) -> None:
        self.setValue(min(round(_STEPS * self._share()), _STEPS - 1))

    def _on_cancel(self) -> None:
        self.setLabelText("Stopping; nothing is left of it …")
        self._cancel()
