"""The layers that show more than the result: removed noise and flip disagreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.widgets.results import hide, is_shown
from napari_tessera.widgets.run_state import RESTING

if TYPE_CHECKING:
    from napari_tessera.widgets.controller import RunController
    from napari_tessera.widgets.fields.checks import CheckStrip


class ExtraLayers:
    """Brings these layers, or hides them, as the buttons of the check strip ask for.

    Parameters
    ----------
    controller : RunController
        Makes the layers.
    checks : CheckStrip
        Has the buttons.
    """

    def __init__(self, controller: RunController, checks: CheckStrip) -> None:
        self._controller = controller
        self._checks = checks

    def toggle_noise(self) -> None:
        """Show removed noise, or hide it."""
        if not hide(self._controller.results.removed_noise):
            self._controller.show_removed_noise()
        self.refresh()

    def toggle_disagreement(self) -> None:
        """Show flip disagreement, or hide it."""
        controller = self._controller
        can_make = controller.state in RESTING
        if not controller.results.hide_disagreement(controller.request, can_make):
            controller.show_disagreement()
        self.refresh()

    def refresh(self) -> None:
        """Let the buttons say what is shown."""
        results, rests = self._controller.results, self._controller.state in RESTING
        self._checks.set_noise_shown(is_shown(results.removed_noise))
        self._checks.set_flips_shown(is_shown(results.disagreement), can_run=rests)
