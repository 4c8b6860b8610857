"""A real window with the dock that trains, and small images that train in a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget
from tests.widgets.conftest import WAIT_MS

from napari_tessera.widgets import worker
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.training import preview
from napari_tessera.widgets.training.controller import BUSY
from napari_tessera.widgets.training.dock import TrainingDock
from napari_tessera.widgets.training.places import VARIABLE

LEFT = Qt.MouseButton.LeftButton
ENDS = ("done", "failed", "paused")


def blocks(shape: tuple[int, ...] = (64, 64), seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """An image of blocks, with noise and without."""
    rng = np.random.default_rng(seed)
    coarse = rng.random([-(-size // 8) for size in shape])
    for axis in range(coarse.ndim):
        coarse = np.repeat(coarse, 8, axis)
    clean = (100 + 50 * coarse[tuple(slice(size) for size in shape)]).astype(np.float32)
    return (clean + rng.normal(0, 10, shape)).astype(np.float32), clean


@dataclass
class Window:
    """A viewer with the dock in it."""

    viewer: Any
    dock: TrainingDock
    qtbot: QtBot
    models: Path

    @property
    def view(self) -> Any:
        return self.dock.view

    @property
    def state(self) -> str:
        return self.dock.controller.state

    @property
    def told(self) -> list[str]:
        """All that the dock says in lines of its own."""
        return [label.message for label in self.dock.findChildren(Message) if label.message]

    def open(self, image: NDArray[Any] | None = None, name: str = "cells", **look: Any) -> Any:
        """Add an image, and ask for a training that takes a second."""
        layer = self.viewer.add_image(blocks()[0] if image is None else image, name=name, **look)
        self.small()
        return layer

    def small(self, steps: int = 30) -> None:
        """Type numbers of a small network, and of a training that is short."""
        advanced = self.dock.advanced
        letters = advanced.patch.letters
        advanced.patch.value = (4, 16, 16)[-len(letters) :]
        for field, number in {"steps": steps, "batch_size": 2, "depth": 1, "features": 4}.items():
            advanced.numbers[field].value = str(number)
        index = advanced.device.native.findText("CPU", Qt.MatchFlag.MatchStartsWith)
        if index >= 0:
            advanced.device.native.setCurrentIndex(index)

    def click(self, widget: Any) -> None:
        native: QWidget = getattr(widget, "native", widget)
        self.qtbot.mouseClick(native, LEFT)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def until(self, *states: str) -> None:
        self.wait(lambda: self.state in (*states, *ENDS))
        assert self.state in states, self.told

    def train(self) -> None:
        """Click *Train*."""
        self.wait(lambda: self.view.main.isEnabled())
        self.click(self.view.main)
        assert self.state in BUSY, self.dock.reason

    def steps_done(self, steps: int) -> None:
        """Wait until so many steps are done."""
        self.wait(lambda: (p := self.dock.controller.progress) is not None and p.step >= steps)


def threads_of_ours() -> list[threading.Thread]:
    """Threads of the plugin that go on."""
    return [thread for thread in threading.enumerate() if "tessera" in thread.name]


@pytest.fixture(autouse=True, scope="session")
def _optimizers_are_loaded() -> None:
    """The first optimizer of a process loads half of PyTorch: no test is to wait for that."""
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)]).step()


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder for models; previews come as often as they can."""
    folder = tmp_path / "models"
    monkeypatch.setenv(VARIABLE, str(folder))
    # what stands back for others does so for other tests, too
    monkeypatch.setattr(worker, "MODEL_NICENESS", 0)
    monkeypatch.setattr(preview, "LEAST_S", 0.05)
    monkeypatch.setattr(preview, "SHARE", 0.0)
    monkeypatch.setattr(preview, "TICK_MS", 20)
    return folder


@pytest.fixture
def window(make_napari_viewer: Any, qtbot: QtBot, models: Path) -> Iterator[Window]:
    viewer = make_napari_viewer(show=True)
    dock = TrainingDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on this layer", area="right")
    window = Window(viewer, dock, qtbot, models)
    yield window
    # gone with its window
    if isalive(dock):
        dock.shut_down()
    window.wait(lambda: not threads_of_ours())
