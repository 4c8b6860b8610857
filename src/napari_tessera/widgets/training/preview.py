"""A layer that shows what a training has learned so far, of what is in view."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_tessera.prediction import PlanError
from napari_tessera.region import Region
from napari_tessera.widgets.layer_source import layer_letters, open_layer
from napari_tessera.widgets.model_reader import reason_line
from napari_tessera.widgets.output_layer import (
    INPUT_KEY,
    add_output_layer,
    appearance,
    placement,
)
from napari_tessera.widgets.rgb import colours_of
from napari_tessera.widgets.training.view_denoiser import (
    Seen,
    Selection,
    ViewDenoiser,
    denoised_by,
    middle_of,
)
from napari_tessera.widgets.view_region import visible_selection
from napari_tessera.widgets.worker import Job, Outcome, start_job

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_tessera.widgets.training.box import TrainingBox
    from napari_tessera.widgets.training.request import TrainingRequest

PREVIEW = "napari_tessera_training"
"""What ``layer.metadata`` of such a layer has."""

LEAST_S = 3.0
"""Least time between two previews, in seconds."""

SHARE = 6.0
"""How many times longer than a preview takes the next one waits: the training has most of the
machine."""

MOST_S = 6.0
"""Longest wait for newer weights, in seconds: the first preview takes longer than all others."""

MOVED_S = 1.0
"""Least time until a view that was moved is shown, in seconds."""

TICK_MS = 250


def preview_name(layer: str) -> str:
    """Name of the layer."""
    return f"{layer} training preview"


class TrainingPreview(QObject):
    """Denoises what is in view every few seconds while a training goes on.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Has the image, and gets the layer.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    shown : Signal()
        The layer shows newer weights.
    failed : Signal(str)
        Why nothing can be shown.
    removed : Signal()
        Somebody removed the layer: nothing is shown until it is switched on again.
    """

    shown = Signal()
    failed = Signal(str)
    removed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._on = True
        self._request: TrainingRequest | None = None
        self._box: TrainingBox | None = None
        self._stack: Any = None
        self._letters = ""
        self._denoiser: ViewDenoiser | None = None
        self._job: Job | None = None
        self._due = self._due_moved = 0.0
        self._began = 0.0
        self._asked: tuple[int, Selection] | None = None
        self._last: Path | None = None
        """The model that the training ended with, where it is still to be shown."""
        self._of: TrainingRequest | None = None
        """What the preview at work is of: another training may have begun meanwhile."""
        self.layer: Image | None = None
        """What shows it; None before the first, and where it was removed."""
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.look)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_on(self) -> bool:
        """Whether it is wanted."""
        return self._on

    @property
    def at_work(self) -> bool:
        """Whether a preview is being computed."""
        return self._job is not None

    def begin(self, request: TrainingRequest, box: TrainingBox) -> None:
        """Follow a training."""
        self._request, self._box = request, box
        self._stack = open_layer(request.layer, request.axes)
        self._letters = layer_letters(request.layer, self._stack.original_axes)
        self.layer = self._found(request.layer)
        self._due, self._asked, self._last = 0.0, None, None
        if self._on:
            self._timer.start()

    def end(self, model: Path | None = None) -> None:
        """Follow it no longer; what is shown stays.

        Parameters
        ----------
        model : Path, optional
            What the training ended with: shown once more, as what is shown was there before.
        """
        self._timer.stop()
        self._box = self._denoiser = None
        self._last = model if self._on else None
        if self._last is None:
            self._request = self._stack = None
        elif self._job is None:
            self._show_last()

    def switch(self, on: bool) -> None:
        """Show it, or take the layer away."""
        self._on = on
        if on:
            self._due, self._asked = 0.0, None
            if self._box is not None:
                self._timer.start()
            return
        self._timer.stop()
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Let go of the viewer."""
        self.end()
        self._on = False
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def look(self) -> None:
        """Begin the next preview where it is due, and something is in view."""
        request, box = self._request, self._box
        if request is None or box is None or box.live is None or self._job is not None:
            return
        now = time.monotonic()
        if now < min(self._due, self._due_moved):
            return
        selection = self._in_view(request)
        if selection is None:
            return
        progress, _ = box.now()
        step = 0 if progress is None else progress.step
        moved = self._asked is not None and self._asked[1] != selection
        if self._asked == (step, selection) or now < (self._due_moved if moved else self._due):
            return
        self._asked = (step, selection)
        if self._denoiser is None or self._denoiser.live is not box.live:
            dims = request.settings.spatial_dims
            self._denoiser = ViewDenoiser(box.live, self._stack, dims)
        self._start(request, partial(self._denoiser.denoise, selection))

    def _show_last(self) -> None:
        """Show what is in view by the model that the training ended with."""
        model, request = self._last, self._request
        self._last = None
        selection = None if request is None else self._in_view(request)
        if model is not None and request is not None and selection is not None:
            self._start(request, partial(denoised_by, model, self._stack, selection))

    def _in_view(self, request: TrainingRequest) -> Selection | None:
        """What is in view of the image, as far as a preview takes it on; None where nothing is."""
        if request.layer not in self._viewer.layers:
            return None
        try:
            seen = visible_selection(self._viewer, request.layer, self._letters)
        except PlanError:
            return None
        return middle_of({a: part for a, part in seen.items() if a != "C"})

    def _start(self, request: TrainingRequest, work: Callable[[], Seen]) -> None:
        self._of, self._began = request, time.monotonic()
        self._job = Job(work, "previewing a training", stand_back=True)
        start_job(self._job, self._on_finished, quiet=True)

    def _on_finished(self) -> None:
        job = self._job
        if job is None or job.outcome is None:
            return
        self._job = None
        now = time.monotonic()
        took = now - self._began
        self._due = now + min(max(LEAST_S, SHARE * took), max(MOST_S, took))
        self._due_moved = now + min(MOVED_S, LEAST_S)
        self._take(job.outcome)
        if self._last is not None:
            self._show_last()

    def _take(self, outcome: Outcome) -> None:
        request = self._request
        if request is None or request is not self._of or not self._on:
            return
        if request.layer not in self._viewer.layers:
            return
        if outcome.error is not None:
            self.failed.emit(f"No preview: {reason_line(outcome.error)}")
            return
        self._show(request.layer, outcome.value)
        self.shown.emit()

    def _show(self, source: Image, seen: Seen) -> None:
        """Put what was denoised where it belongs, into the layer or a new one."""
        axes = self._stack.original_axes
        held = Region.from_selection(axes, self._stack.original_data_shape, dict(seen.selection))
        place = placement(source, self._letters, self._letters, held)
        colours = colours_of(source, self._stack)
        pixels = seen.pixels if colours is None else colours.to_uint8(seen.pixels)
        if self.layer is not None and self.layer.ndim == len(self._letters):
            self._replace(self.layer, pixels, place)
            return
        look = appearance(self._viewer, source, rgb=colours is not None)
        self.layer = add_output_layer(
            self._viewer,
            source,
            pixels,
            preview_name(source.name),
            place,
            look,
            rgb=colours is not None,
        )
        self.layer.metadata.update({PREVIEW: True, INPUT_KEY: source.unique_id})

    def _replace(self, layer: Image, pixels: Any, place: dict[str, Any]) -> None:
        if layer.data.shape == pixels.shape and np.allclose(layer.translate, place["translate"]):
            layer.data[...] = pixels
            layer.refresh(extent=False, highlight=False)
            return
        limits = layer.contrast_limits
        layer.data = pixels
        layer.translate = place["translate"]
        layer.contrast_limits = limits

    def _found(self, source: Image) -> Image | None:
        """The layer of an earlier training on the same image."""
        for layer in self._viewer.layers:
            own = layer.metadata.get(PREVIEW) and isinstance(layer, Image)
            if own and layer.metadata.get(INPUT_KEY) == source.unique_id:
                return layer
        return None

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.layer = None
            # once all are removed that go together with it
            QTimer.singleShot(0, self._on_taken_away)

    def _on_taken_away(self) -> None:
        """Show nothing any more, where somebody had enough of it while it was shown."""
        request = self._request
        if self._box is None or request is None or request.layer not in self._viewer.layers:
            return
        self._on = False
        self._timer.stop()
        self.removed.emit()
