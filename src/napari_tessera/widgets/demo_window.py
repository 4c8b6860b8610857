"""The demo's window: napari with a sample, the dock filled in, and the main button pressed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import napari
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.demo_run import MODEL, STORE, TILE, WINDOW, DemoRun
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.reports import FieldProblem, PlanReview, RunProgress
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import BUSY, DONE, FAILED, RUNNING, STOPPED

if TYPE_CHECKING:
    from napari.types import LayerData

LOOK_MS = 100
"""How often signals of the operating system are looked at: Qt's loop runs no Python by itself."""

SETTLE_MS = 600
"""Until the last tiles are drawn, which happens at most ten times a second."""

PATIENCE_S = 600.0
"""Without a sign of life for so long, a window that nobody sees is closed."""


class DemoWindow(QObject):
    """A viewer that denoises a sample by itself.

    Parameters
    ----------
    layers : list of LayerData
        The clean and the noisy image.
    folder : Path
        Where the result and the picture of the window go.
    size : tuple of int or None
        Size of the window in pixels; None: as napari opens it.
    stays : bool
        Whether the window stays open when all is done, for someone who looks at it.
    cancel : threading.Event
        Once set, the run stops and the window closes.
    finished : callable
        Called with the run as soon as every tile is there, while the window is still open.
    """

    def __init__(
        self,
        layers: list[LayerData],
        folder: Path,
        *,
        size: tuple[int, int] | None,
        stays: bool,
        cancel: Event,
        finished: Callable[[DemoRun], None],
    ) -> None:
        super().__init__()
        self._folder = folder
        self._stays = stays
        self._cancel = cancel
        self._finished = finished
        self._began = time.perf_counter()
        self._seconds = 0.0
        self._progress: RunProgress | None = None
        self._review: PlanReview | None = None
        self._failure = ""
        self._over = False
        self._alive = self._began
        self.viewer = napari.Viewer(title="napari-tessera demo")
        if size is not None:
            self.viewer.window.resize(*size)
        for layer in layers:
            self.viewer.add_layer(Layer.create(*layer))
        noisy = layers[-1][0]
        middle = tuple(size // 2 for size in noisy.shape[:-2])
        self.viewer.dims.set_current_step(range(len(middle)), middle)
        self.dock = DenoiseDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Denoise", area="right")
        controller = self.dock.controller
        controller.state_changed.connect(self._on_state)
        controller.progress_changed.connect(self._on_progress)
        controller.review_changed.connect(self._on_review)
        controller.problem_changed.connect(self._on_problem)
        controller.failed.connect(self._on_failed)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(LOOK_MS)

    def start(self) -> None:
        """Fill in the dock as a person would, and press its main button."""
        settings = self.dock.settings
        # What whoever starts the demo has used last is no part of it.
        settings.reset()
        settings.model.value = MODEL
        settings.area.value = EVERYTHING
        settings.tiles.size_entry.value = TILE
        settings.tiles.set_open(True)
        settings.save.path = (self._folder / STORE).absolute()
        self.dock.press_main()
        if self.dock.controller.state not in BUSY:
            self._fail(settings.problem or "the dock did not start")

    @property
    def run(self) -> DemoRun:
        """How far it is."""
        plan = None if self._review is None else self._review.plan
        return DemoRun(
            done=0 if self._progress is None else self._progress.done,
            total=0 if self._progress is None else self._progress.total,
            patch_size=() if plan is None else plan.patch_size,
            overlaps=() if plan is None else plan.overlaps,
            seconds=self._seconds,
            failure=self._failure,
        )

    def _on_review(self, review: PlanReview | None) -> None:
        self._review = review or self._review

    def _on_progress(self, progress: RunProgress) -> None:
        self._progress = progress
        self._alive = time.perf_counter()

    def _on_problem(self, problem: FieldProblem | None) -> None:
        if problem is not None and not self._over:
            self._fail(problem.message)

    def _on_failed(self, message: str) -> None:
        if not self._over:
            self._fail(message)

    def _fail(self, message: str) -> None:
        self._over = True
        self._failure = message
        if not self._stays:
            self.viewer.close()

    def _on_state(self, state: str) -> None:
        self._alive = time.perf_counter()
        if self._over:
            return
        if state == RUNNING:
            self._began = time.perf_counter()
        elif state in (DONE, STOPPED, FAILED):
            self._seconds = time.perf_counter() - self._began
        if state == DONE:
            self._over = True
            QTimer.singleShot(SETTLE_MS, self._on_done)

    def _on_done(self) -> None:
        self.viewer.screenshot(str(self._folder / WINDOW), canvas_only=False, flash=False)
        self._finished(self.run)
        if not self._stays:
            self.viewer.close()

    def _look(self) -> None:
        """Close the window when it was asked for from outside, or nothing goes on in it."""
        controller = self.dock.controller
        if not self._stays and time.perf_counter() - self._alive > PATIENCE_S:
            self._timer.stop()
            self._fail(f"nothing happened for {PATIENCE_S:.0f} s")
        elif self._cancel.is_set() and controller.state in BUSY:
            controller.stop()
        elif self._cancel.is_set():
            self._timer.stop()
            self.viewer.close()


def denoise_in_window(
    layers: list[LayerData],
    folder: Path,
    *,
    size: tuple[int, int] | None,
    stays: bool,
    cancel: Event,
    finished: Callable[[DemoRun], None],
) -> DemoRun:
    """Open the window, denoise, and return when it is closed (see `DemoWindow`)."""
    window = DemoWindow(layers, folder, size=size, stays=stays, cancel=cancel, finished=finished)
    QTimer.singleShot(0, window.start)
    napari.run()
    # Ctrl+C ends napari's loop with the window still open: the run has to be stopped first
    while any(widget.isVisible() for widget in QApplication.topLevelWidgets()):
        napari.run()
    return window.run
