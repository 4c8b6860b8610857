"""The dock beside a controller that only remembers what it was asked: clicks and keys, no runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject, Qt

from napari_tessera.models import DeviceInfo
from napari_tessera.models.processing import MEAN
from napari_tessera.prediction import PredictionPlan, RunSettings
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.stacks import LayerStack
from napari_tessera.widgets import dock as dock_module
from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields import advanced as advanced_module
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.reports import FieldProblem, PlanReview, RunProgress
from napari_tessera.widgets.request import RunRequest
from napari_tessera.widgets.results import Results, hide
from napari_tessera.widgets.run_state import (
    BUSY,
    IDLE,
)

LEFT = Qt.MouseButton.LeftButton
ESTIMATE = "Everything: 126,000 tiles ~2 h 21 GB"
PROGRESS = RunProgress("cells", 1, 1, 6, 12, 4.2, 1.5, 0.1, "model")


class Shown(Results):
    """Layers that show what the last run made, as the test says."""

    outputs: tuple[Any, ...] = ()
    removed_noise: tuple[Any, ...] = ()
    disagreement: tuple[Any, ...] = ()

    def hide_disagreement(self, last: Any, can_make: bool) -> bool:
        return hide(self.disagreement)


class StandIn(RunController):
    """Says what a controller says, when the test wants it, and keeps what it was asked."""

    state = IDLE
    request: RunRequest | None = None
    can_resume = False
    results: Any

    def __init__(self, viewer: Any, parent: QObject, models: ModelCache) -> None:
        super().__init__(viewer, parent, models)
        self.results = Shown(viewer)
        self.asked: list[str] = []
        self.reviewed: list[RunRequest | None] = []
        self.problem: FieldProblem | None = None
        self.spatial_dims = 2
        self.normalization = "time_point"
        self.warnings: tuple[str, ...] = ()
        self.model_warnings: tuple[str, ...] = ()

    @property
    def busy(self) -> bool:
        return self.state in BUSY

    def go(self, state: str) -> None:
        self.state = state
        self.state_changed.emit(state)

    def review(self, request: RunRequest | None) -> None:
        self.reviewed.append(request)
        self.review_changed.emit(None)
        if request is None:
            self.problem_changed.emit(None)
            self.estimate_changed.emit("")
            return
        self.problem_changed.emit(self.problem)
        if self.problem is None:
            self.review_changed.emit(self.plan(request))
            self.estimate_changed.emit(ESTIMATE)

    def plan(self, request: RunRequest) -> PlanReview:
        stack = LayerStack(request.layers[0], request.axes)
        volume = self.spatial_dims == 3
        patch, overlap = ((32, 128, 128), (16, 56, 56)) if volume else ((256, 256), (56, 56))
        fold = "" if volume or "Z" not in stack.original_axes else "Z"
        plan = PredictionPlan(
            input_axes=stack.original_axes,
            input_shape=tuple(stack.original_data_shape),
            input_dtype=str(stack.data_dtype),
            input_fingerprint="",
            model_name="model",
            model_sha256="",
            precision="float32",
            fold=fold + ("C" if "C" in stack.original_axes else ""),
            input_channels=None,
            output_channels=None,
            region_selection={},
            patch_size=patch if isinstance(request.patch_size, str) else request.patch_size,
            overlaps=overlap if isinstance(request.overlaps, str) else request.overlaps,
            alignment=(1,) * len(patch),
            blending="crop",
            normalization=Normalization(self.normalization, (0,), (MEAN,), (((0.0,),),)),
            output_dtype="float32",
            settings=RunSettings(),
        )
        reach = (8, 26, 26) if volume else (26, 26)
        return PlanReview(request, plan, reach, self.warnings, self.model_warnings)

    def outdate_review(self) -> None:
        """Nothing is found later here."""

    def start(self, request: RunRequest, known: Any = None) -> None:
        self.asked.append("start")
        self.request = request

    def stop(self) -> None:
        self.asked.append("stop")

    def resume(self) -> None:
        self.asked.append("resume")

    def show_grid(self, visible: bool) -> None:
        self.asked.append(f"grid {visible}")

    def show_removed_noise(self) -> None:
        self.asked.append("noise")

    def show_disagreement(self) -> None:
        self.asked.append("flips")


@dataclass
class Scene:
    """A viewer with the dock in it."""

    viewer: Any
    dock: DenoiseDock
    controller: StandIn
    qtbot: QtBot

    @property
    def button(self) -> Any:
        return self.dock.run_row.main_button.native

    @property
    def text(self) -> str:
        return str(self.button.accessibleName())

    def click(self, widget: Any) -> None:
        self.qtbot.mouseClick(getattr(widget, "native", widget), LEFT)

    def until_reviewed(self) -> RunRequest | None:
        """Wait for the next look at the settings."""
        n = len(self.controller.reviewed)
        self.qtbot.waitUntil(lambda: len(self.controller.reviewed) > n)
        return self.controller.reviewed[-1]

    def add(self, shape: tuple[int, ...] = (60, 21, 32, 32), **settings: Any) -> Any:
        layer = self.viewer.add_image(np.zeros(shape, np.uint16), **settings)
        self.until_reviewed()
        return layer

    def run(self, state: str, **attributes: Any) -> None:
        """Go on to a state of a run of the settings as they are."""
        self.controller.request = self.dock.request()
        for name, value in attributes.items():
            setattr(self.controller, name, value)
        self.controller.go(state)


def opened_scene(viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Open the dock in a viewer's window, with a stand-in for its controller."""
    monkeypatch.setattr(dock_module, "RunController", StandIn)
    monkeypatch.setattr(
        advanced_module, "_devices", lambda: [DeviceInfo("cpu", "CPU", 12_000_000_000)]
    )
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    controller = dock.controller
    assert isinstance(controller, StandIn)
    return Scene(viewer, dock, controller, qtbot)
