from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.intensity import IntensityFields


@pytest.fixture
def fields(qtbot: QtBot) -> IntensityFields:
    widget = IntensityFields(64)
    qtbot.addWidget(widget)
    return widget


def texts(fields: IntensityFields) -> list[str]:
    combo = fields.range.native
    return [combo.itemText(i) for i in range(combo.count())]


def test_the_models_own_range_is_offered_where_it_has_one(fields: IntensityFields) -> None:
    none = "none: grey levels as they are"
    assert texts(fields) == ["the model's", "each time point", "whole series", none]
    fields.range.value = "time_point"
    fields.set_auto("time_point")
    assert texts(fields) == ["each time point", "whole series", none]
    assert fields.normalization == "auto"
    fields.range.value = "series"
    fields.set_auto("model")
    assert texts(fields)[0] == "the model's"
    assert fields.normalization == "series"


def test_what_to_measure_on_is_asked_only_where_something_is_measured(
    fields: IntensityFields, qtbot: QtBot
) -> None:
    assert not fields.measured.native.isEnabled()
    assert "Nothing is measured" in fields.measured.native.toolTip()
    with qtbot.waitSignal(fields.changed):
        fields.range.value = "series"
    assert fields.measured.native.isEnabled()
    with qtbot.waitSignal(fields.changed):
        fields.measured.value = "exact"
    assert fields.statistics == "exact"
    fields.range.value = "none"
    assert not fields.measured.native.isEnabled()


def test_reset_leaves_both_to_the_software(fields: IntensityFields) -> None:
    fields.range.value, fields.measured.value = "series", "exact"
    fields.report("no pixels")
    fields.report("")
    fields.reset()
    assert (fields.normalization, fields.statistics) == ("auto", "sample")
    assert fields.message.isHidden()
