"""The docks of one window: those that denoise and those that train, which take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.docking import opened_dock
from napari_tessera.widgets.run_state import BUSY, PREVIEW

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.training.dock import TrainingDock

DENOISE = "Denoise"
TRAIN = "Train on this layer"

HELD = "A model is being trained: wait, or stop it in Train on this layer"
"""Why nothing is denoised meanwhile: both would be slower, and memory could run out."""

RUNNING = "Not while a run goes on: stop it first, or wait"
LIVE = "Not while the live preview is on: turn it off first"
OTHER = "Another model is being trained: wait, or stop it"


def docks_of(viewer: Viewer, kind: type[Any]) -> list[Any]:
    """Docks of one kind in a viewer's window, in the order in which they were added."""
    window = getattr(viewer, "window", None)
    docks = () if window is None else tuple(window.dock_widgets.values())
    return [dock for dock in docks if isinstance(dock, kind)]


def denoise_docks(viewer: Viewer) -> list[DenoiseDock]:
    """Docks that denoise, in a viewer's window."""
    from napari_tessera.widgets.dock import DenoiseDock

    return docks_of(viewer, DenoiseDock)


def training_docks(viewer: Viewer) -> list[TrainingDock]:
    """Docks that train, in a viewer's window."""
    from napari_tessera.widgets.training.dock import TrainingDock

    return docks_of(viewer, TrainingDock)


class Neighbours(QObject):
    """Holds denoising back while a model is trained, and the other way round.

    Parameters
    ----------
    dock : TrainingDock
        The dock that trains.

    Attributes
    ----------
    changed : Signal()
        `reason` may be another than before.
    """

    changed = Signal()

    def __init__(self, dock: TrainingDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._denoising: list[DenoiseDock] = []
        self._training: list[TrainingDock] = []
        self._closed = False
        for denoising in denoise_docks(dock.viewer):
            self.meet(denoising)
        for training in training_docks(dock.viewer):
            self.take_turns(training)
            training.neighbours.take_turns(dock)
        dock.controller.state_changed.connect(self._on_own_state)

    @property
    def reason(self) -> str:
        """Why nothing can be trained now; empty where something can."""
        for training in self._training:
            if training.controller.busy:
                return OTHER
        for dock in self._denoising:
            state = dock.controller.state
            if state in BUSY:
                return RUNNING
            if state == PREVIEW:
                return LIVE
            if dock.controller.held_back not in ("", HELD):
                return dock.controller.held_back
        return ""

    def meet(self, dock: DenoiseDock) -> None:
        """Take turns with a dock that denoises."""
        self._denoising.append(dock)
        dock.controller.state_changed.connect(self._on_state)
        dock.held_back_changed.connect(self._on_state)
        if self._dock.controller.busy:
            dock.hold_back(HELD, HELD)
        self.changed.emit()

    def leave(self, dock: DenoiseDock) -> None:
        """Take no turns any more with a dock that is closed."""
        if dock in self._denoising:
            self._denoising.remove(dock)
            self.changed.emit()

    def take_turns(self, dock: TrainingDock) -> None:
        """Take turns with another dock that trains."""
        self._training.append(dock)
        dock.controller.state_changed.connect(self._on_state)

    def part(self, dock: TrainingDock) -> None:
        """Take no turns any more with another dock that trains: it is closed."""
        if dock in self._training:
            self._training.remove(dock)
            self.changed.emit()

    def close(self) -> None:
        """Let all others go on."""
        self._closed = True
        for dock in self._denoising:
            dock.hold_back(HELD, "")
        for training in self._training:
            training.neighbours.part(self._dock)
        self._denoising, self._training = [], []

    def _on_own_state(self, state: str) -> None:
        if self._closed:
            return
        held = HELD if self._dock.controller.busy else ""
        for dock in self._denoising:
            dock.hold_back(HELD, held)

    def _on_state(self, _: object = None) -> None:
        if not self._closed:
            self.changed.emit()


def choose_model(viewer: Viewer, model: Path) -> None:
    """Let the docks that denoise use a model that was just trained."""
    for dock in denoise_docks(viewer):
        dock.settings.model.value = model


def denoise_view(viewer: Viewer, layer: Image, model: Path) -> None:
    """Denoise what is on screen of a layer with a model, in a dock that is opened if need be."""
    from napari_tessera.widgets.actions import DockActions
    from napari_tessera.widgets.request import VIEW

    docks = denoise_docks(viewer)
    if docks:
        dock = docks[0]
    else:
        from napari_tessera.widgets.dock import DenoiseDock

        _, dock = opened_dock(viewer, DENOISE, DenoiseDock, tabify=True)
    _bring_forward(viewer, dock)
    settings = dock.settings
    settings.image.layers = (layer,)
    settings.model.value = model
    settings.area.value = VIEW
    DockActions(dock).denoise()


def open_training(viewer: Viewer, layers: tuple[Image, ...] = ()) -> TrainingDock:
    """Show the dock that trains, with these layers chosen; gives it."""
    docks = training_docks(viewer)
    if docks:
        dock = docks[0]
    else:
        from napari_tessera.widgets.training.dock import TrainingDock

        _, dock = opened_dock(viewer, TRAIN, TrainingDock, tabify=True)
    _bring_forward(viewer, dock)
    if layers and not dock.controller.busy:
        dock.image.layers = layers
    return dock


def _bring_forward(viewer: Viewer, dock: Any) -> None:
    """Show a dock that is hidden, or behind another one."""
    parent = dock.parentWidget()
    if parent is not None:
        parent.show()
        parent.raise_()
