"""When settings are looked at: once they rest, and again where what is in the way may go."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

REST_MS = 150
"""How long settings have to rest before they are looked at in the background."""

RETRY_MS = 2000
"""How often a store is looked at that somebody else is writing."""


class ReviewTimer(QObject):
    """Tells when to look.

    Attributes
    ----------
    due : Signal()
        Settings are to be looked at now.
    """

    due = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.due)

    def start(self) -> None:
        """Look once settings have rested from now on."""
        self._timer.start(REST_MS)

    def retry(self) -> None:
        """Look again in a while, unless it is done anyway."""
        if not self._timer.isActive():
            self._timer.start(RETRY_MS)

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
