"""What has to be let go of when a controller is destroyed, by whomever and whenever."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Protocol


class Released(Protocol):
    """Something that hangs on to the viewer."""

    def release(self) -> None:
        """Let go of it."""
        ...


class Leash:
    """Ends runs whose controller is gone.

    Holds nothing that leads back to the controller or to the viewer, so that it may outlive both
    without keeping either alive.

    Parameters
    ----------
    *released : Released
        What is to let go of the viewer, if there still is such.
    """

    def __init__(self, *released: Released) -> None:
        self._released = [weakref.ref(each) for each in released]
        self._cancels: list[threading.Event] = []
        self.gone = False
        """Whether the controller was destroyed."""

    def hold(self, cancels: Iterable[threading.Event]) -> None:
        """Remember how to end the runs at hand."""
        self._cancels = list(cancels)

    def let_go(self) -> None:
        """End what goes on."""
        if self.gone:
            return
        self.gone = True
        for cancel in self._cancels:
            cancel.set()
        for ref in self._released:
            if (each := ref()) is not None:
                each.release()
