"""The dock with everything behind it: a person's clicks, real models, real pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QApplication

from napari_tessera import open_stack
from napari_tessera.widgets.actions import COMPARE, TUNE
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.model_chooser import BUILTIN
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import BUSY, DONE, IDLE, RUNNING, STOPPED
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places.lock import lock_store

pytestmark = pytest.mark.slow

LEFT = Qt.MouseButton.LeftButton
WAIT_MS = 60_000


@dataclass
class Window:
    """A viewer with the dock in it, used as a person does."""

    viewer: Any
    dock: DenoiseDock
    qtbot: QtBot

    @property
    def button(self) -> Any:
        return self.dock.run_row.main_button.native

    def click(self, widget: Any) -> None:
        native = getattr(widget, "native", widget)
        # a section that was opened just now is laid out by the next turn of the event loop
        self.qtbot.waitUntil(lambda: native.height() > 0)
        self.qtbot.mouseClick(native, LEFT)

    def until(self, *states: str) -> None:
        self.qtbot.waitUntil(lambda: self.dock.controller.state in states, timeout=WAIT_MS)

    def until_idle(self) -> None:
        self.qtbot.waitUntil(lambda: self.dock.controller.state not in BUSY, timeout=WAIT_MS)

    def until_reviewed(self) -> None:
        """Wait until the estimate of the settings is there."""
        row = self.dock.run_row
        self.qtbot.waitUntil(lambda: not row.estimate_button.native.isHidden(), timeout=WAIT_MS)

    def denoise(self) -> Any:
        """Click the main button and wait for the end; gives the output layer."""
        self.click(self.button)
        self.until(DONE)
        return self.dock.controller.results.outputs[-1]


@pytest.fixture
def window(make_napari_viewer: Any, qtbot: QtBot) -> Window:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    return Window(viewer, dock, qtbot)


def noisy(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(3).poisson(100, shape).astype(np.uint16)


def test_a_newcomer_sees_a_denoised_view_after_one_click(window: Window) -> None:
    image = noisy((3, 96, 96))
    layer = window.viewer.add_image(image, name="cells", axis_labels=("t", "y", "x"))
    window.until_reviewed()
    output = window.denoise()
    assert output.name == "cells_denoised"
    np.testing.assert_array_equal(layer.data, image)
    assert np.isfinite(np.asarray(output.data)).any()
    assert not window.dock.checks.isHidden()
    assert window.dock.checks.rows.rows["intensity"].mark.text() == "●"
    estimate = window.dock.run_row.estimate_button.native
    window.qtbot.waitUntil(lambda: "~" in estimate.text(), timeout=WAIT_MS)


def test_stop_keeps_what_is_done_and_continue_finishes(window: Window, blur: Path) -> None:
    window.viewer.add_image(noisy((120, 128, 128)), name="cells", axis_labels=("t", "y", "x"))
    fields = window.dock.settings
    fields.model.value = blur
    fields.area.value = EVERYTHING
    fields.tiles.patch_size = (32, 32)
    window.until_reviewed()
    window.click(window.button)
    window.qtbot.waitUntil(lambda: window.dock.run_row.progress is not None, timeout=WAIT_MS)
    window.click(window.button)
    window.until_idle()
    assert window.dock.controller.state == STOPPED
    assert window.button.accessibleName() == "Continue"
    partly = np.asarray(window.dock.controller.results.outputs[0].data).copy()
    done = np.isfinite(partly)
    assert 0 < done.mean() < 1
    window.click(window.button)
    window.until(DONE)
    whole = np.asarray(window.dock.controller.results.outputs[0].data)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole[done], partly[done])


def test_what_is_copied_as_python_makes_the_same_pixels(window: Window, blur: Path) -> None:
    window.viewer.add_image(noisy((2, 80, 90)), name="cells", axis_labels=("z", "y", "x"))
    fields = window.dock.settings
    fields.model.value = blur
    fields.area.value = EVERYTHING
    fields.tiles.patch_size = (48, 64)
    fields.tiles.overlaps = (8, 8)
    fields.advanced.intensity.range.value = "series"
    window.until_reviewed()
    output = np.asarray(window.denoise().data)
    fields.advanced.set_open(True)
    window.click(fields.advanced.copies.python_button)
    message = fields.advanced.copies.message
    window.qtbot.waitUntil(lambda: message.message == "Copied as Python.", timeout=WAIT_MS)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    names: dict[str, Any] = {}
    exec(compile(clipboard.text(), "copied", "exec"), names)
    np.testing.assert_array_equal(names["denoised"], output)


def test_what_has_no_command_says_why(window: Window) -> None:
    window.viewer.add_image(noisy((64, 64)), name="cells")
    window.until_reviewed()
    advanced = window.dock.settings.advanced
    advanced.set_open(True)
    window.click(advanced.copies.command_button)
    window.qtbot.waitUntil(lambda: bool(advanced.copies.message.message), timeout=WAIT_MS)
    assert advanced.copies.message.message.startswith("cells is no file")
    assert advanced.copies.message.level == "error"


def test_it_is_saved_while_it_runs_and_not_lost_by_accident(
    window: Window, blur: Path, tmp_path: Path
) -> None:
    window.viewer.add_image(noisy((64, 64)), name="cells")
    fields = window.dock.settings
    fields.model.value = blur
    fields.area.value = EVERYTHING
    fields.save.path = tmp_path / "out"
    fields.save.same_dtype = True
    window.until_reviewed()
    window.denoise()
    with open_stack(tmp_path / "out.ome.zarr") as stack:  # type: ignore[attr-defined]
        assert stack.data_dtype == np.uint16
        assert stack.original_data_shape == (64, 64)
    assert fields.save.summary.startswith("saved: out.ome.zarr")
    assert not window.button.isEnabled()
    fields.save.exists_row.overwrite_button.native.click()
    window.qtbot.waitUntil(window.button.isEnabled, timeout=WAIT_MS)
    window.denoise()


def test_a_file_that_is_no_model_is_told_beside_the_field(window: Window, tmp_path: Path) -> None:
    window.viewer.add_image(noisy((64, 64)), name="cells")
    bad = tmp_path / "notes.pt"
    bad.write_text("no model")
    field = window.dock.settings.model
    field.value = bad
    window.qtbot.waitUntil(lambda: bool(field.message.message), timeout=WAIT_MS)
    assert field.message.message.startswith("notes.pt cannot be loaded: ")
    assert "\n" not in field.message.message
    assert not window.button.isEnabled()
    field.value = BUILTIN
    window.until_reviewed()
    assert window.button.isEnabled()


def test_a_channel_without_a_model_is_told_as_long_as_it_is_in_view(window: Window) -> None:
    window.viewer.add_image(noisy((2, 64, 64)), name="cells", axis_labels=("c", "y", "x"))
    window.viewer.dims.set_current_step(0, 0)
    fields = window.dock.settings
    fields.model.channels.box.value = True
    fields.model.channels.choosers[1].value = ""
    window.qtbot.waitUntil(lambda: fields.model.of_channels != (), timeout=WAIT_MS)
    window.until_reviewed()
    window.viewer.dims.set_current_step(0, 1)
    window.qtbot.waitUntil(lambda: bool(fields.area.message.message), timeout=WAIT_MS)
    assert fields.area.message.message.startswith("channel 1 is in view and has no model: ")
    assert not window.button.isEnabled()
    assert window.dock.run_row.failure.message == ""
    window.viewer.dims.set_current_step(0, 0)
    window.qtbot.waitUntil(lambda: not fields.area.message.message, timeout=WAIT_MS)
    assert window.button.isEnabled()


def test_the_dock_can_be_closed_in_the_middle_of_a_run(window: Window, blur: Path) -> None:
    window.viewer.add_image(noisy((120, 128, 128)), name="cells", axis_labels=("t", "y", "x"))
    fields = window.dock.settings
    fields.model.value = blur
    fields.area.value = EVERYTHING
    fields.tiles.patch_size = (32, 32)
    fields.tiles.set_open(True)
    window.until_reviewed()
    window.click(window.button)
    window.until(RUNNING)
    controller = window.dock.controller
    window.viewer.window.remove_dock_widget(window.dock)
    window.qtbot.waitUntil(lambda: controller.state not in BUSY, timeout=WAIT_MS)
    assert controller.state in (STOPPED, IDLE)
    assert [layer.name for layer in window.viewer.layers] == ["cells", "cells_denoised"]


def test_the_sample_denoises_with_two_clicks(window: Window) -> None:
    window.click(window.dock.settings.image.sample_button)
    window.qtbot.waitUntil(lambda: bool(window.viewer.layers), timeout=WAIT_MS)
    window.until_reviewed()
    request = window.dock.request()
    assert request is not None
    assert [layer.name for layer in request.layers] == ["noisy cells"]
    assert window.button.isEnabled()


def test_what_was_said_of_one_image_does_not_stand_beside_another(window: Window) -> None:
    first = window.viewer.add_image(noisy((96, 96)), name="first")
    window.until_reviewed()
    window.denoise()
    dock = window.dock
    assert not dock.checks.isHidden()
    second = window.viewer.add_image(noisy((90, 90)), name="second")
    window.viewer.layers.selection = {second}
    assert dock.settings.image.layers == (second,)
    assert dock.checks.isHidden()
    assert not dock.run_row.progress_shown
    window.viewer.layers.selection = {first}
    assert not dock.checks.isHidden()
    window.viewer.layers.remove("first_denoised")
    assert dock.checks.isHidden()


def test_a_selection_made_during_a_run_is_followed_at_its_end(window: Window, blur: Path) -> None:
    window.viewer.add_image(noisy((60, 128, 128)), name="first", axis_labels=("t", "y", "x"))
    fields = window.dock.settings
    fields.model.value = blur
    fields.area.value = EVERYTHING
    fields.tiles.patch_size = (32, 32)
    window.until_reviewed()
    window.click(window.button)
    window.qtbot.waitUntil(lambda: window.dock.controller.state == RUNNING, timeout=WAIT_MS)
    second = window.viewer.add_image(noisy((90, 90)), name="second")
    window.viewer.layers.selection = {second}
    assert [layer.name for layer in fields.image.layers] == ["first"]
    window.qtbot.waitUntil(lambda: window.dock.controller.state == DONE, timeout=WAIT_MS)
    assert [layer.name for layer in fields.image.layers] == ["second"]


def test_a_tiff_is_chosen_typed_and_written_when_all_is_done(
    window: Window, blur: Path, tmp_path: Path
) -> None:
    image = noisy((2, 96, 96))
    window.viewer.add_image(image, name="cells", axis_labels=("t", "y", "x"))
    fields = window.dock.settings
    fields.model.value = blur
    fields.area.value = EVERYTHING
    window.click(fields.save.header)
    edit = fields.save.path_entry.native
    window.qtbot.keyClicks(edit, str(tmp_path / "out"))
    window.qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.text() == str(tmp_path / "out.ome.zarr")
    combo = fields.save.how.format.native
    combo.setFocus()
    window.qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert combo.currentText() == "OME-TIFF"
    assert edit.text() == str(tmp_path / "out.ome.tif")
    assert fields.save.how.when.isVisible()
    window.until_reviewed()
    said: list[str] = []
    window.dock.controller.state_changed.connect(
        lambda state: said.append(f"{state}: {window.dock.run_row.label.text()}")
    )
    output = window.denoise()
    assert "writing: writing out.ome.tif…" in said
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif"), output.data)
    assert fields.save.summary == "saved: out.ome.tif, float32"
    assert not fields.save.exists_row.continue_button.native.isVisible()


def test_what_an_earlier_window_began_is_offered_and_resumed(
    window: Window, blur: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.ome.zarr"
    image = noisy((40, 128, 128))
    window.viewer.add_image(image, name="cells", axis_labels=("t", "y", "x"))

    def settle(dock: DenoiseDock) -> None:
        dock.settings.model.value = blur
        dock.settings.area.value = EVERYTHING
        dock.settings.tiles.patch_size = (32, 32)
        dock.settings.save.path = path

    settle(window.dock)
    window.until_reviewed()
    window.click(window.button)
    row = window.dock.run_row
    window.qtbot.waitUntil(
        lambda: row.progress is not None and row.progress.done > 5, timeout=WAIT_MS
    )
    window.click(window.button)
    window.until(STOPPED)
    stored = read_unfinished(path)
    assert stored is not None
    there = f"{len(stored.done):,} of {stored.total_tiles:,} tiles are in out.ome.zarr"
    assert row.kept.message == f"{there}: Continue goes on."
    window.viewer.window.remove_dock_widget(window.dock)

    again = Window(window.viewer, DenoiseDock(window.viewer), window.qtbot)
    window.viewer.window.add_dock_widget(again.dock, name="Again", area="right")
    settle(again.dock)
    save = again.dock.settings.save
    again.qtbot.waitUntil(lambda: save.resumes, timeout=WAIT_MS)
    assert again.button.accessibleName() == "Resume"
    assert save.message.message == f"{there}: Resume goes on."
    again.dock.settings.tiles.patch_size = (48, 48)
    again.qtbot.waitUntil(lambda: "tile size 32×32 there, 48×48 now" in save.problem)
    assert not again.button.isEnabled()
    again.dock.settings.tiles.patch_size = (32, 32)
    again.qtbot.waitUntil(lambda: save.resumes, timeout=WAIT_MS)
    output = again.denoise()
    ended = read_unfinished(path)
    assert ended is not None
    assert ended.completed
    assert np.isfinite(output.data).all()
    np.testing.assert_array_equal(zarr.open_array(str(path), path="0", mode="r")[...], output.data)


def test_a_store_that_somebody_writes_is_offered_once_it_is_let_go(
    window: Window, blur: Path, tmp_path: Path
) -> None:
    window.viewer.add_image(noisy((64, 64)), name="cells")
    path = tmp_path / "out.ome.zarr"
    zarr.create_group(path)
    save = window.dock.settings.save
    with lock_store(path):
        save.path = path
        window.qtbot.waitUntil(
            lambda: "is being written by" in save.message.message, timeout=WAIT_MS
        )
        assert not window.button.isEnabled()
        # what saves nothing has nothing to do with it
        for name in (COMPARE, TUNE):
            assert window.dock.findChild(QAbstractButton, name).isEnabled()
    window.qtbot.waitUntil(lambda: save.problem == "Exists: rename, or Overwrite", timeout=WAIT_MS)


def test_a_folder_that_is_made_after_all_is_seen(window: Window, tmp_path: Path) -> None:
    window.viewer.add_image(noisy((64, 64)), name="cells")
    save = window.dock.settings.save
    save.path = tmp_path / "no" / "out.ome.zarr"
    window.qtbot.waitUntil(lambda: "does not exist: create it" in save.message.message)
    assert not window.button.isEnabled()
    (tmp_path / "no").mkdir()
    window.qtbot.waitUntil(window.button.isEnabled, timeout=WAIT_MS)
    assert save.message.isHidden()


def test_what_another_layer_shows_is_overwritten_once_that_is_gone(
    window: Window, tmp_path: Path
) -> None:
    path = tmp_path / "shown.ome.zarr"
    attributes = {"ome": {"multiscales": [{"datasets": [{"path": "0"}]}]}}
    group = zarr.create_group(path, attributes=attributes)
    shown = group.create_array("0", shape=(64, 64), dtype="f4")
    other = window.viewer.add_image(shown, name="mine")
    window.viewer.add_image(noisy((64, 64)), name="cells")
    save = window.dock.settings.save
    save.path = path
    told = "shown.ome.zarr is shown by the layer mine: rename, or remove that layer first"
    window.qtbot.waitUntil(lambda: save.message.message == told, timeout=WAIT_MS)
    assert not save.exists_row.overwrite_button.native.isVisible()
    window.viewer.layers.remove(other)
    window.qtbot.waitUntil(lambda: save.problem == "Exists: rename, or Overwrite", timeout=WAIT_MS)
