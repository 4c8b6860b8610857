from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_tessera.widgets.fields.save import SaveSection
from napari_tessera.widgets.request import SaveTarget


@pytest.fixture
def save(qtbot: QtBot) -> SaveSection:
    section = SaveSection()
    qtbot.addWidget(section)
    section.set_layers(["cells"], "uint16")
    section.show()
    section.set_open(True)
    return section


@pytest.fixture
def there(tmp_path: Path) -> Path:
    path = tmp_path / "cells.ome.zarr"
    path.mkdir()
    return path


def test_at_first_nothing_is_saved(save: SaveSection) -> None:
    assert save.target is None
    assert save.summary == "not saved, in memory"
    assert save.problem == ""


def test_a_name_gets_the_ending_of_its_format(
    save: SaveSection, qtbot: QtBot, tmp_path: Path
) -> None:
    edit = save.path_entry.native
    with qtbot.waitSignal(save.changed):
        qtbot.keyClicks(edit, str(tmp_path / "out"))
    assert save.target == SaveTarget(tmp_path / "out.ome.zarr")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.text() == str(tmp_path / "out.ome.zarr")
    assert save.summary == "out.ome.zarr, float32"


def test_a_plain_zarr_name_stays(save: SaveSection, tmp_path: Path) -> None:
    save.path = tmp_path / "out.zarr"
    assert save.path == tmp_path / "out.zarr"


def test_the_type_of_the_input_is_named(save: SaveSection, tmp_path: Path) -> None:
    save.path = tmp_path / "out"
    assert save.type.native.itemText(1) == "same as input (uint16)"
    save.same_dtype = True
    save.set_layers(["cells"], "uint8")
    assert save.target == SaveTarget(tmp_path / "out.ome.zarr", same_dtype=True)
    assert save.type.native.currentText() == "same as input (uint8)"


def test_the_button_asks_where_without_asking_to_overwrite(
    save: SaveSection, qtbot: QtBot, there: Path
) -> None:
    qtbot.mouseClick(save.browse_button.native, Qt.MouseButton.LeftButton)
    dialog = save.window().findChild(QFileDialog)
    assert dialog is not None
    assert dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
    with qtbot.waitSignal(save.changed):
        dialog.fileSelected.emit(str(there))
    dialog.reject()
    assert save.path == there


def test_what_exists_is_a_question_with_its_answers_beside_it(
    save: SaveSection, there: Path
) -> None:
    save.path = there
    assert save.problem == "Exists: rename, Continue, or Overwrite"
    assert save.message.message == save.problem
    assert save.summary == save.problem
    for button in (save.rename_button, save.continue_button, save.overwrite_button):
        assert button.native.isVisible()


def test_rename_takes_a_free_name(save: SaveSection, qtbot: QtBot, there: Path) -> None:
    there.with_name("cells_2.ome.zarr").mkdir()
    save.path = there
    qtbot.mouseClick(save.rename_button.native, Qt.MouseButton.LeftButton)
    assert save.path == there.with_name("cells_3.ome.zarr")
    assert save.problem == ""
    assert not save.rename_button.native.isVisible()


@pytest.mark.parametrize("answer", ["continue", "overwrite"])
def test_an_answer_counts_until_it_is_taken_back(
    save: SaveSection, qtbot: QtBot, there: Path, answer: str
) -> None:
    save.path = there
    button = getattr(save, f"{answer}_button").native
    with qtbot.waitSignal(save.changed):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert save.problem == ""
    assert save.target == SaveTarget(there, if_exists=answer)
    assert button.isChecked()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert save.problem != ""


def test_only_one_answer_at_a_time(save: SaveSection, there: Path) -> None:
    save.path = there
    save.continue_button.native.click()
    save.overwrite_button.native.click()
    assert not save.continue_button.native.isChecked()
    assert save.target == SaveTarget(there, if_exists="overwrite")


def test_an_answer_is_for_one_path_and_for_one_run(save: SaveSection, there: Path) -> None:
    save.path = there
    save.overwrite_button.native.click()
    save.set_run(going_on=True, done=False)
    assert save.problem == ""
    assert not save.overwrite_button.native.isVisible()
    save.set_run(going_on=False, done=False)
    assert save.problem != ""
    save.overwrite_button.native.click()
    save.path = there.with_name("other.zarr")
    save.path = there
    assert save.problem != ""


def test_what_a_run_has_saved_is_no_error(save: SaveSection, there: Path) -> None:
    save.path = there
    save.set_run(going_on=True, done=False)
    save.set_run(going_on=False, done=True)
    assert save.message.level == "good"
    assert save.message.message.startswith("Saved.")
    assert save.summary == "saved: cells.ome.zarr, float32"
    assert save.problem != ""


def test_several_layers_get_a_path_each(save: SaveSection, tmp_path: Path) -> None:
    save.set_layers(["a", "b"], "")
    save.path = tmp_path / "out.ome.zarr"
    assert save.summary == "2 files, float32"
    assert save.problem == ""
    (tmp_path / "out_b.ome.zarr").mkdir()
    save.refresh()
    assert save.problem != ""
    save.rename_button.native.click()
    assert save.path == tmp_path / "out_2.ome.zarr"


def test_what_planning_found_is_shown_until_it_changes(save: SaveSection, tmp_path: Path) -> None:
    save.path = tmp_path / "out.ome.zarr"
    save.report("the folder cannot be written to: choose another")
    assert save.message.message.startswith("the folder")
    assert save.summary.startswith("the folder")
    save.path = tmp_path / "other.ome.zarr"
    assert save.message.isHidden()


def test_reset_saves_nothing(save: SaveSection, there: Path) -> None:
    save.path, save.same_dtype = there, True
    save.reset()
    assert save.target is None
    assert not save.same_dtype
    assert save.problem == ""


@pytest.mark.parametrize(
    "text", ["/", "..", "/data/", "~no_such_person_here/out"], ids=["root", "up", "folder", "home"]
)
def test_what_is_no_name_is_told(save: SaveSection, text: str) -> None:
    save.path = text
    assert save.problem.startswith(text)
    assert save.message.message == save.problem
    assert save.target is None


def test_an_unreadable_path_is_left_for_planning(save: SaveSection) -> None:
    save.path = "/data/a\0b"
    assert save.problem == ""
