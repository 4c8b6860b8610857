"""Keys of the viewer for the dock's features, for as long as the dock is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.widgets.actions import DockActions
from napari_tessera.widgets.fields.main_key import (
    COMPARE_KEY,
    GRID_KEY,
    PREVIEW_KEY,
    TRY_KEY,
    MainKey,
)

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock


class FeatureKeys:
    """Binds a key for each feature that has one, beside that of the main button.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        actions = DockActions(dock)
        self._keys = [
            MainKey(dock.viewer, press, key)
            for key, press in (
                (GRID_KEY, actions.toggle_grid),
                (PREVIEW_KEY, actions.live_preview),
                (TRY_KEY, actions.try_tile),
                (COMPARE_KEY, actions.compare),
            )
        ]
        # Also where the window is closed with the dock in it.
        dock.destroyed.connect(self.close)

    def close(self, _: object = None) -> None:
        """Take the keys away from the viewer, those that are still ours."""
        for key in self._keys:
            key.release()
