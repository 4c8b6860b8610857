"""Entries of napari's command palette, executed as the palette does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot
from tests.widgets.conftest import GatedBlur

from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.run_state import DONE, PREVIEW, RUNNING, STOPPED

WAIT_MS = 30_000
IDS = (
    "start",
    "stop",
    "continue",
    "grid",
    "flip",
    "live_preview",
    "try_tile",
    "compare",
    "tune",
)


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer(show=True)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What napari notifies people of."""
    found: list[str] = []

    def keep(notification: Any) -> None:
        found.append(notification.message)

    notification_manager.notification_ready.connect(keep)
    yield found
    notification_manager.notification_ready.disconnect(keep)


@pytest.fixture
def execute(viewer: Any) -> Callable[[str], None]:
    def run(name: str) -> None:
        get_app_model().commands.execute_command(f"napari-tessera.{name}").result()

    return run


def docks(viewer: Any) -> list[DenoiseDock]:
    return [one for one in viewer.window.dock_widgets.values() if isinstance(one, DenoiseDock)]


def test_all_are_in_the_palette(viewer: Any, qtbot: QtBot) -> None:
    viewer.window._toggle_command_palette()
    palette = viewer.window._qt_window._command_palette
    qtbot.keyClicks(palette._line, "denois")
    listed = {command.id: command.title for command in palette._list.all_commands}
    assert {f"napari-tessera.{name}" for name in IDS} <= set(listed)
    assert listed["napari-tessera.stop"] == "Stop denoising (Tessera)"
    palette.hide()


def test_the_dock_is_opened_once(
    viewer: Any, execute: Callable[[str], None], said: list[str]
) -> None:
    execute("start")
    (dock,) = docks(viewer)
    assert said == ["Open an image first"]
    execute("stop")
    assert docks(viewer) == [dock]
    assert said[-1] == "Nothing is being denoised"


def test_where_there_is_nothing_to_do_it_is_said(
    viewer: Any, execute: Callable[[str], None], said: list[str]
) -> None:
    for number, name in enumerate(IDS, 1):
        execute(name)
        assert len(said) == number, name
        assert "\n" not in said[-1]


def test_a_run_is_started_stopped_and_continued(
    viewer: Any,
    execute: Callable[[str], None],
    said: list[str],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    viewer.add_image(np.random.default_rng(0).normal(100, 10, (128, 128)), name="cells")
    gate = GatedBlur()
    dock.settings.tiles.patch_size, dock.settings.tiles.overlaps = (64, 64), (8, 8)
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    request = dock.request()
    assert request is not None
    # a model that waits: the fields know files alone
    held = replace(request, model=gate, device="cpu")
    monkeypatch.setattr(dock, "request", lambda: held)
    execute("start")
    qtbot.waitUntil(lambda: dock.controller.state == RUNNING, timeout=WAIT_MS)
    execute("start")
    assert said[-1] == "Denoising goes on already: stop it first"
    execute("stop")
    gate.let(1000)
    qtbot.waitUntil(lambda: dock.controller.state == STOPPED, timeout=WAIT_MS)
    execute("continue")
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    execute("continue")
    assert said[-1] == "Nothing was stopped that can be continued"


def test_the_grid_is_shown_and_hidden(
    viewer: Any, execute: Callable[[str], None], said: list[str]
) -> None:
    viewer.add_image(np.zeros((64, 64), np.uint16), name="cells")
    execute("grid")
    (dock,) = docks(viewer)
    assert dock.settings.tiles.grid_is_wanted
    execute("grid")
    assert not dock.settings.tiles.grid_is_wanted
    assert said == []


def test_a_result_is_flipped_and_flipped_back(
    viewer: Any, execute: Callable[[str], None], said: list[str], qtbot: QtBot
) -> None:
    layer = viewer.add_image(np.random.default_rng(0).poisson(100, (64, 64)), name="cells")
    execute("flip")
    (dock,) = docks(viewer)
    assert said[-1].startswith("Nothing is denoised yet")
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    execute("start")
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    output = next(one for one in viewer.layers if one is not layer)
    execute("flip")
    assert not output.visible
    execute("flip")
    assert output.visible


def test_the_live_preview_is_switched_on_and_off(
    viewer: Any, execute: Callable[[str], None], said: list[str], qtbot: QtBot
) -> None:
    viewer.add_image(np.random.default_rng(0).poisson(100, (64, 64)), name="cells")
    execute("live_preview")
    (dock,) = docks(viewer)
    qtbot.waitUntil(lambda: dock.controller.state == PREVIEW, timeout=WAIT_MS)
    execute("stop")
    qtbot.waitUntil(lambda: dock.controller.state != PREVIEW, timeout=WAIT_MS)
    assert said == []
