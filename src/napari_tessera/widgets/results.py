"""The layers that show what the last run made."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.flip_disagreement import disagreement_request
from napari_tessera.widgets.removed_noise import find_removed_noise, show_removed_noise
from napari_tessera.widgets.run_queue import RunQueue

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.widgets.origins import OriginBook
    from napari_tessera.widgets.request import RunRequest


class Results:
    """Outputs of the last run, their removed noise, and the flip disagreement beside them.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.runs = RunQueue()
        """Runs of the last request."""
        self.flips = RunQueue()
        """Runs that made their flip disagreement, if any."""

    def begin(self, runs: RunQueue) -> None:
        """Show what these runs will make."""
        self.runs, self.flips = runs, RunQueue()

    @property
    def outputs(self) -> tuple[Image, ...]:
        """Output layers that are still in the viewer."""
        return self.runs.output_layers(self._viewer.layers)

    @property
    def removed_noise(self) -> tuple[Image, ...]:
        """Removed-noise layers of the outputs."""
        found = (find_removed_noise(self._viewer, output) for output in self.outputs)
        return tuple(layer for layer in found if layer is not None)

    @property
    def disagreement(self) -> tuple[Image, ...]:
        """Layers of flip disagreement."""
        return self.flips.output_layers(self._viewer.layers)

    def disagreement_runs(self, last: RunRequest, origins: OriginBook | None = None) -> RunQueue:
        """Runs that make the flip disagreement of what is in view.

        Raises
        ------
        PlanError
            If nothing is in view, or it cannot be predicted.
        """
        layers = tuple(layer for layer in last.layers if layer in self._viewer.layers)
        return RunQueue.of(self._viewer, disagreement_request(last, layers), origins)

    def hide_disagreement(self, last: RunRequest | None, can_make: bool) -> bool:
        """Hide the flip disagreement; gives whether there was any.

        Parameters
        ----------
        last : RunRequest or None
            What the last run was asked for.
        can_make : bool
            Whether more could be made: then it is left where it does not show all that is in view.
        """
        if can_make and last is not None:
            with suppress(PlanError):
                if not self.disagreement_runs(last).lie_within(self.flips):
                    return False
        return hide(self.disagreement)

    def show_removed_noise(self) -> list[str]:
        """Add (or bring back) the removed noise; returns why where there is none."""
        return show_removed_noise(self._viewer, self.runs)


def hide(layers: Iterable[Image]) -> bool:
    """Hide the layers that are shown; gives whether there were any."""
    shown = [layer for layer in layers if layer.visible]
    for layer in shown:
        layer.visible = False
    return bool(shown)


def show(layers: Iterable[Image]) -> None:
    """Show layers."""
    for layer in layers:
        layer.visible = True


def is_shown(layers: Iterable[Image]) -> bool:
    """Whether one of the layers is shown."""
    return any(layer.visible for layer in layers)
