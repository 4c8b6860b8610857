"""The dock in a real window, clicked and typed into; what runs is told by a stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject, QPoint, Qt
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget

from napari_tessera.models import DeviceInfo
from napari_tessera.models.processing import MEAN
from napari_tessera.prediction import CheckReadings, PredictionPlan, RunSettings
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.stacks import LayerStack
from napari_tessera.widgets import dock as dock_module
from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.dock import WIDTH, DenoiseDock
from napari_tessera.widgets.fields import advanced as advanced_module
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.model_chooser import BUILTIN
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.reports import FieldProblem, PlanReview, RunProgress
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW, RunRequest
from napari_tessera.widgets.results import Results, hide
from napari_tessera.widgets.review_timer import REST_MS
from napari_tessera.widgets.run_state import (
    BUSY,
    DONE,
    FAILED,
    IDLE,
    PLANNING,
    RUNNING,
    STOPPED,
    STOPPING,
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


@pytest.fixture
def scene(make_napari_viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(dock_module, "RunController", StandIn)
    monkeypatch.setattr(
        advanced_module, "_devices", lambda: [DeviceInfo("cpu", "CPU", 12_000_000_000)]
    )
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    controller = dock.controller
    assert isinstance(controller, StandIn)
    return Scene(viewer, dock, controller, qtbot)


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
    assert scene.dock.checks.rows.rows["intensity"].value.text() == "99.8 %"
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


def test_settings_are_looked_at_once_they_rest(scene: Scene) -> None:
    layer = scene.add()
    before = len(scene.controller.reviewed)
    for choice in (SLICE, EVERYTHING, VIEW, SLICE):
        scene.dock.settings.area.value = choice
    assert scene.until_reviewed() == RunRequest((layer,), area=SLICE)
    assert len(scene.controller.reviewed) == before + 1


def test_what_is_wrong_stands_beside_its_field_and_stops_the_button(scene: Scene) -> None:
    scene.add()
    tiles = scene.dock.settings.tiles
    scene.click(tiles.header)
    edit = tiles.overlap_entry.entries["Y"].edit
    scene.qtbot.keyClicks(edit, "57")
    scene.qtbot.waitUntil(lambda: "57 is odd: use 56 or 58" in tiles.overlap_message.message)
    assert tiles.overlap_message.isVisible()
    assert not scene.button.isEnabled()
    assert "57 is odd" in scene.button.toolTip()
    scene.qtbot.waitUntil(lambda: scene.controller.reviewed[-1] is None)
    scene.dock.press_main()
    assert scene.controller.asked == ["grid True"]
    edit.selectAll()
    scene.qtbot.keyClicks(edit, "58")
    scene.qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert scene.button.isEnabled()
    assert not tiles.overlap_message.isVisible()
    reviewed = scene.until_reviewed()
    assert reviewed is not None
    assert reviewed.overlaps == (58, 56)


def test_each_problem_has_its_place(scene: Scene) -> None:
    scene.add((8, 8))
    fields = scene.dock.settings
    for field, message in (
        ("image", fields.image.message),
        ("axes", fields.image.message),
        ("model", fields.model.message),
        ("area", fields.area.message),
        ("patch_size", fields.tiles.size_message),
        ("overlaps", fields.tiles.overlap_message),
        ("save", fields.save.message),
        ("batch_size", fields.advanced.batch_message),
        ("normalization", fields.advanced.intensity.message),
    ):
        scene.controller.problem_changed.emit(FieldProblem(field, "7 is above 3: use 3"))
        assert message.message == "7 is above 3: use 3"
        shown = [label.message for label in scene.dock.findChildren(Message) if _says(label)]
        assert shown == ["7 is above 3: use 3"]
        assert not scene.button.isEnabled()
        assert scene.button.toolTip() == "7 is above 3: use 3"
        scene.controller.problem_changed.emit(None)
        assert scene.button.isEnabled()
        assert message.isHidden()


def _says(message: Message) -> bool:
    return message.level == "error"


def test_what_was_out_of_view_is_looked_at_again_when_the_view_moves(scene: Scene) -> None:
    scene.add()
    scene.controller.problem = FieldProblem("area", "nothing of cells is in view")
    scene.dock.settings.advanced.intensity.range.value = "series"
    scene.until_reviewed()
    scene.controller.problem = None
    scene.viewer.scene.camera.center = (0, 5, 5)
    scene.until_reviewed()
    assert scene.button.isEnabled()


def test_nothing_is_looked_at_while_a_run_goes_on(scene: Scene) -> None:
    scene.add()
    scene.run(RUNNING)
    before = len(scene.controller.reviewed)
    scene.dock.settings.area.value = SLICE
    assert scene.text == "Stop"
    scene.qtbot.wait(2 * REST_MS)
    assert len(scene.controller.reviewed) == before
    scene.run(DONE)
    scene.until_reviewed()


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


def test_axes_are_asked_for_only_where_the_answer_matters(scene: Scene) -> None:
    image = scene.dock.settings.image
    scene.add((20, 32, 32), name="a")
    assert not image.axes_entry.native.isVisible()
    scene.controller.spatial_dims = 3
    scene.add((20, 32, 32), name="labelled", axis_labels=("z", "y", "x"))
    assert not image.axes_entry.native.isVisible()
    scene.add((20, 32, 32), name="b")
    assert image.axes_entry.native.isVisible()


def test_a_3d_model_asks_for_the_axis_that_it_misses(scene: Scene) -> None:
    scene.controller.problem = FieldProblem(
        "model", "the model m is 3D (ZYX), the image CYX has no Z: use a 2D model"
    )
    scene.add((4, 32, 32))
    assert scene.dock.settings.image.axes_entry.native.isVisible()


def test_a_model_that_cannot_be_loaded_asks_for_no_axes(scene: Scene) -> None:
    scene.controller.problem = FieldProblem("model", "m.pt cannot be loaded: it is empty. Check it")
    scene.add((4, 32, 32))
    assert not scene.dock.settings.image.axes_entry.native.isVisible()


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
    there.mkdir()
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
    there.mkdir()
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
    there.mkdir()
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


def test_what_is_known_of_the_model_opens_below_it(scene: Scene) -> None:
    model = scene.dock.settings.model
    scene.click(model.about_button)
    scene.qtbot.waitUntil(lambda: model.about.info is not None, timeout=20_000)
    assert model.about.isVisible()
    assert ("Kind", "built-in model") in model.about.lines
    assert not model.about.test_button.native.isVisible()
    scene.click(model.about_button)
    assert not model.about.isVisible()


def test_without_an_image_a_model_that_cannot_be_loaded_is_told_too(
    scene: Scene, tmp_path: Path
) -> None:
    model = scene.dock.settings.model
    model.value = tmp_path / "none.pt"
    scene.qtbot.waitUntil(lambda: bool(model.message.message), timeout=20_000)
    assert model.message.message.startswith("none.pt cannot be loaded: ")
    # a look at settings without an image finds nothing, and leaves it
    scene.qtbot.waitUntil(lambda: scene.controller.reviewed[-1:] == [None])
    assert model.message.message.startswith("none.pt cannot be loaded: ")
    model.value = BUILTIN
    assert model.message.message == ""


def test_a_refused_model_is_told_during_a_run_too(scene: Scene, tmp_path: Path) -> None:
    scene.add()
    scene.run(RUNNING)
    model = scene.dock.settings.model
    model.value = tmp_path / "none.pt"
    scene.qtbot.waitUntil(lambda: bool(model.message.message), timeout=20_000)
    assert model.message.message.startswith("none.pt cannot be loaded: ")
    assert scene.text == "Stop"
    assert scene.button.isEnabled()


def test_what_was_wrong_with_other_settings_holds_nothing_back(scene: Scene) -> None:
    scene.add()
    fields = scene.dock.settings
    scene.controller.problem_changed.emit(FieldProblem("model", "no model"))
    assert not scene.button.isEnabled()
    fields.model.value = "other.pt"
    assert scene.button.isEnabled()
    assert "no model" not in scene.button.toolTip()
    fields.model.value = BUILTIN
    scene.controller.problem_changed.emit(FieldProblem("overlaps", "overlap Y 57 is too much"))
    assert not scene.button.isEnabled()
    entry = fields.tiles.overlap_entry.entries["Y"]
    scene.click(fields.tiles.header)
    entry.edit.selectAll()
    scene.qtbot.keyClicks(entry.edit, "58")
    scene.qtbot.keyClick(entry.edit, Qt.Key.Key_Return)
    assert scene.button.isEnabled()


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


def test_warnings_stand_beside_what_they_are_about(scene: Scene) -> None:
    seams = "overlap {} 16 is less than the model needs: expect seams"
    scene.controller.warnings = (seams.format("Y"), seams.format("X"), "old", "few planes")
    scene.controller.model_warnings = ("old",)
    scene.add()
    fields = scene.dock.settings
    assert scene.dock.run_row.warnings.message == "few planes"
    assert fields.model.warnings.message == "old"
    assert fields.tiles.overlap_warning.message == seams.format("Y").replace(" Y", "")
    assert fields.tiles.summary == fields.tiles.overlap_warning.message
    fields.tiles.set_open(True)
    assert fields.tiles.summary.startswith("256×256")


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


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_at_its_width(scene: Scene, theme: str, tmp_path: Path) -> None:
    scene.viewer.theme = theme
    dock, fields = scene.dock, scene.dock.settings
    scene.controller.spatial_dims = 3
    scene.controller.warnings = ("a_long_word_" * 12,)
    scene.add((20, 32, 32), name="a_very_long_layer_name_" * 4)
    scene.run(RUNNING)
    scene.controller.progress_changed.emit(PROGRESS)
    scene.controller.checks_changed.emit(CheckReadings(3, 1.234, -0.567))
    scene.run(STOPPED, can_resume=True)
    fields.model.value = "/data/" + "long_folder_name/" * 10 + "model.pt"
    fields.model.report("/data/" + "long_folder_name/" * 10 + "model.pt cannot be loaded: no. Do")
    fields.save.path = tmp_path / ("long_name_" * 12)
    (tmp_path / ("long_name_" * 12 + ".ome.zarr")).mkdir()
    fields.save.refresh()
    for section in (fields.tiles, fields.save, fields.advanced):
        section.set_open(True)
    dock.resize(WIDTH, dock.height())
    QApplication.processEvents()
    view, content = dock.column.viewport(), dock.column.content
    assert view is not None
    assert dock.column.minimumSizeHint().width() <= WIDTH
    assert content.width() <= view.width()
    for child in content.findChildren(QWidget):
        if child.isVisible():
            right = child.mapTo(content, QPoint(child.width(), 0)).x()
            assert right <= content.width(), (type(child).__name__, child.accessibleName())


def test_every_field_can_be_reached_with_the_keyboard_in_order(scene: Scene) -> None:
    scene.add()
    fields = scene.dock.settings
    for section in (fields.tiles, fields.save, fields.advanced):
        section.set_open(True)
    QApplication.processEvents()
    reached: list[QWidget] = []
    widget: QWidget = fields.image.chooser.native
    while widget not in reached:
        reached.append(widget)
        following = widget.nextInFocusChain()
        while following is not None and not (
            following.isVisible()
            and following.isEnabled()
            and following.focusPolicy() & Qt.FocusPolicy.TabFocus
        ):
            following = following.nextInFocusChain()
        assert following is not None
        widget = following
        if not scene.dock.isAncestorOf(widget):
            break
    tops = [w.mapTo(scene.dock.column.content, QPoint(0, 0)).y() for w in reached]
    assert tops == sorted(tops)
    for wanted in (
        fields.model.main.combo,
        fields.area.chooser.native,
        scene.button,
        fields.tiles.header,
        fields.tiles.overlap_entry.entries["X"].edit,
        fields.save.path_entry.native,
        fields.advanced.copies.reset_button.native,
    ):
        assert wanted in reached


def test_every_field_has_a_name_for_those_who_do_not_see_it(scene: Scene) -> None:
    scene.add()
    for section in (scene.dock.settings.tiles, scene.dock.settings.save):
        section.set_open(True)
    for child in scene.dock.column.content.findChildren(QWidget):
        if child.isVisible() and child.focusPolicy() & Qt.FocusPolicy.TabFocus:
            named = child.accessibleName() or getattr(child, "text", str)()
            assert named or isinstance(child.parent(), QLineEdit), type(child).__name__


def test_taken_out_of_the_window_it_lets_go_of_the_viewer(scene: Scene) -> None:
    layer = scene.add()
    scene.run(RUNNING)
    scene.viewer.window.remove_dock_widget(scene.dock)
    assert scene.controller.asked[-1:] == ["stop"]
    assert not scene.viewer.keymap
    before = len(scene.controller.reviewed)
    scene.viewer.layers.remove(layer)
    scene.viewer.add_image(np.zeros((4, 4)))
    scene.viewer.theme = "light"
    scene.dock.shut_down()
    assert len(scene.controller.reviewed) == before


def test_destroyed_with_its_window_it_leaves_nothing_behind(scene: Scene) -> None:
    layer = scene.add()
    with scene.qtbot.waitSignal(scene.dock.destroyed):
        scene.dock.deleteLater()
    layer.data = np.zeros((4, 4))
    scene.viewer.layers.remove(layer)
    scene.viewer.theme = "light"
    assert not scene.viewer.keymap


def test_napari_opens_it_from_the_manifest(make_napari_viewer: Any, qtbot: QtBot) -> None:
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    assert isinstance(dock, DenoiseDock)
    assert dock.request() is None
