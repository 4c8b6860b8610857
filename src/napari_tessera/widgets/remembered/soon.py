"""Settings are written when there is time for it, and at the latest before all ends."""

from __future__ import annotations

from contextlib import suppress

from qtpy.QtCore import QCoreApplication, QTimer

from napari_tessera.widgets.remembered.store import LastSettings, remember


class Soon:
    """Remembers settings at the next turn of the event loop: files can take long to write.

    Belongs to no widget, so that what waits is written whatever is closed meanwhile; where the
    application ends before, it is written then.
    """

    def __init__(self) -> None:
        self._waiting: LastSettings | None = None

    def remember(self, last: LastSettings) -> None:
        """Keep settings for the next opening of the dock; the last ones given count."""
        begun = self._waiting is not None
        self._waiting = last
        if begun:
            return
        QTimer.singleShot(0, self.write)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.write)

    def write(self) -> None:
        """Write now what waits, if anything does."""
        last, self._waiting = self._waiting, None
        if last is None:
            return
        app = QCoreApplication.instance()
        if app is not None:
            # Qt may have taken the connection away, at the application's end.
            with suppress(TypeError, RuntimeError):
                app.aboutToQuit.disconnect(self.write)
        remember(last)
