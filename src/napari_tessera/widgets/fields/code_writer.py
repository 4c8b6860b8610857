"""Copies the settings as code, in the background where files have to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication
from superqt.utils import create_worker

from napari_tessera.widgets.fields.as_code import (
    LayerToCode,
    Selection,
    as_command,
    as_python,
    file_of,
)
from napari_tessera.widgets.request import EVERYTHING, SLICE, RunRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image


class CodeWriter(QObject):
    """Puts Python or a command line on the clipboard.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        What is on display belongs to the settings.

    Attributes
    ----------
    copied : Signal(str)
        Code is on the clipboard: what kind.
    refused : Signal(str)
        Why there is no such code, in one line.
    """

    copied = Signal(str)
    refused = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer

    def copy(self, request: RunRequest, kind: str) -> None:
        """Copy the settings.

        Parameters
        ----------
        request : RunRequest
            The settings.
        kind : {"Python", "command"}
            In which language.
        """
        try:
            parts = [self._part(layer, request) for layer in request.layers]
        except ValueError as error:
            self.refused.emit(str(error))
            return

        def write() -> tuple[str, str, str]:
            layers = [
                LayerToCode(
                    name=layer.name,
                    path=file_of(layer, axes),
                    axes=axes,
                    region=region,
                    rgb_as_input=bool(layer.rgb),
                )
                for layer, (axes, region) in zip(request.layers, parts, strict=True)
            ]
            try:
                write_as = as_python if kind == "Python" else as_command
                return kind, write_as(request, layers), ""
            except ValueError as error:
                return kind, "", str(error)

        worker = create_worker(write, _start_thread=False)
        # A method of a Qt object: not called any more once that is gone.
        worker.returned.connect(self._deliver)
        worker.start()

    def _part(self, layer: Image, request: RunRequest) -> tuple[str, Selection | None]:
        """Axes of a layer, and what of it the area takes in now."""
        from napari_tessera.widgets.layer_source import layer_letters, open_layer
        from napari_tessera.widgets.view_region import slice_selection, visible_selection

        axes = open_layer(layer, request.axes).original_axes
        if request.area == EVERYTHING:
            return axes, None
        select = slice_selection if request.area == SLICE else visible_selection
        return axes, dict(select(self._viewer, layer, layer_letters(layer, axes)))

    def _deliver(self, written: tuple[str, str, str]) -> None:
        kind, code, refusal = written
        clipboard = QApplication.clipboard()
        if refusal or clipboard is None:
            self.refused.emit(refusal or "there is no clipboard here")
            return
        clipboard.setText(code)
        self.copied.emit(kind)
