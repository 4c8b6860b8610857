"""The dock in a real window, clicked and typed into; what runs is told by a stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.widgets.dock_scene import ESTIMATE, PROGRESS, Scene
from tests.widgets.fields.conftest import make_store

from napari_tessera.prediction import CheckReadings
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW, RunRequest
from napari_tessera.widgets.run_state import (
    DONE,
    FAILED,
    PLANNING,
    RUNNING,
    STOPPED,
    STOPPING,
)


def test_without_an_image_it_says_what_to_do(scene: Scene) -> None:
    assert not scene.button.isEnabled()
    assert scene.button.toolTip() == "Open an image first"
    assert scene.dock.settings.image.sample_button.native.isVisible()
    scene.qtbot.waitUntil(lambda: scene.dock.settings.advanced.summary == "CPU, batch auto")


def test_one_click_starts_what_is_selected(scene: Scene) -> None:
    layer = scene.add(name="cells")
    assert scene.button.isEnabled()
    assert scene.text == "Denoise this view"
    scene.click(scene.button)
    assert scene.controller.asked == ["start"]
    assert scene.controller.request == RunRequest((layer,))


def test_the_key_does_what_the_button_does(scene: Scene) -> None:
    scene.add()
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    canvas = scene.viewer.window._qt_viewer.canvas.native
    scene.qtbot.keyClick(canvas, Qt.Key.Key_D, keys)
    assert scene.controller.asked == ["start"]
    scene.run(RUNNING)
    # out of a text field of the dock, too
    scene.dock.settings.save.set_open(True)
    scene.qtbot.keyClick(scene.dock.settings.save.path_entry.native, Qt.Key.Key_D, keys)
    assert scene.controller.asked == ["start", "stop"]
    assert scene.dock.settings.save.path is None


def test_the_buttons_text_follows_area_and_state(scene: Scene) -> None:
    scene.add()
    area = scene.dock.settings.area
    for choice, text in (
        (SLICE, "Denoise this slice"),
        (EVERYTHING, "Denoise everything"),
        (VIEW, "Denoise this view"),
    ):
        area.value = choice
        assert scene.text == text
    scene.run(PLANNING)
    assert scene.text == "Stop"
    scene.click(scene.button)
    scene.run(STOPPING)
    assert not scene.button.isEnabled()
    scene.run(STOPPED, can_resume=True)
    assert scene.text == "Continue"
    scene.click(scene.button)
    assert scene.controller.asked == ["stop", "resume"]
    scene.dock.settings.advanced.intensity.range.value = "series"
    assert scene.text == "Denoise again"
    scene.run(DONE, can_resume=False)
    assert scene.text == "Denoise this view"


def test_what_a_run_says_is_shown(scene: Scene) -> None:
    scene.add()
    row = scene.dock.run_row
    assert not row.progress_shown
    assert scene.dock.checks.isHidden()
    scene.run(RUNNING)
    scene.controller.progress_changed.emit(PROGRESS)
    scene.controller.checks_changed.emit(CheckReadings(3, 0.998, 0.02))
    assert row.label.text() == "6/12 tiles · 4 s left"
    assert scene.dock.checks.rows.rows["intensity"].value.text() == "99.8\N{NO-BREAK SPACE}%"
    scene.controller.warned.emit("0.4 % of the pixels are saturated")
    assert row.warnings.message == "0.4 % of the pixels are saturated"
    scene.run(FAILED)
    scene.controller.failed.emit("the model ran out of memory: use smaller tiles")
    assert not row.progress_shown
    assert "out of memory" in row.failure.message
    assert scene.button.isEnabled()
    scene.click(scene.button)
    assert row.failure.isHidden()
    assert row.warnings.isHidden()
    assert scene.dock.checks.isHidden()


def test_a_click_on_the_estimate_chooses_everything(scene: Scene) -> None:
    scene.add()
    assert scene.dock.run_row.estimate_button.native.text() == ESTIMATE
    scene.click(scene.dock.run_row.estimate_button)
    assert scene.text == "Denoise everything"


def test_several_selected_layers_are_run_together(scene: Scene) -> None:
    layers = [scene.add((8, 8), name=name) for name in "abc"]
    scene.viewer.layers.selection = set(layers)
    chooser = scene.dock.settings.image.chooser.native
    assert chooser.currentText() == "3 layers selected"
    scene.click(scene.button)
    assert scene.controller.request is not None
    assert scene.controller.request.layers == tuple(layers)


def test_during_a_run_the_selection_is_not_followed(scene: Scene) -> None:
    first = scene.add((8, 8), name="a")
    second = scene.add((8, 8), name="b")
    scene.run(RUNNING)
    scene.viewer.layers.selection = {first}
    request = scene.dock.request()
    assert request is not None
    assert request.layers == (second,)


def test_a_model_of_volumes_asks_for_three_sizes(scene: Scene) -> None:
    scene.controller.spatial_dims = 3
    scene.add((20, 32, 32))
    tiles = scene.dock.settings.tiles
    tiles.set_open(True)
    assert tiles.size_entry.entries["Z"].edit.isVisible()
    assert tiles.summary == "32×128×128, overlap 16×56×56 (auto)"


def test_the_models_own_range_is_offered_where_it_has_one(scene: Scene) -> None:
    scene.add()
    combo = scene.dock.settings.advanced.intensity.range.native
    assert combo.itemText(0) == "each time point"
    scene.controller.normalization = "model"
    scene.dock.settings.area.value = SLICE
    scene.until_reviewed()
    assert combo.itemText(0) == "the model's"


def test_the_grid_follows_its_section(scene: Scene) -> None:
    scene.add()
    scene.click(scene.dock.settings.tiles.header)
    scene.click(scene.dock.settings.tiles.header)
    assert scene.controller.asked == ["grid True", "grid False"]


def test_what_exists_is_settled_in_the_dock(scene: Scene, tmp_path: Path) -> None:
    there = tmp_path / "cells.ome.zarr"
    make_store(there)
    scene.add()
    save = scene.dock.settings.save
    save.path = there
    assert not scene.button.isEnabled()
    assert save.summary == "Exists: rename, Resume, or Overwrite"
    looked_at = scene.until_reviewed()
    assert looked_at is not None
    assert looked_at.save is not None
    assert looked_at.save.if_exists == "rename"
    save.set_open(True)
    scene.click(save.exists_row.overwrite_button)
    assert scene.button.isEnabled()
    scene.click(scene.button)
    assert scene.controller.request is not None
    assert scene.controller.request.save is not None
    assert scene.controller.request.save.if_exists == "overwrite"


def test_a_stopped_run_goes_on_into_the_file_it_has_begun(scene: Scene, tmp_path: Path) -> None:
    there = tmp_path / "cells.ome.zarr"
    scene.add()
    save = scene.dock.settings.save
    save.path = there
    scene.run(RUNNING)
    make_store(there)
    scene.controller.progress_changed.emit(PROGRESS)
    scene.run(STOPPED, can_resume=True)
    assert scene.text == "Continue"
    assert scene.button.isEnabled()
    assert save.problem == ""
    scene.click(scene.dock.run_row.start_over_button)
    assert scene.controller.asked == []
    assert save.problem == "Exists: rename, Resume, or Overwrite"
    save.exists_row.overwrite_button.native.click()
    assert scene.text == "Denoise this view"
    scene.click(scene.button)
    assert scene.controller.asked == ["start"]


def test_what_was_saved_is_said(scene: Scene, tmp_path: Path) -> None:
    there = tmp_path / "cells.ome.zarr"
    scene.add()
    scene.dock.settings.save.path = there
    scene.run(RUNNING)
    make_store(there)
    scene.run(DONE)
    assert scene.dock.settings.save.summary == "saved: cells.ome.zarr, float32"


def test_start_over_runs_what_is_on_display_now(scene: Scene) -> None:
    scene.add()
    scene.run(RUNNING)
    scene.controller.progress_changed.emit(PROGRESS)
    scene.run(STOPPED, can_resume=True)
    scene.click(scene.dock.run_row.start_over_button)
    assert scene.controller.asked == ["start"]


def test_the_removed_noise_is_shown_and_hidden(scene: Scene) -> None:
    scene.add()
    scene.run(DONE)
    scene.controller.checks_changed.emit(CheckReadings(3, 1.0, 0.0))
    button = scene.dock.checks.noise_button.native
    scene.click(button)
    assert scene.controller.asked == ["noise"]
    noise = scene.viewer.add_image(
        np.zeros((8, 8)), name="cells_removed_noise", metadata={"napari_tessera_output": 1}
    )
    scene.controller.results.removed_noise = (noise,)
    scene.controller.go(DONE)
    assert button.isChecked()
    scene.click(button)
    assert not noise.visible
    assert not button.isChecked()
    assert scene.controller.asked == ["noise"]


def test_flip_disagreement_is_made_and_hidden(scene: Scene) -> None:
    scene.add()
    scene.run(DONE)
    scene.controller.checks_changed.emit(CheckReadings(3, 1.0, 0.0))
    button = scene.dock.checks.flips_button.native
    scene.click(button)
    assert scene.controller.asked == ["flips"]
    scene.controller.go(RUNNING)
    assert not button.isEnabled()
    flips = scene.viewer.add_image(np.zeros((4, 4)), metadata={"napari_tessera": "{}"})
    scene.controller.results.disagreement = (flips,)
    scene.controller.go(DONE)
    assert button.isEnabled()
    assert button.isChecked()
    scene.click(button)
    assert not flips.visible
    assert not button.isChecked()
    assert scene.controller.asked == ["flips"]


def test_a_model_for_each_channel_goes_into_the_request(scene: Scene) -> None:
    scene.add((2, 32, 32), axis_labels=("c", "y", "x"))
    channels = scene.dock.settings.model.channels
    assert channels.isVisible()
    channels.box.value = True
    channels.choosers[0].value = ""
    request = scene.until_reviewed()
    assert request is not None
    assert request.channel_models == ((1, "builtin:denoise2d"),)
    assert request.source == {1: "builtin:denoise2d"}
    channels.choosers[1].value = ""
    assert not scene.button.isEnabled()
    assert scene.button.toolTip() == "Choose a model for a channel: none is denoised"
    assert channels.parent().message.message == scene.button.toolTip()
    scene.add((32, 32))
    assert not channels.isVisible()
    assert scene.button.isEnabled()


def test_reset_sets_back_all_but_the_image(scene: Scene, tmp_path: Path) -> None:
    layer = scene.add()
    fields = scene.dock.settings
    fields.model.value = "/data/model.pt"
    fields.area.value = EVERYTHING
    fields.tiles.patch_size = (64, 64)
    fields.save.path = tmp_path / "out"
    fields.advanced.intensity.range.value = "series"
    fields.image.axes = "SZYX"
    fields.advanced.set_open(True)
    scene.click(fields.advanced.copies.reset_button)
    assert scene.dock.request() == RunRequest((layer,))


def test_the_sample_opens_with_one_click(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(
        type(scene.viewer), "open_sample", lambda self, *sample: opened.append(sample)
    )
    image = scene.dock.settings.image
    scene.click(image.sample_button)
    assert image.making.message == "Making the sample…"
    assert not image.sample_button.enabled
    scene.qtbot.waitUntil(lambda: bool(opened), timeout=30_000)
    assert image.making.isHidden()
    assert image.sample_button.enabled
    assert opened == [("napari-tessera", "noisy_2d")]
