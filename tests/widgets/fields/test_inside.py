"""The layer that says where to denoise: offered, followed, and every edit of it noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Shapes
from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.inside import InsideRow

SQUARE = np.array([[5.0, 5], [5, 20], [20, 20], [20, 5]])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def row(qtbot: QtBot, viewer: ViewerModel) -> InsideRow:
    row = InsideRow(viewer.layers)
    qtbot.addWidget(row)
    row.show()
    events = viewer.layers.events
    for emitter in (events.inserted, events.removed, events.renamed, events.reordered):
        emitter.connect(lambda event=None: row.refresh_choices())
    return row


def names(row: InsideRow) -> list[str]:
    combo = row.chooser.native
    return [combo.itemText(i) for i in range(combo.count())]


def test_layers_come_and_go_and_are_renamed(viewer: ViewerModel, row: InsideRow) -> None:
    assert row.value is None
    assert row.draw_button.native.isVisible()
    viewer.add_image(np.zeros((30, 30)))
    viewer.add_points(np.zeros((1, 2)))
    assert names(row) == []
    marks = viewer.add_shapes([SQUARE], name="marks")
    assert row.value is marks
    assert not row.draw_button.native.isVisible()
    cells = viewer.add_labels(np.zeros((30, 30), int), name="nuclei")
    viewer.add_shapes(name="ours", metadata={"napari_tessera_frame": True})
    assert names(row) == ["marks", "nuclei"]
    assert row.value is marks, "what was chosen stays"
    marks.name = "cell bodies"
    assert names(row) == ["cell bodies", "nuclei"]
    assert row.value is marks
    viewer.layers.remove(marks)
    assert row.value is cells
    viewer.layers.remove(cells)
    assert row.value is None
    assert row.problem.startswith("Add a Shapes or Labels layer")


def test_a_layer_that_is_selected_comes_before_others(qtbot: QtBot, viewer: ViewerModel) -> None:
    first = viewer.add_shapes([SQUARE])
    viewer.add_shapes([SQUARE])
    viewer.layers.selection = {first}
    row = InsideRow(viewer.layers)
    qtbot.addWidget(row)
    assert row.value is first


def _undo(layer: Any) -> None:
    layer.paint((5, 5), 1)
    layer.undo()


def _remove(layer: Any) -> None:
    layer.selected_data = {0}
    layer.remove_selected()


EDITS: dict[str, tuple[type, Callable[[Any], object]]] = {
    "a shape added": (Shapes, lambda layer: layer.add(SQUARE + 5)),
    "a shape removed": (
        Shapes,
        lambda layer: (layer.selected_data.add(0), layer.remove_selected()),
    ),
    "all replaced": (Shapes, lambda layer: setattr(layer, "data", [SQUARE + 9])),
    "painted": (Labels, lambda layer: layer.paint((5, 5), 1)),
    "filled": (Labels, lambda layer: layer.fill((5, 5), 3)),
    "taken back": (Labels, _undo),
    "other labels": (Labels, lambda layer: setattr(layer, "data", np.ones((30, 30), int))),
    "scaled": (Shapes, lambda layer: setattr(layer, "scale", (2, 2))),
    "moved": (Labels, lambda layer: setattr(layer, "translate", (5, 5))),
    "turned": (Shapes, lambda layer: setattr(layer, "rotate", 30)),
    "transformed": (Labels, lambda layer: setattr(layer, "affine", np.diag([2.0, 2, 1]))),
}


def made(viewer: ViewerModel, kind: type) -> Any:
    if kind is Shapes:
        return viewer.add_shapes([SQUARE, SQUARE + 3])
    return viewer.add_labels(np.zeros((30, 30), int))


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_another_version(
    qtbot: QtBot, viewer: ViewerModel, row: InsideRow, edit: str
) -> None:
    kind, change = EDITS[edit]
    layer = made(viewer, kind)
    before = row.version
    with qtbot.waitSignal(row.changed):
        change(layer)
    assert row.version > before
    row.watch.release()
    before = row.version
    change(layer)
    assert row.version == before


def test_taking_back_is_noticed_by_itself(viewer: ViewerModel, row: InsideRow) -> None:
    layer = made(viewer, Labels)
    layer.paint((5, 5), 1)
    before = row.version
    layer.undo()
    assert row.version == before + 1
    layer.redo()
    assert row.version == before + 2


def test_looks_and_sliders_are_no_edit(viewer: ViewerModel, row: InsideRow) -> None:
    viewer.add_image(np.zeros((4, 30, 30)))
    for kind in (Shapes, Labels):
        layer = made(viewer, kind)
        row.value = layer
        before = row.version
        layer.opacity = 0.3
        layer.visible = False
        layer.visible = True
        layer.name = "other"
        viewer.dims.set_current_step(0, 2)
        layer.mode = "pan_zoom"
        assert row.version == before


def test_a_layer_that_is_not_chosen_is_not_followed(viewer: ViewerModel, row: InsideRow) -> None:
    first, second = made(viewer, Shapes), made(viewer, Labels)
    row.value = second
    before = row.version
    first.add(SQUARE)
    assert row.version == before
