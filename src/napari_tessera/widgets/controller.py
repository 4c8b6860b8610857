"""Runs what the dock asks for, and says how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.reports import IDLE
from napari_tessera.widgets.request import RunRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image


class RunController(QObject):
    """Plans and runs in threads, keeps the output layers, and tells the dock how it goes.

    All methods and signals belong to the GUI thread, and none of them waits.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the input layers are and the output layers go.
    parent : QObject, optional
        Owner; the run is stopped when it is destroyed.

    Attributes
    ----------
    state_changed : Signal(str)
        The new state, one of `STATES`.
    progress_changed : Signal(object)
        A `RunProgress`, at most ten a second.
    checks_changed : Signal(object)
        The `CheckReadings` of the tiles so far, at most ten a second; None when a run starts.
    estimate_changed : Signal(str)
        Text of the estimate line, ``"Everything: 126,000 tiles ~2 h 21 GB"``; empty where unknown.
    review_changed : Signal(object)
        A `PlanReview` of the settings last given to `review`; None while it is being made or
        where there is a problem.
    problem_changed : Signal(object)
        A `FieldProblem` of the settings last given to `review` or `start`, or None.
    warned : Signal(str)
        One line that the person should see though the run goes on.
    failed : Signal(str)
        One line that says why a run ended; napari has shown it already.
    """

    state_changed = Signal(str)
    progress_changed = Signal(object)
    checks_changed = Signal(object)
    estimate_changed = Signal(str)
    review_changed = Signal(object)
    problem_changed = Signal(object)
    warned = Signal(str)
    failed = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._state = IDLE

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self._state

    @property
    def request(self) -> RunRequest | None:
        """Request of the last run; None before the first."""
        raise NotImplementedError

    @property
    def can_resume(self) -> bool:
        """Whether `resume` would go on: stopped, and the input and output layers still there."""
        raise NotImplementedError

    @property
    def output_layers(self) -> tuple[Image, ...]:
        """Output layers of the last run that are still in the viewer."""
        raise NotImplementedError

    def review(self, request: RunRequest | None) -> None:
        """Look at settings in the background: tiles, estimate, problems; the grid follows.

        Only the newest request counts. None clears everything (no image chosen).
        """
        raise NotImplementedError

    def start(self, request: RunRequest) -> None:
        """Denoise; does nothing while a run is going on."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the run after the batch at work; what is done stays."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on with the stopped run: the same plan, the tiles that are missing."""
        raise NotImplementedError

    def show_grid(self, visible: bool) -> None:
        """Show the tile grid of the settings last reviewed, or take it away."""
        raise NotImplementedError

    def show_removed_noise(self) -> None:
        """Add (or bring back) the removed-noise layers of the last run's outputs."""
        raise NotImplementedError
