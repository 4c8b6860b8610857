"""The area: what is offered for an image, and what a request gets of it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.area import AreaField
from napari_tessera.widgets.fields.channels import PICK, SHOWN
from napari_tessera.widgets.request import EVERYTHING, INSIDE, SLICE, VIEW, VOLUME

SQUARE = np.array([[5.0, 5], [5, 20], [20, 20], [20, 5]])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def field(qtbot: QtBot, viewer: ViewerModel) -> AreaField:
    field = AreaField(viewer)
    qtbot.addWidget(field)
    field.show()
    return field


def offered(field: AreaField) -> list[str]:
    combo = field.chooser.native
    return [combo.itemText(i) for i in range(combo.count())]


def test_the_areas_from_small_to_large(qtbot: QtBot, viewer: ViewerModel, field: AreaField) -> None:
    assert offered(field) == [VIEW, SLICE, EVERYTHING, INSIDE]
    assert field.value == VIEW
    with qtbot.waitSignal(field.changed):
        field.value = EVERYTHING
    assert field.value == EVERYTHING
    volume = viewer.add_image(np.zeros((3, 40, 40)))
    field.show_image([volume], "ZYX", 1)
    assert offered(field) == [VIEW, SLICE, VOLUME, EVERYTHING, INSIDE]
    assert field.value == EVERYTHING
    assert VOLUME in field.chooser.tooltip


def test_a_volume_is_offered_only_of_an_image_that_has_one(
    qtbot: QtBot, viewer: ViewerModel, field: AreaField
) -> None:
    layer = viewer.add_image(np.zeros((3, 40, 40)))
    field.show_image([layer], "ZYX", 1)
    field.value = VOLUME
    with qtbot.waitSignal(field.changed):
        field.show_image([layer], "TYX", 1)
    assert offered(field) == [VIEW, SLICE, EVERYTHING, INSIDE]
    assert field.value == SLICE


def test_of_a_single_plane_the_slice_is_everything_and_comes_back_with_the_next_stack(
    viewer: ViewerModel, field: AreaField
) -> None:
    stack = viewer.add_image(np.zeros((3, 40, 40)))
    plane = viewer.add_image(np.zeros((40, 40)))
    colours = viewer.add_image(np.zeros((40, 40, 3), np.uint8), rgb=True)
    field.show_image([stack], "TYX", 1)
    field.value = SLICE
    for layer, axes in ((plane, "YX"), (colours, "YXC")):
        field.show_image([layer], axes, 1)
        assert offered(field) == [VIEW, EVERYTHING, INSIDE]
        assert field.value == EVERYTHING
    field.show_image([stack], "TYX", 1)
    assert field.value == SLICE
    field.show_image([plane, stack], "", 1)
    assert SLICE in offered(field)
    field.show_image([plane], "YX", 1)
    field.value = VIEW
    field.show_image([stack], "TYX", 1)
    assert field.value == VIEW


def test_a_problem_stands_there_until_another_area_is_chosen(field: AreaField) -> None:
    field.report("nothing of cells is in view: move it into view, or choose This slice")
    assert field.message.isVisible()
    assert field.chooser.native.property("wrong") == "true"
    field.value = SLICE
    assert not field.message.isVisible()
    assert field.chooser.native.property("wrong") == "false"


def test_without_shapes_it_says_what_to_do_and_a_button_does_it(
    qtbot: QtBot, viewer: ViewerModel, field: AreaField
) -> None:
    layer = viewer.add_image(np.zeros((3, 40, 40)), scale=(2, 0.5, 0.25), translate=(0, 10, 20))
    field.show_image([layer], "ZYX", 1)
    assert not field.inside_row.isVisible()
    field.value = INSIDE
    assert field.inside_row.draw_button.native.isVisible()
    assert not field.inside_row.chooser.native.isVisible()
    assert field.problem == field.message.message
    assert field.message.message.startswith("Add a Shapes or Labels layer")
    assert field.message.level == "muted", "nothing is wrong yet"
    viewer.layers.events.inserted.connect(lambda event: field.refresh_choices())
    with qtbot.waitSignal(field.changed):
        field.inside_row.draw_button.native.click()
    drawn = viewer.layers[-1]
    assert field.inside is drawn
    assert (drawn.mode, drawn.ndim) == ("add_polygon", 2)
    assert viewer.layers.selection.active is drawn
    np.testing.assert_allclose(drawn.data_to_world((4, 8)), layer.data_to_world((0, 4, 8))[1:])
    assert field.problem == ""
    assert not field.message.isVisible()


def test_shapes_and_channels_are_part_of_the_area_only_where_they_count(
    viewer: ViewerModel, field: AreaField
) -> None:
    marks = viewer.add_shapes([SQUARE])
    layer = viewer.add_image(np.zeros((4, 40, 40)))
    field.show_image([layer], "CYX", 4)
    field.refresh_choices()
    assert (field.inside, field.inside_version, field.channels) == (None, 0, None)
    field.value = INSIDE
    assert field.inside is marks
    assert field.inside_version > 0
    row = field.channels_row
    assert row.isVisible()
    row.chooser.value = SHOWN
    viewer.dims.set_current_step(0, 2)
    assert field.channels == (2,)
    row.chooser.value = PICK
    row.entry.value = "3,0"
    assert field.channels == (0, 3)
    field.reset()
    assert (field.value, field.channels, field.problem) == (VIEW, None, "")
    field.show_image([layer], "TYX", 1)
    assert not row.isVisible()


def test_another_channel_on_display_is_another_request(
    qtbot: QtBot, viewer: ViewerModel, field: AreaField
) -> None:
    layer = viewer.add_image(np.zeros((4, 40, 40)))
    field.show_image([layer], "CYX", 4)
    with qtbot.assertNotEmitted(field.changed):
        field.view_moved()
    field.channels_row.chooser.value = SHOWN
    with qtbot.waitSignal(field.changed):
        field.view_moved()


def test_channels_that_are_none_are_told(viewer: ViewerModel, field: AreaField) -> None:
    layer = viewer.add_image(np.zeros((4, 40, 40)))
    field.show_image([layer], "CYX", 4)
    row = field.channels_row
    row.chooser.value = PICK
    row.entry.value = "7"
    assert "there is no channel 7: give numbers from 0 to 3" in field.problem
    with pytest.raises(ValueError, match="no channel 7"):
        _ = field.channels
