from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.widgets.fields.image import ImageField


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def field(viewer: ViewerModel, qtbot: QtBot) -> ImageField:
    field = ImageField(viewer.layers)
    qtbot.addWidget(field)
    viewer.layers.selection.events.changed.connect(lambda event: field.follow_selection())
    for name in ("inserted", "removed", "renamed", "reordered"):
        getattr(viewer.layers.events, name).connect(lambda event: field.refresh_choices())
    field.show()
    return field


def names(field: ImageField) -> list[str]:
    return [name for name, _ in field.chooser._widget._mgui_get_choices()]


def type_axes(field: ImageField, axes: str) -> None:
    field.axes_entry.value = axes
    field.axes_entry.native.editingFinished.emit()


def test_without_an_image_a_sample_is_offered(field: ImageField, qtbot: QtBot) -> None:
    assert field.layers == ()
    assert not field.chooser.native.isVisible()
    with qtbot.waitSignal(field.sample_wanted):
        qtbot.mouseClick(field.sample_button.native, Qt.MouseButton.LeftButton)


def test_a_new_image_is_chosen_and_told(
    field: ImageField, viewer: ViewerModel, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(field.changed):
        layer = viewer.add_image(np.zeros((60, 21, 32, 48), np.uint16), name="cells_GFP")
    assert field.layers == (layer,)
    assert field.summary.text() == "T60 Z21 Y32 X48 · uint16"
    assert field.dtype == "uint16"
    assert field.chooser.native.isVisible()
    assert not field.sample_button.native.isVisible()


def test_the_selection_of_the_layer_list_is_followed(
    field: ImageField, viewer: ViewerModel
) -> None:
    layers = [viewer.add_image(np.zeros((8, 8)), name=name) for name in "abc"]
    viewer.layers.selection = {layers[0]}
    assert field.layers == (layers[0],)
    viewer.layers.selection = set(layers)
    assert field.layers == tuple(layers)
    assert "3 layers selected" in names(field)
    viewer.layers.selection = {layers[1]}
    assert field.layers == (layers[1],)
    assert names(field) == ["a", "b", "c"]


def test_other_layers_and_our_own_are_neither_offered_nor_followed(
    field: ImageField, viewer: ViewerModel
) -> None:
    layer = viewer.add_image(np.zeros((8, 8)), name="a")
    viewer.add_labels(np.zeros((8, 8), int))
    viewer.add_image(np.zeros((8, 8)), name="ours", metadata={"napari_tessera": "{}"})
    viewer.add_image(np.zeros((8, 8)), name="noise", metadata={"napari_tessera_output": 1})
    assert field.layers == (layer,)
    assert names(field) == ["a"]


def test_a_renamed_layer_stays_chosen(field: ImageField, viewer: ViewerModel, qtbot: QtBot) -> None:
    viewer.add_image(np.zeros((8, 8)), name="a")
    layer = viewer.add_image(np.zeros((8, 8)), name="b")
    with qtbot.assertNotEmitted(field.changed):
        layer.name = "c"
    assert field.layers == (layer,)
    assert names(field) == ["a", "c"]


def test_when_the_chosen_layer_is_removed_another_takes_its_place(
    field: ImageField, viewer: ViewerModel
) -> None:
    first = viewer.add_image(np.zeros((8, 8)), name="a")
    second = viewer.add_image(np.zeros((8, 8)), name="b")
    viewer.layers.remove(second)
    assert field.layers == (first,)
    viewer.layers.remove(first)
    assert field.layers == ()
    assert field.sample_button.native.isVisible()


def test_other_data_under_the_same_name_is_told(
    field: ImageField, viewer: ViewerModel, qtbot: QtBot
) -> None:
    layer = viewer.add_image(np.zeros((8, 8)), name="a")
    with qtbot.waitSignal(field.changed):
        layer.data = np.zeros((5, 16, 16))
    assert field.summary.text() == "Z5 Y16 X16 · float64"
    with qtbot.waitSignal(field.changed):
        layer.axis_labels = ("time", "y", "x")
    assert field.summary.text() == "T5 Y16 X16 · float64"


def test_axes_can_be_told(field: ImageField, viewer: ViewerModel, qtbot: QtBot) -> None:
    viewer.add_image(np.zeros((20, 8, 8)), name="a")
    edit = field.axes_entry.native
    assert not edit.isVisible()
    qtbot.mouseClick(field.axes_button, Qt.MouseButton.LeftButton)
    assert edit.isVisible()
    assert edit.text() == "ZYX"
    assert field.axes is None
    edit.selectAll()
    with qtbot.waitSignal(field.changed):
        qtbot.keyClicks(edit, "tyx")
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert field.axes == "TYX"
    assert field.problem == ""
    assert field.summary.text() == "T20 Y8 X8 · float64"


def test_wrong_axes_are_told_with_a_way_out(field: ImageField, viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((4, 6, 8, 8)), name="a")
    field.axes = "TYX"
    assert field.message.message.startswith("TYX has 3 letters, the image 4 axes")
    assert field.message.message.endswith("add Z, C or S")
    type_axes(field, "TQYX")
    assert "'Q' is not an axis" in field.problem
    type_axes(field, "")
    assert field.axes is None
    assert field.message.isHidden()


def test_axes_told_for_one_layer_are_not_lost_among_several(
    field: ImageField, viewer: ViewerModel
) -> None:
    layers = [viewer.add_image(np.zeros((20, 8, 8)), name=name) for name in "ab"]
    viewer.layers.selection = {layers[0]}
    field.axes = "TYX"
    viewer.layers.selection = set(layers)
    assert "one by one" in field.problem
    field.axes = "TYX"
    assert field.problem == ""
    assert field.axes == "TYX"


def test_axes_are_asked_for_once_for_each_image(field: ImageField, viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((20, 8, 8)), name="a")
    assert field.axes_uncertain
    field.ask_for_axes()
    assert field.axes_button.isChecked()
    field.axes_button.setChecked(False)
    field.ask_for_axes()
    assert not field.axes_button.isChecked()
    viewer.add_image(np.zeros((20, 8, 8)), name="b")
    field.ask_for_axes()
    assert field.axes_button.isChecked()


@pytest.mark.parametrize(
    ("shape", "labels", "uncertain"),
    [
        ((8, 8), None, False),
        ((5, 8, 8), None, True),
        ((1, 8, 8), None, False),
        ((5, 8, 8), ("z", "y", "x"), False),
        ((5, 8, 8), ("time", "-2", "-1"), False),
        ((5, 8, 8), ("-3", "y", "x"), True),
    ],
)
def test_what_the_image_says_of_its_axes_is_certain(
    field: ImageField,
    viewer: ViewerModel,
    shape: tuple[int, ...],
    labels: tuple[str, ...] | None,
    uncertain: bool,
) -> None:
    viewer.add_image(np.zeros(shape), axis_labels=labels)
    assert field.axes_uncertain is uncertain


def test_colours_are_an_axis_but_no_question(field: ImageField, viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((32, 32, 3), np.uint8), rgb=True)
    assert field.summary.text() == "Y32 X32 C3 · uint8"
    assert not field.axes_uncertain


def test_a_multiscale_layer_is_its_full_size(field: ImageField, viewer: ViewerModel) -> None:
    data = np.zeros((64, 64))
    viewer.add_image([data, data[::2, ::2]], multiscale=True)
    assert field.summary.text() == "Y64 X64 · float64"


def test_released_it_listens_no_more(field: ImageField, viewer: ViewerModel, qtbot: QtBot) -> None:
    layer = viewer.add_image(np.zeros((8, 8)))
    field.watch.release()
    with qtbot.assertNotEmitted(field.changed):
        layer.data = np.zeros((4, 4))
