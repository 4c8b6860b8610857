"""Another layer into the queue while one is denoised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from qtpy.QtWidgets import QPushButton, QVBoxLayout

from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.request import RunRequest, SaveTarget
from napari_tessera.widgets.save_names import split_ending

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_tessera.widgets.dock import DenoiseDock

_LONGEST_NAME = 24


class QueuePart:
    """Offers to denoise what is selected after what is being denoised, with the same settings.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        self._dock = dock
        self._closed = False
        self.button = PushButton(text="", visible=False)
        self._native.clicked.connect(self._on_click)
        # A row of its own: the tools keep the width that they have.
        rows = dock.run_row.layout()
        assert isinstance(rows, QVBoxLayout)
        rows.insertWidget(2, self._native)
        self._native.hide()
        dock.controller.state_changed.connect(self.refresh)
        self._emitters = (dock.viewer.layers.selection.events.changed, dock.viewer.layers.events)
        for emitter in self._emitters:
            emitter.connect(self.refresh)

    @property
    def _native(self) -> QPushButton:
        native: QPushButton = self.button.native
        return native

    @property
    def layers(self) -> tuple[Image, ...]:
        """Selected images that are not in the queue."""
        queued = {run.source for run in self._dock.controller.runs}
        return tuple(layer for layer in self._dock.settings.image.selected if layer not in queued)

    def refresh(self, event: object = None) -> None:
        """Offer what can be queued now."""
        layers = self.layers if self._dock.controller.takes_more else ()
        self._native.setVisible(bool(layers))
        if not layers:
            return
        name = layers[0].name if len(layers) == 1 else f"{len(layers)} layers"
        short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        self._native.setText(f"Then denoise {short}")
        self._native.setToolTip(
            plain_tip(f"Denoise {name} with the same settings, once what runs now is through.")
        )

    def close(self) -> None:
        """Listen to the viewer no more."""
        if self._closed:
            return
        self._closed = True
        for emitter in self._emitters:
            emitter.disconnect(self.refresh)

    def _on_click(self) -> None:
        running = self._dock.controller.request
        if running is not None and self.layers:
            self._dock.controller.enqueue(following(running, self.layers))
        self.refresh()


def following(running: RunRequest, layers: tuple[Image, ...]) -> RunRequest:
    """The same settings for other layers; what is saved goes beside, never over the other's.

    Parameters
    ----------
    running : RunRequest
        What is being denoised.
    layers : tuple of napari.layers.Image
        The other layers.
    """
    return replace(running, layers=layers, axes=None, at=None, save=_beside(running.save, layers))


def _beside(save: SaveTarget | None, layers: tuple[Image, ...]) -> SaveTarget | None:
    if save is None:
        return None
    if len(layers) == 1:
        # of one layer alone, the path itself would be taken
        path, _ = save.for_layers([layers[0].name, ""])
        save = replace(save, path=path)
    else:
        stem, ending = split_ending(save.path.name)
        save = replace(save, path=save.path.with_name(f"{stem}_then{ending}"))
    return replace(save, if_exists="rename")
