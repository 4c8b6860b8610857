"""How a network learns can be set in the dock, and what is set is what is trained with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from safetensors import safe_open

from napari_tessera.training import TrainingSettings
from napari_tessera.training.errors import TrainingError
from napari_tessera.widgets.training.learning import LearningFields

from .conftest import Window, blocks


@pytest.fixture
def fields(qtbot: QtBot) -> LearningFields:
    widget = LearningFields(68)
    qtbot.addWidget(widget)
    return widget


def test_what_nobody_touches_is_left_to_the_software(fields: LearningFields) -> None:
    assert fields.chosen == {}
    fields.set_method("supervised")
    fields.set_channels(True)
    assert fields.chosen == {}


@pytest.mark.parametrize(
    ("method", "field", "value"),
    [
        ("supervised", "loss", "l1"),
        ("n2v", "schedule", "plateau"),
        ("n2v2", "precision", "float32"),
        ("n2v", "independent_channels", False),
        ("n2v", "learning_rate", 0.002),
        ("n2v", "masked_percent", 1.5),
        ("supervised", "validation_percent", 0),
        ("n2v", "patience", 4),
    ],
)
def test_each_setting_is_taken_and_reset(
    fields: LearningFields, method: str, field: str, value: Any
) -> None:
    fields.set_method(method)
    fields.set_channels(True)
    if field in fields.choosers:
        fields.choosers[field].value = value
    else:
        fields.numbers[field].value = str(value)
    assert fields.chosen == {field: value}
    assert getattr(TrainingSettings(method=method, **fields.chosen), field) == value
    fields.reset()
    assert fields.chosen == {}


def test_what_does_not_apply_is_neither_open_nor_taken(fields: LearningFields) -> None:
    fields.set_method("supervised")
    fields.choosers["loss"].value = "l1"
    fields.set_method("n2v")
    assert fields.chosen == {}
    assert not fields.choosers["loss"].native.isEnabled()
    fields.numbers["masked_percent"].value = "2"
    assert fields.chosen == {"masked_percent": 2.0}
    fields.set_method("supervised")
    assert fields.chosen == {}
    assert not fields.choosers["independent_channels"].native.isEnabled()


@pytest.mark.parametrize(
    ("field", "typed"), [("learning_rate", "fast"), ("patience", "2.5"), ("masked_percent", "1,5")]
)
def test_what_is_no_number_names_its_field(fields: LearningFields, field: str, typed: str) -> None:
    fields.numbers[field].value = typed
    with pytest.raises(TrainingError, match=f"{typed!r} is no") as caught:
        _ = fields.chosen
    assert caught.value.field == field


def test_turning_can_be_left_out_with_the_mouse(fields: LearningFields, qtbot: QtBot) -> None:
    fields.show()
    qtbot.waitExposed(fields)
    with qtbot.waitSignal(fields.changed):
        box = fields.augment_box.native
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(6, box.height() // 2))
    assert fields.chosen == {"augment": False}


def test_what_is_set_is_trained_with_and_what_cannot_be_is_told_in_its_place(
    window: Window,
) -> None:
    window.viewer.add_image(blocks()[0], name="cells")
    window.small(steps=4)
    learning = window.dock.advanced.learning
    learning.numbers["validation_percent"].value = "80"
    window.wait(lambda: "50" in learning.messages["validation_percent"].message)
    assert window.dock.reason
    learning.numbers["validation_percent"].value = "20"
    learning.numbers["learning_rate"].value = "0.0005"
    window.wait(lambda: not window.dock.reason)
    window.train()
    window.until("done")
    with safe_open(window.models / "cells_n2v.safetensors", "pt") as file:
        settings = json.loads(file.metadata()["napari_tessera"])["training"]["settings"]
    assert (settings["validation_percent"], settings["learning_rate"]) == (20.0, 0.0005)
