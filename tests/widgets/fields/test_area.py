from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.area import AreaField
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW


def test_the_areas_from_small_to_large(qtbot: QtBot) -> None:
    field = AreaField()
    qtbot.addWidget(field)
    combo = field.chooser.native
    assert [combo.itemText(i) for i in range(combo.count())] == [VIEW, SLICE, EVERYTHING]
    assert field.value == VIEW
    with qtbot.waitSignal(field.changed):
        field.value = EVERYTHING
    assert field.value == EVERYTHING


def test_a_problem_stands_there_until_another_area_is_chosen(qtbot: QtBot) -> None:
    field = AreaField()
    qtbot.addWidget(field)
    field.report("nothing of cells is in view: move it into view, or choose This slice")
    assert not field.message.isHidden()
    field.value = SLICE
    assert field.message.isHidden()
