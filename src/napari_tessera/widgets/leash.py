"""What has to be let go of when a controller is destroyed, by whomever and whenever."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.widgets.grid_keeper import GridKeeper


class Leash:
    """Ends runs whose controller is gone.

    Holds nothing that leads back to the controller or to the viewer, so that it may outlive both
    without keeping either alive.

    Parameters
    ----------
    grid : GridKeeper
        Its grid is taken away, if there still is one.
    """

    def __init__(self, grid: GridKeeper) -> None:
        self._grid = weakref.ref(grid)
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
        grid = self._grid()
        if grid is not None:
            grid.release()
