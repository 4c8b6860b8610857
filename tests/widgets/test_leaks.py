"""Docks and viewers that are closed in the middle of something, 50 times in a row.

Whatever was going on, nothing may be left: no thread, no worker, no temporary folder, no callback
in the viewer, no layer of ours, no key, no window.
"""

from __future__ import annotations

import gc
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication, QPushButton, QToolButton, QWidget
from tests.widgets.canvas_size import canvas_events
from tests.widgets.conftest import WAIT_MS, GatedBlur, noisy

from napari_tessera.widgets import output_store
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.request import EVERYTHING, VIEW, RunRequest
from napari_tessera.widgets.run_state import PREVIEW, RUNNING
from napari_tessera.widgets.tuning.part import TuneTiles

TIMES = 50
OURS = "tessera"


def emitters(viewer: Any) -> Iterator[tuple[str, Any]]:
    """Every emitter of a viewer and of its parts, by name."""
    groups = {
        "viewer": viewer.events,
        "dims": viewer.dims.events,
        "camera": camera_of(viewer).events,
        "cursor": viewer.cursor.events,
        "layers": viewer.layers.events,
        "selection": viewer.layers.selection.events,
    }
    for events in canvas_events(viewer):
        groups["canvas"] = events
    for layer in viewer.layers:
        groups[f"layer {layer.name}"] = layer.events
    for name, group in groups.items():
        yield name, group
        for each in getattr(group, "emitters", {}):
            yield f"{name}.{each}", group[each]


def held(viewer: Any) -> dict[str, Any]:
    """What listens to a viewer, what keys and mouse do, and which windows there are."""
    found: dict[str, Any] = {
        name: sum(OURS in str(getattr(callback, "__module__", callback)) for callback in _of(each))
        for name, each in emitters(viewer)
    }
    for name in ("move", "drag", "double_click", "wheel"):
        found[f"mouse {name}"] = len(getattr(viewer, f"mouse_{name}_callbacks"))
    for layer in viewer.layers:
        found[f"drag on {layer.name}"] = len(layer.mouse_drag_callbacks)
        found[f"move on {layer.name}"] = len(layer.mouse_move_callbacks)
    found["keys"] = sorted(map(str, viewer.keymap))
    results = ("_denoised", "_removed_noise")
    found["layers"] = [each.name for each in viewer.layers if not each.name.endswith(results)]
    return found


def _of(emitter: Any) -> list[Any]:
    """Callbacks of an emitter: napari keeps (weak object, method name) pairs, or functions."""
    found = []
    for callback in emitter.callbacks:
        if isinstance(callback, tuple):
            owner = callback[0]()
            found.append(type(owner) if owner is not None else object)
        else:
            found.append(callback)
    return found


def threads() -> list[str]:
    """Threads of ours that are alive."""
    return [thread.name for thread in threading.enumerate() if OURS in thread.name]


def folders() -> set[Path]:
    """Temporary folders of ours."""
    return {path for path in Path(tempfile.gettempdir()).iterdir() if OURS in path.name}


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else makes any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def button(dock: QWidget, text: str) -> Any:
    """A button of the dock by its text."""
    found = [*dock.findChildren(QPushButton), *dock.findChildren(QToolButton)]
    return next(each for each in found if each.text().replace("&", "").startswith(text))


class Scene:
    """A window with a dock, in the middle of something."""

    def __init__(self, viewer: Any, qtbot: QtBot) -> None:
        self.viewer, self.qtbot, self.gate = viewer, qtbot, GatedBlur()
        self.layer = viewer.add_image(noisy((2, 300, 300)), name="cells")
        self.before = held(viewer)
        self.dock = DenoiseDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Denoise", area="right")

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def run(self) -> None:
        """A run that is at its second tile."""
        self.dock.controller.show_grid(True)
        request = RunRequest(
            (self.layer,), self.gate, area=EVERYTHING, patch_size=(64, 64), device="cpu"
        )
        self.dock.start(request)
        self.gate.let(1)
        self.until(lambda: self.dock.controller.state == RUNNING and self.gate.waiting.is_set())

    def to_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run whose output waits in a temporary folder."""
        monkeypatch.setattr(output_store, "MEMORY_SHARE", 0.0)
        self.run()

    def compared(self) -> None:
        """A run that is through, looked at in a split view, with removed noise and a try tool."""
        request = RunRequest((self.layer,), self.gate, area=VIEW, patch_size=(64, 64), device="cpu")
        self.gate.let(10_000)
        self.dock.start(request)
        self.until(lambda: bool(self.dock.controller.results.outputs))
        self.until(lambda: not self.dock.controller.busy)
        for text in ("Removed noise", "Split", "Try a tile", "Compare"):
            button(self.dock, text).click()

    def live(self) -> None:
        """A live preview at work."""
        button(self.dock, "Live").click()
        self.until(lambda: self.dock.controller.state == PREVIEW)

    def tuned(self) -> None:
        """Tile sizes are being measured."""
        self.until(lambda: bool(button(self.dock, "Tune").isEnabled()))
        button(self.dock, "Tune").click()
        tuning = next(part for part in self.dock._parts if isinstance(part, TuneTiles))
        assert tuning.is_measuring

    def let_go(self) -> None:
        """Let whatever hangs at the gate through."""
        self.gate.let(10_000)


def nothing_left(qtbot: QtBot, before: set[Path]) -> None:
    """Wait for the last thread, then look for what should be gone."""
    qtbot.waitUntil(lambda: not threads(), timeout=WAIT_MS)
    pool = QThreadPool.globalInstance()
    assert pool is not None
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0, timeout=WAIT_MS)
    for _ in range(3):
        gc.collect()
        QApplication.processEvents()
    assert folders() <= before


SITUATIONS = ("run", "to_disk", "compared", "live", "tuned")


def arrange(scene: Scene, situation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if situation == "to_disk":
        scene.to_disk(monkeypatch)
    else:
        getattr(scene, situation)()


@pytest.mark.slow
def test_a_dock_that_is_closed_leaves_nothing_in_its_viewer(
    make_napari_viewer: Any, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    at_first = folders()
    docks: list[Any] = []
    for time in range(TIMES):
        with pytest.MonkeyPatch.context() as patch:
            scene = Scene(viewer, qtbot)
            arrange(scene, SITUATIONS[time % len(SITUATIONS)], patch)
            docks.append(weakref.ref(scene.dock))
            viewer.window.remove_dock_widget(scene.dock.parent())
            scene.let_go()
            now = held(viewer)
            left = {name: now[name] for name in scene.before if now[name] != scene.before[name]}
            assert not left, SITUATIONS[time % len(SITUATIONS)]
            scene.dock.deleteLater()
            del scene
            viewer.layers.clear()
            nothing_left(qtbot, at_first)
    qtbot.waitUntil(lambda: not gc.collect() and not any(dock() for dock in docks), timeout=WAIT_MS)


@pytest.mark.parametrize("situation", ["run", "compared", "tuned"])
def test_a_dock_that_is_deleted_where_it_is_leaves_nothing_in_its_viewer(
    make_napari_viewer: Any, qtbot: QtBot, situation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer(show=True)
    scene = Scene(viewer, qtbot)
    arrange(scene, situation, monkeypatch)
    with qtbot.waitSignal(scene.dock.destroyed, timeout=WAIT_MS):
        scene.dock.deleteLater()
    scene.let_go()
    now = held(viewer)
    assert {name: now[name] for name in scene.before} == scene.before
    del scene
    nothing_left(qtbot, set())


@pytest.mark.slow
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_viewer_that_is_closed_leaves_nothing(
    make_napari_viewer: Any,
    qtbot: QtBot,
    situation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_first = folders()
    for _ in range(TIMES // len(SITUATIONS)):
        viewer = make_napari_viewer(show=True)
        scene = Scene(viewer, qtbot)
        arrange(scene, situation, monkeypatch)
        scene.let_go()
        windows = {id(window) for window in QApplication.topLevelWidgets() if window.isVisible()}
        assert windows
        viewer.close()
        del viewer, scene
        nothing_left(qtbot, at_first)
    assert not [w for w in QApplication.topLevelWidgets() if w.isVisible()]
