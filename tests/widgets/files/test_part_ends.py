"""*Files…* at its end: whoever closes what, nothing goes on; and what may not go on beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QCoreApplication, QEvent, QThreadPool
from qtpy.QtWidgets import QPushButton, QWidget
from tests.prediction.several.folders import noise
from tests.widgets.conftest import GatedBlur

from napari_tessera.models import load_model
from napari_tessera.prediction.several import Found, read_report
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.files import finder
from napari_tessera.widgets.files.part import FILES_RUN, LIVE, FilesPart
from napari_tessera.widgets.request import TILE, VIEW

WAIT_MS = 30_000
N_TILES = 12
"""Tiles of each image here."""


@dataclass
class Scene:
    """A dock in a napari window, whose model and whose search wait at gates."""

    viewer: Any
    box: QWidget
    dock: DenoiseDock
    folder: Path
    qtbot: Any
    gate: GatedBlur = field(default_factory=GatedBlur)
    gone_on: threading.Event = field(default_factory=threading.Event)
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def part(self) -> FilesPart:
        return next(part for part in self.dock._parts if isinstance(part, FilesPart))

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def find(self) -> None:
        self.part.show()
        window = self.part.window
        assert window is not None
        window.add([self.folder])

    def search(self) -> None:
        """A search that has begun."""
        self.find()
        window = self.part.window
        assert window is not None
        self.until(lambda: bool(window.finder._images))
        self.cancel = window.finder._cancel

    def found(self) -> None:
        """All is found, and could be denoised."""
        self.gone_on.set()
        self.find()
        window = self.part.window
        assert window is not None
        self.until(lambda: not window.finder.busy)

    def run(self) -> None:
        """A run at the second tile of the first of two images."""
        self.found()
        window = self.part.window
        assert window is not None
        self.gate.let(1)
        window.press_main()
        self.cancel = self.part.runner._cancel
        self.until(lambda: self.gate.waiting.is_set() and self.gate.tickets._value == 0)

    def end(self, how: str) -> None:
        """End it all: the dock is taken out, destroyed with its owner, or all of napari closed."""
        if how == "taken out":
            self.viewer.window.remove_dock_widget(self.box)
        elif how == "destroyed":
            # by C++ alone: the dock is told of nothing before
            owner = QWidget()
            self.dock._was_docked = False
            self.dock.setParent(owner)
            owner.deleteLater()
            QCoreApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete)
        else:
            self.viewer.close()


@pytest.fixture
def scene(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in "ab":
        tifffile.imwrite(folder / f"{name}.tif", noise((70, 90), ord(name)))
    viewer = make_napari_viewer(show=True)
    viewer.add_image(noise((70, 90)).astype(np.float32))
    dock = DenoiseDock(viewer)
    box = viewer.window.add_dock_widget(dock, name="Denoise")
    scene = Scene(viewer, box, dock, folder, qtbot)
    model = load_model(scene.gate, device="cpu")
    model.geometry  # noqa: B018
    monkeypatch.setattr(dock.models, "get", lambda *asked: model)
    dock.settings.tiles.patch_size = (32, 32)
    real = finder.find_images

    def gated(*given: Any, found: Any, cancel: threading.Event, **more: Any) -> list[Found]:
        def first(image: Found) -> None:
            found(image)
            assert scene.gone_on.wait(WAIT_MS / 1000)

        return real(*given, found=first, cancel=cancel, **more)

    monkeypatch.setattr(finder, "find_images", gated)
    yield scene
    scene.gone_on.set()
    scene.gate.let(10_000)


@pytest.mark.parametrize("how", ["taken out", "destroyed", "closed"])
@pytest.mark.parametrize("what", ["search", "run"])
def test_nothing_goes_on_without_its_dock(scene: Scene, what: str, how: str) -> None:
    getattr(scene, what)()
    window = scene.part.window
    assert window is not None
    out = window.options.folder
    assert out is not None
    found = window.finder._images
    cancel = scene.cancel
    assert not cancel.is_set()
    if (what, how) == ("run", "closed"):
        # napari waits for what runs
        scene.gate.let(1)
    del window
    scene.end(how)
    assert cancel.is_set()
    scene.gone_on.set()
    scene.gate.let(10_000)
    pool = QThreadPool.globalInstance()
    assert pool is not None
    scene.until(lambda: pool.activeThreadCount() == 0)
    scene.until(lambda: not [t for t in threading.enumerate() if "tessera" in t.name])
    if what == "search":
        assert len(found) == 1, "the second image was not opened"
    if what == "run":
        report = read_report(out)
        assert report is not None
        assert [entry.state for entry in report.entries] == ["stopped", "waiting"]


def test_a_window_that_is_closed_shows_no_more(scene: Scene) -> None:
    scene.found()
    window = scene.part.window
    assert window is not None
    scene.dock.shut_down()
    assert not window.isVisible()
    scene.part.show()
    assert not window.isVisible()


def test_files_wait_while_live_preview_is_on(scene: Scene) -> None:
    scene.found()
    window = scene.part.window
    assert window is not None
    live = scene.dock.findChild(QPushButton, "live")
    scene.until(lambda: not scene.dock.reason())
    live.click()
    assert scene.dock.controller.state == "preview"
    assert window.reason() == LIVE
    assert not window.main_button.isEnabled()
    window.press_main()
    assert scene.part.runner.state == "idle"
    scene.gate.let(10_000)
    live.click()
    assert window.main_button.isEnabled()


def test_nothing_else_is_denoised_while_files_are(scene: Scene) -> None:
    scene.until(lambda: not scene.dock.reason())
    request = scene.dock.request()
    assert request is not None
    scene.run()
    dock, controller = scene.dock, scene.dock.controller
    live = dock.findChild(QPushButton, "live")
    live.click()
    assert not live.isChecked()
    assert dock.reason() == FILES_RUN
    for area in (VIEW, TILE):
        dock.start(type(request)(**{**vars(request), "area": area}))
    controller.resume()
    controller.show_disagreement()
    assert controller.state == "idle"
    assert controller.request is None
    assert dock.run_row.failure.message.startswith(FILES_RUN)
    scene.gate.let(10_000)
    scene.until(lambda: scene.part.runner.state == "done")
    assert not dock.run_row.failure.message
    live.click()
    assert controller.state == "preview"
    live.click()
