"""The way from the list of models to a training, and the turns that both docks take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QVBoxLayout

from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.training.neighbours import HELD, open_training, training_docks

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock


class TrainingEntry(QObject):
    """*Train on this layer…* at the end of the list of models.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._closed = False
        self.line = Message()
        """Says while a model is trained why nothing can be denoised."""
        rows = dock.run_row.layout()
        assert isinstance(rows, QVBoxLayout)
        rows.insertWidget(rows.indexOf(dock.run_row.failure), self.line)
        dock.held_back_changed.connect(self._show)
        dock.settings.model.training_wanted.connect(self.open)
        for training in training_docks(dock.viewer):
            training.neighbours.meet(dock)

    def open(self) -> None:
        """Open the dock that trains, with the image at hand."""
        if not self._closed:
            open_training(self._dock.viewer, self._dock.settings.image.layers)

    def _show(self) -> None:
        held = self._dock.controller.held_back == HELD
        self.line.say(HELD if held else "", "warning")

    def close(self) -> None:
        """Take no turns any more."""
        if self._closed:
            return
        self._closed = True
        for training in training_docks(self._dock.viewer):
            training.neighbours.leave(self._dock)
