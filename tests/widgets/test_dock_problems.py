"""What is wrong with settings, image or model stands beside its field, as long as it is so."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from tests.widgets.dock_scene import Scene

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.model_chooser import BUILTIN
from napari_tessera.widgets.reports import FieldProblem
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW, RunRequest
from napari_tessera.widgets.review_timer import REST_MS
from napari_tessera.widgets.run_state import (
    DONE,
    RUNNING,
)


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
    camera_of(scene.viewer).center = (0, 5, 5)
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
