"""What keys and napari's command palette do with a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QAbstractButton

from napari_tessera.widgets.run_state import BUSY, PREVIEW, STOPPING

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock

LIVE, TRY, COMPARE, FLIP, TUNE = "live", "try", "compare", "flip", "tune"
"""Object names of the buttons that stand for features."""

_NOTHING_TO_FLIP = "Nothing is denoised yet: there is no result to flip"


class DockActions:
    """Actions of a dock; where there is nothing to do, napari says so.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        self._dock = dock

    def denoise(self) -> None:
        """Start a run of the settings as they are."""
        request = self._dock.request()
        if self._dock.controller.state in BUSY:
            show_info("Denoising goes on already: stop it first")
        elif request is None or self._dock.reason():
            show_info(self._dock.reason() or "The settings cannot be read: see the dock")
        else:
            self._dock.start(request)

    def stop(self) -> None:
        """Stop the run, or the live preview."""
        state = self._dock.controller.state
        if state == PREVIEW:
            self.click(LIVE)
        elif state in BUSY and state != STOPPING:
            self._dock.controller.stop()
        else:
            show_info("Nothing is being denoised")

    def go_on(self) -> None:
        """Continue the run that was stopped."""
        if self._dock.controller.can_resume:
            self._dock.resume()
        else:
            show_info("Nothing was stopped that can be continued")

    def toggle_grid(self) -> None:
        """Show the tile grid, or hide it."""
        tiles = self._dock.settings.tiles
        if not self._dock.settings.image.layers:
            show_info("Open an image first")
        elif tiles.grid_is_wanted:
            tiles.grid_box.value = False
        else:
            tiles.grid_box.value = True
            tiles.set_open(True)

    def live_preview(self) -> None:
        """Switch the live preview on or off."""
        self.click(LIVE)

    def try_tile(self) -> None:
        """Let the next click in the image try a tile, or no longer."""
        self.click(TRY)

    def compare(self) -> None:
        """Compare models on this view."""
        self.click(COMPARE)

    def tune(self) -> None:
        """Measure which tiles are the fastest, or stop that."""
        self.click(TUNE)

    def flip(self) -> None:
        """Show the input in the place of the result, or the result again."""
        button = self._button(FLIP)
        if button is None or not button.isEnabled():
            show_info(_reason(button) or _NOTHING_TO_FLIP)
        elif button.isDown():
            button.setDown(False)
            button.released.emit()
        else:
            button.setDown(True)
            button.pressed.emit()

    def click(self, name: str) -> None:
        """Click the button of a feature, or say why it cannot be."""
        button = self._button(name)
        if button is None or not (self._dock.settings.image.layers or button.isChecked()):
            show_info("Open an image first")
        elif button.isEnabled():
            button.click()
        else:
            show_info(_reason(button))

    def _button(self, name: str) -> QAbstractButton | None:
        found: QAbstractButton | None = self._dock.findChild(QAbstractButton, name)
        return found


def _reason(button: QAbstractButton | None) -> str:
    """Why a button cannot be clicked: its tooltip, which then says so."""
    return "" if button is None else button.toolTip().partition("\n")[0]
