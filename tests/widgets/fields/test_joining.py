from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.joining import JoiningFields


@pytest.fixture
def fields(qtbot: QtBot) -> JoiningFields:
    widget = JoiningFields(64)
    qtbot.addWidget(widget)
    return widget


def test_auto_says_what_it_comes_to(fields: JoiningFields) -> None:
    assert fields.joining.native.currentText() == "auto"
    fields.show_plan("linear", auto=True, exact=False, one_tile=False)
    assert fields.joining.native.currentText() == "auto (linear)"
    assert fields.blending == "auto"
    assert fields.joining_note.isHidden()


@pytest.mark.parametrize(
    ("chosen", "exact", "one_tile", "note"),
    [
        ("crop", True, False, ""),
        ("linear", True, False, "This model joins exactly by crop as well, in less memory."),
        ("gaussian", False, False, ""),
        ("crop", False, False, "The model looks at the whole tile: linear hides the seams."),
        ("linear", False, True, "One tile covers the image: nothing is joined."),
    ],
)
def test_a_choice_without_effect_says_so(
    fields: JoiningFields, chosen: str, exact: bool, one_tile: bool, note: str
) -> None:
    fields.joining.value = chosen
    fields.show_plan(chosen, auto=False, exact=exact, one_tile=one_tile)
    assert fields.joining_note.message == note
    assert fields.blending == chosen


def test_averaging_over_flips_says_what_it_costs(fields: JoiningFields, qtbot: QtBot) -> None:
    with qtbot.waitSignal(fields.changed):
        fields.flips.value = "median"
    assert fields.tta == "median"
    assert fields.flips_note.message == "8× slower."
    fields.reset()
    assert fields.tta == "none"
    assert fields.flips_note.isHidden()


def test_a_problem_stands_until_another_choice_is_made(fields: JoiningFields) -> None:
    fields.report("'linear' cannot be")
    assert fields.joining_note.message == "'linear' cannot be"
    fields.joining.value = "crop"
    assert fields.joining_note.isHidden()
