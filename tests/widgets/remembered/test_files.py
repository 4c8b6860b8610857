"""Settings saved from the dock and loaded into it, through the dialogs of a real window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from tests.widgets.conftest import Blur, make_plan, noisy
from tests.widgets.dask_cluster import Cluster

import napari_tessera
from napari_tessera.cli import run as command_line
from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.model_chooser import BUILTIN
from napari_tessera.widgets.fields.run_on import HERE
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW
from napari_tessera.widgets.run_state import DONE

WAIT_MS = 30_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(make_napari_viewer: Any) -> DenoiseDock:
    viewer = make_napari_viewer()
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    return dock


@pytest.fixture
def ask(dock: DenoiseDock, qtbot: QtBot) -> Callable[[str, Path], tuple[str, str]]:
    """Click a button, choose a file in its dialog; gives what is said, and its level."""
    copies = dock.settings.advanced.copies
    dock.settings.advanced.set_open(True)

    def click(button: str, path: Path) -> tuple[str, str]:
        qtbot.mouseClick(getattr(copies, f"{button}_button").native, LEFT)
        dialogs = dock.window().findChildren(QFileDialog)
        if dialogs:
            dialogs[-1].fileSelected.emit(str(path))
            dialogs[-1].reject()
        level = ("good", "warning", "error")
        qtbot.waitUntil(lambda: copies.message.level in level, timeout=WAIT_MS)
        return copies.message.message, copies.message.level

    return click


def test_settings_come_back_from_their_file(
    dock: DenoiseDock, ask: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    settings = dock.settings
    dock.viewer.add_image(noisy((3, 70, 80)), name="cells", axis_labels=("t", "y", "x"))
    settings.area.value = SLICE
    settings.tiles.patch_size, settings.tiles.overlaps = (64, 32), (8, 8)
    settings.advanced.intensity.range.value = "series"
    settings.advanced.joining.joining.value = "linear"
    settings.advanced.joining.flips.value = "median"
    camera = settings.advanced.camera
    camera.hot_pixels, camera.camera_offset, camera.camera_gain = "replace", 100.0, 0.46
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    before = dock.request()
    path = tmp_path / "mine.json"
    assert ask("save", path) == ("Saved mine.json.", "good")
    settings.reset()
    assert dock.request() != before
    assert ask("load", path) == ("Loaded mine.json.", "good")
    assert dock.request() == before


@pytest.mark.slow
def test_a_scheduler_of_a_file_is_chosen_by_who_knows_it_alone(
    dock: DenoiseDock, ask: Any, cluster: Cluster, tmp_path: Path, qtbot: QtBot
) -> None:
    run_on = dock.settings.advanced.run_on
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    run_on.value = cluster.address
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    path = tmp_path / "mine.json"
    assert ask("save", path) == ("Saved mine.json.", "good")
    run_on.chooser.value = HERE
    assert ask("load", path) == ("Loaded mine.json.", "good")
    assert run_on.value == cluster.address, "it was typed here before"
    dock.settings.reset()
    said, level = ask("load", path)
    assert level == "warning"
    assert f"if you know the scheduler {cluster.address}, choose it under Run on" in said
    assert (run_on.value, str(run_on.address.value)) == ("", cluster.address)


def test_a_saved_file_is_the_plan_of_the_command_line(
    dock: DenoiseDock, ask: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    pixels = np.random.default_rng(1).poisson(100, (90, 80)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "cells.tif", pixels, metadata={"axes": "YX"})
    layer = dock.viewer.add_image(pixels, name="cells")
    dock.settings.area.value = EVERYTHING
    dock.settings.tiles.patch_size = (84, 84)
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    saved, out = tmp_path / "mine.json", tmp_path / "out.ome.zarr"
    ask("save", saved)
    words = ["predict", str(tmp_path / "cells.tif"), str(out), "--model", BUILTIN]
    assert command_line([*words, "--axes", "YX", "--device", "cpu", "--plan", str(saved)]) == 0
    dock.press_main()
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    shown = next(one for one in dock.viewer.layers if one is not layer)
    with napari_tessera.open_stack(out) as stack:
        written = stack.extract_patch(0, None, (0, 0), (90, 80))[0]
    np.testing.assert_array_equal(np.asarray(shown.data), written)


def test_a_plan_of_the_command_line_is_loaded(dock: DenoiseDock, ask: Any, tmp_path: Path) -> None:
    image = noisy((16, 70, 80))
    dock.viewer.add_image(image, name="cells")
    plan = make_plan(image, "ZYX", Blur(3), patch_size=(8, 32, 32), overlaps=(2, 4, 4))
    path = tmp_path / "plan.json"
    path.write_text(plan.to_json())
    said, level = ask("load", path)
    assert level == "warning"
    assert said.splitlines() == [
        "Loaded plan.json.",
        "the model Blur is not there: choose it, or another one",
    ]
    tiles = dock.settings.tiles
    assert (tiles.patch_size, tiles.overlaps) == ((8, 32, 32), (2, 4, 4))
    assert dock.settings.area.value == EVERYTHING


def test_an_image_of_other_axes_is_told(dock: DenoiseDock, ask: Any, tmp_path: Path) -> None:
    dock.viewer.add_image(noisy((3, 64, 64)), name="cells", axis_labels=("z", "y", "x"))
    path = tmp_path / "plan.json"
    path.write_text(
        make_plan(noisy((3, 70, 80)), "TYX", region={"T": 1}, patch_size=(64, 64)).to_json()
    )
    said, _ = ask("load", path)
    assert "the settings are for an image with the axes TYX, cells has ZYX" in said
    assert "the area was a part of that image: it is What I see here" in said
    assert dock.settings.area.value == VIEW
    assert dock.settings.image.axes is None


@pytest.mark.slow
def test_axes_are_taken_where_the_image_does_not_say_its_own(
    dock: DenoiseDock, ask: Any, tmp_path: Path
) -> None:
    image = noisy((3, 70, 80))
    dock.viewer.add_image(image, name="cells")
    path = tmp_path / "plan.json"
    path.write_text(make_plan(image, "TYX", patch_size=(64, 64)).to_json())
    said, _ = ask("load", path)
    assert "axes" not in said
    assert dock.settings.image.axes == "TYX"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_model_with_other_weights_is_told(
    dock: DenoiseDock, ask: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    blur, zeros = Blur().eval(), torch.zeros(1, 1, 64, 64)
    torch.jit.trace(blur, zeros).save(str(tmp_path / "m.pt"))
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    dock.settings.model.value = tmp_path / "m.pt"
    dock.settings.tiles.patch_size = (84, 84)
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    path = tmp_path / "mine.json"
    ask("save", path)
    with torch.no_grad():
        blur.conv.weight *= 0.5
    torch.jit.trace(blur, zeros).save(str(tmp_path / "m.pt"))
    ask("load", path)
    message = dock.settings.advanced.copies.message
    line = "m.pt has other weights than when it was saved"
    qtbot.waitUntil(lambda: line in message.message, timeout=WAIT_MS)


@pytest.mark.slow
def test_models_of_channels_come_back(
    dock: DenoiseDock, ask: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    dock.viewer.add_image(noisy((2, 70, 80)), name="two", axis_labels=("c", "y", "x"))
    channels = dock.settings.model.channels
    channels.box.value = True
    channels.choosers[0].choose("")
    channels.changed.emit()
    dock.settings.area.value = EVERYTHING
    dock.settings.tiles.patch_size = (84, 84)
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    path = tmp_path / "mine.json"
    assert ask("save", path)[1] == "good"
    dock.settings.reset()
    assert ask("load", path)[1] == "good"
    assert dock.settings.model.of_channels == ((1, BUILTIN),)
    dock.viewer.add_image(noisy((70, 80)), name="one")
    dock.viewer.layers.selection.active = dock.viewer.layers["one"]
    said, _ = ask("load", path)
    assert "models of channels were left out: this image has no channel 1" in said


def test_what_is_no_settings_file_changes_nothing(
    dock: DenoiseDock, ask: Any, tmp_path: Path
) -> None:
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    dock.settings.tiles.patch_size = (84, 84)
    before = dock.request()
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"fingerprint_of": {"input_axes": "YX", "input_shape": [9, 9]}}))
    said, level = ask("load", path)
    assert level == "error"
    assert said.startswith("odd.json: this is no prediction plan")
    assert dock.request() == before


def test_without_an_image_there_is_nothing_to_save(
    dock: DenoiseDock, ask: Any, tmp_path: Path
) -> None:
    assert ask("save", tmp_path / "mine.json") == ("Open an image first", "error")
    assert not (tmp_path / "mine.json").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_told(
    dock: DenoiseDock, ask: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "file").touch()
    dock.viewer.add_image(noisy((70, 80)), name="cells")
    dock.settings.tiles.patch_size = (84, 84)
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    said, level = ask("save", tmp_path / "file" / "mine.json")
    assert level == "error"
    assert "choose another folder" in said


def test_what_is_saved_can_be_read_as_a_plan(
    dock: DenoiseDock, ask: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    dock.viewer.add_image(noisy((100, 100)), name="cells")
    dock.settings.tiles.patch_size = (84, 84)
    qtbot.waitUntil(dock.run_row.main_button.native.isEnabled, timeout=WAIT_MS)
    ask("save", tmp_path / "mine")
    plan = PredictionPlan.from_json((tmp_path / "mine.json").read_text())
    assert plan.patch_size == (84, 84)
