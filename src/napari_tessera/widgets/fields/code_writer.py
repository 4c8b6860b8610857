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
from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.inside_code import InsideToCode, inside_code
from napari_tessera.widgets.layer_source import layer_letters, open_layer
from napari_tessera.widgets.request import RunRequest
from napari_tessera.widgets.run_area import inside_of, region_of, selection_of
from napari_tessera.widgets.view_region import ViewSelection

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.widgets.model_cache import ModelCache


class CodeWriter(QObject):
    """Puts Python or a command line on the clipboard.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        What is on display belongs to the settings.
    models : ModelCache
        Models that were loaded already.
    parent : QObject
        Owner.

    Attributes
    ----------
    copied : Signal(str)
        Code is on the clipboard: what kind.
    refused : Signal(str)
        Why there is no such code, in one line.
    """

    copied = Signal(str)
    refused = Signal(str)

    def __init__(self, viewer: ViewerModel, models: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._models = models

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
        # Nothing of this QObject goes into the other thread, which might be the last to hold it.
        models = self._models

        def write() -> tuple[str, str, str]:
            try:
                layers = [
                    LayerToCode(
                        name=layer.name,
                        path=file_of(layer, axes),
                        axes=axes,
                        region=_region(request, axes, shown, models),
                        rgb_as_input=bool(layer.rgb),
                        inside=None if marks is None else inside_code(marks),
                    )
                    for layer, (axes, shown, marks) in zip(request.layers, parts, strict=True)
                ]
                write_as = as_python if kind == "Python" else as_command
                return kind, write_as(request, layers), ""
            except (ValueError, ImportError, OSError) as error:
                return kind, "", str(error)

        worker = create_worker(write, _start_thread=False)
        # A method of a Qt object: not called any more once that is gone.
        worker.returned.connect(self._deliver)
        worker.start()

    def _part(
        self, layer: Image, request: RunRequest
    ) -> tuple[str, ViewSelection | None, InsideToCode | None]:
        """Axes of a layer, and what of it the area takes in now."""
        axes = open_layer(layer, request.axes).original_axes
        letters = layer_letters(layer, axes)
        shown = selection_of(self._viewer, request, layer, letters)
        inside = inside_of(self._viewer, request, layer, letters)
        marks = None
        if inside is not None and request.inside is not None:
            marks = InsideToCode(inside, request.inside, axes, shape_of(layer))
        return axes, None if shown is None else dict(shown), marks

    def _deliver(self, written: tuple[str, str, str]) -> None:
        kind, code, refusal = written
        clipboard = QApplication.clipboard()
        if refusal or clipboard is None:
            self.refused.emit(refusal or "there is no clipboard here")
            return
        clipboard.setText(code)
        self.copied.emit(kind)


def _region(
    request: RunRequest, axes: str, shown: ViewSelection | None, models: ModelCache
) -> Selection | None:
    """What the run would be over; None: everything."""
    if request.channels is None and not (shown and "C" in shown):
        return shown or None
    model = models.get(request.source, request.device, request.precision)
    return region_of(request, model, shown, axes) or None
