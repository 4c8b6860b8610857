"""A napari window with the dock, whose live preview is used as a person does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import WAIT_MS
from tests.widgets.pointer import move

from napari_tessera import open_stack
from napari_tessera.models import load_model
from napari_tessera.prediction import predict
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.preview.live import LivePreview
from napari_tessera.widgets.run_state import PREVIEW
from napari_tessera.widgets.worker import model_threads

LEFT = Qt.MouseButton.LeftButton


@dataclass
class Window:
    """A viewer with the dock in it."""

    viewer: Any
    dock: DenoiseDock
    qtbot: QtBot
    model: Path
    predicted: Counter[str] = field(default_factory=Counter)

    @property
    def live(self) -> LivePreview:
        return next(part for part in self.dock._parts if isinstance(part, LivePreview))

    @property
    def output(self) -> Any:
        return self.live.outputs[0].layer

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def open(self, image: Any, tile: int = 64, **look: Any) -> Any:
        """An image, a model and a tile size."""
        layer = self.viewer.add_image(image, **{"name": "cells", **look})
        self.dock.settings.model.value = self.model
        self.dock.settings.tiles.patch_size = (tile, tile)
        return layer

    def click(self, widget: Any) -> None:
        self.qtbot.mouseClick(getattr(widget, "native", widget), LEFT)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def turn_on(self) -> Any:
        """Click the toggle; gives the output once all in view is denoised."""
        self.click(self.live.controls.button)
        assert self.dock.controller.state == PREVIEW
        self.settle()
        return self.output

    def settle(self) -> None:
        """Wait until nothing is under way any more, and all that came is shown."""
        live = self.live
        timers = (live._look, live._settings, live._moves._first, live._moves._rest)
        self.wait(lambda: not (live.engine.working or any(t.isActive() for t in timers)))

    def zoom_to(self, y: float, x: float, zoom: float) -> None:
        """Look at a part of the plane."""
        camera_of(self.viewer).center = (0, y, x)
        camera_of(self.viewer).zoom = zoom
        self.settle()

    def drag(self, by: tuple[int, int]) -> None:
        """Drag the image with the mouse."""
        middle = self.canvas.rect().center()
        end = middle + QPoint(*by)
        QTest.mousePress(self.canvas, LEFT, pos=middle)
        for step in (1, 2, 3, 4):
            move(self.canvas, middle + (end - middle) * step / 4, LEFT)
            self.qtbot.wait(5)
        QTest.mouseRelease(self.canvas, LEFT, pos=end)


def blurred(image: Any, model: Path, axes: str, **settings: Any) -> Any:
    """What a run of everything makes."""
    settings = {"patch_size": (64, 64), **settings}
    loaded = load_model(model, device="cpu")
    return predict(open_stack(image, axes), loaded, torch_threads=model_threads(loaded), **settings)
