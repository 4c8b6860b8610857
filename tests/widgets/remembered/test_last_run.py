"""The dock of the next napari begins as the last run was, in a real window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PyQt6 import sip
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import Blur, noisy
from tests.widgets.dask_cluster import Cluster

from napari_tessera.models import DeviceInfo
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields import advanced as advanced_module
from napari_tessera.widgets.fields.model_chooser import BUILTIN
from napari_tessera.widgets.remembered.store import LastSettings, recall, remember
from napari_tessera.widgets.reports import FieldProblem
from napari_tessera.widgets.run_state import DONE, RUNNING

from .needs import PLUGIN_SETTINGS

pytestmark = PLUGIN_SETTINGS

WAIT_MS = 30_000
Open = Callable[[], DenoiseDock]


@pytest.fixture
def open_dock(make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens docks in one window, each for itself."""
    found = [DeviceInfo("cpu", "CPU", 12_000_000_000)]
    monkeypatch.setattr(advanced_module, "_devices", lambda: found)
    viewer = make_napari_viewer()
    docks: list[DenoiseDock] = []

    def make() -> DenoiseDock:
        if docks:
            viewer.window.remove_dock_widget(docks[-1])
        dock = DenoiseDock(viewer)
        viewer.window.add_dock_widget(dock, name="Denoise", area="right")
        docks.append(dock)
        return dock

    return make


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file: the blur, traced."""
    path = tmp_path / "blur.pt"
    torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 64, 64)).save(str(path))
    return path


def until_devices_are_known(dock: DenoiseDock, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(dock.settings.advanced.device.choices) > 1, timeout=WAIT_MS)
    qtbot.waitUntil(
        lambda: "CPU" in dock.settings.advanced.device.native.itemText(0), timeout=WAIT_MS
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_what_a_run_was_made_with_is_there_next_time(
    open_dock: Open, model: Path, qtbot: QtBot
) -> None:
    dock = open_dock()
    until_devices_are_known(dock, qtbot)
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    dock.settings.model.value = model
    dock.settings.tiles.patch_size, dock.settings.tiles.overlaps = (64, 32), (8, 8)
    dock.settings.advanced.device.value = "cpu"
    assert recall() == LastSettings()
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    dock.press_main()
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    assert recall() == LastSettings(str(model), (64, 32), (8, 8), "cpu")

    later = open_dock().settings
    assert later.model.value == str(model)
    assert (later.tiles.patch_size, later.tiles.overlaps) == ((64, 32), (8, 8))
    assert later.advanced.device.value == "cpu"
    until_devices_are_known(dock, qtbot)
    assert later.advanced.device.value == "cpu"


def test_the_scheduler_is_there_next_time_though_a_preview_was_made_here(
    open_dock: Open, cluster: Cluster, qtbot: QtBot
) -> None:
    dock = open_dock()
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    dock.settings.advanced.run_on.value = cluster.address
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    dock.press_main()
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    assert dock.controller.request is not None
    assert dock.controller.request.cluster == ""
    assert recall().cluster == cluster.address
    later = open_dock().settings.advanced.run_on
    assert later.value == cluster.address
    qtbot.waitUntil(lambda: "2 workers" in later.message.message, timeout=WAIT_MS)


def test_a_scheduler_that_is_gone_leaves_this_computer_with_a_line(
    open_dock: Open, qtbot: QtBot
) -> None:
    remember(LastSettings(cluster="tcp://127.0.0.1:1"))
    dock = open_dock()
    run_on = dock.settings.advanced.run_on
    assert run_on.value == "tcp://127.0.0.1:1"
    qtbot.waitUntil(lambda: run_on.value == "", timeout=WAIT_MS)
    told = "The Dask scheduler used last, tcp://127.0.0.1:1, does not answer: this computer."
    assert last_run_of(dock).note.message == told
    assert str(run_on.address.value) == "tcp://127.0.0.1:1"


def test_what_is_no_scheduler_is_not_asked(open_dock: Open) -> None:
    remember(LastSettings(cluster="what somebody typed"))
    assert open_dock().settings.advanced.run_on.value == ""


def test_what_is_set_is_not_taken_back(open_dock: Open, tmp_path: Path, qtbot: QtBot) -> None:
    gone = tmp_path / "gone.pt"
    remember(LastSettings(str(gone), (64, 64), (8, 8), "cuda:7"))
    dock = open_dock()
    other = tmp_path / "other.pt"
    other.touch()
    # a script sets these at once, before it is known what is still there
    dock.settings.model.value = other
    dock.settings.tiles.patch_size = "auto"
    until_devices_are_known(dock, qtbot)
    assert dock.settings.model.value == str(other)
    assert dock.settings.tiles.patch_size == "auto"
    assert dock.settings.tiles.overlaps == (8, 8)


def test_what_is_gone_falls_back_with_a_line_each(
    open_dock: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    gone = tmp_path / "gone.pt"
    remember(LastSettings(str(gone), (), (), "cuda:7"))
    dock = open_dock()
    until_devices_are_known(dock, qtbot)
    qtbot.waitUntil(lambda: dock.settings.model.value == BUILTIN, timeout=WAIT_MS)
    assert dock.settings.advanced.device.value == "auto"
    note = last_run_of(dock).note
    assert set(note.message.splitlines()) == {
        f"The model used last, {gone}, is not there: the built-in one is used.",
        "The device used last, cuda:7, is not there: automatic.",
    }
    assert note.level == "warning"
    # whoever chooses anew has seen it
    dock.settings.advanced.device.value = "cpu"
    assert "cuda:7" not in note.message
    dock.controller.state_changed.emit(RUNNING)
    assert note.isHidden()


def test_sizes_for_other_axes_fall_back(open_dock: Open, qtbot: QtBot) -> None:
    remember(LastSettings("", (16, 64, 64), (4, 16, 16), ""))
    dock = open_dock()
    tiles = dock.settings.tiles
    assert tiles.patch_size == (16, 64, 64)
    # what the model takes is known with the first image
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    note = last_run_of(dock).note
    qtbot.waitUntil(lambda: bool(note.message), timeout=WAIT_MS)
    assert (tiles.patch_size, tiles.overlaps) == ("auto", "auto")
    assert note.message == (
        "Used last, tile size 16×64×64 and overlap 4×16×16 do not fit here: automatic."
    )
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)


def test_sizes_that_somebody_typed_are_left_to_them(open_dock: Open) -> None:
    remember(LastSettings("", (64, 64), (), ""))
    dock = open_dock()
    dock.settings.tiles.patch_size = (62, 64)
    dock.controller.problem_changed.emit(FieldProblem("patch_size", "tile size Y 62 is odd"))
    assert dock.settings.tiles.patch_size == (62, 64)
    assert last_run_of(dock).note.isHidden()


@pytest.mark.parametrize(
    "last",
    [
        LastSettings("", (64, 64), (65, 65), ""),
        LastSettings("", (0, 0), (), ""),
        LastSettings("", (64, 64), (57, 57), ""),
    ],
)
def test_sizes_that_never_fit_fall_back_at_once(open_dock: Open, last: LastSettings) -> None:
    remember(last)
    dock = open_dock()
    assert dock.settings.tiles.patch_size == "auto"
    assert dock.settings.problem == "Open an image first"
    assert "do" in last_run_of(dock).note.message


def test_reset_forgets(open_dock: Open, qtbot: QtBot) -> None:
    remember(LastSettings("", (64, 64), (8, 8), "cpu"))
    dock = open_dock()
    until_devices_are_known(dock, qtbot)
    dock.settings.advanced.set_open(True)
    qtbot.mouseClick(dock.settings.advanced.copies.reset_button.native, Qt.MouseButton.LeftButton)
    assert dock.settings.tiles.patch_size == "auto"
    qtbot.waitUntil(lambda: recall() == LastSettings())
    assert open_dock().settings.tiles.patch_size == "auto"


@pytest.mark.parametrize("how", ["later", "taken out", "destroyed"])
def test_settings_are_written_after_the_click_even_where_the_dock_goes(
    open_dock: Open, qtbot: QtBot, how: str
) -> None:
    remember(LastSettings("", (64, 64), (), ""))
    dock = open_dock()
    dock.settings.advanced.copies.reset_wanted.emit()
    assert recall() == LastSettings("", (64, 64), (), "")
    if how == "later":
        qtbot.waitUntil(lambda: recall() == LastSettings())
    elif how == "taken out":
        dock.viewer.window.remove_dock_widget(dock)
    else:
        sip.delete(dock)
    assert recall() == LastSettings()


def last_run_of(dock: DenoiseDock) -> Any:
    from napari_tessera.widgets.remembered.last_run import LastRun

    found = dock.findChild(LastRun)
    assert found is not None
    return found
