from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_tessera.widgets.fields.save import SaveSection
from napari_tessera.widgets.place_problem import KEPT, MISSING
from napari_tessera.widgets.place_report import (
    FINISHED,
    FIXED,
    FREE,
    OTHER_RUN,
    REPLACEABLE,
    RESUMABLE,
    WRITTEN,
    PlaceReport,
)
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.writing.files.formats import FORMATS


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
    assert save.how.type.native.itemText(1) == "same as input (uint16)"
    save.same_dtype = True
    save.set_layers(["cells"], "uint8")
    assert save.target == SaveTarget(tmp_path / "out.ome.zarr", same_dtype=True)
    assert save.how.type.native.currentText() == "same as input (uint8)"


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
    assert save.problem == "Exists: rename, Resume, or Overwrite"
    assert save.message.message == save.problem
    assert save.summary == save.problem
    row = save.exists_row
    for button in (row.rename_button, row.continue_button, row.overwrite_button):
        assert button.native.isVisible()


def test_rename_takes_a_free_name(save: SaveSection, qtbot: QtBot, there: Path) -> None:
    there.with_name("cells_2.ome.zarr").mkdir()
    save.path = there
    qtbot.mouseClick(save.exists_row.rename_button.native, Qt.MouseButton.LeftButton)
    assert save.path == there.with_name("cells_3.ome.zarr")
    assert save.problem == ""
    assert not save.exists_row.rename_button.native.isVisible()


@pytest.mark.parametrize("answer", ["continue", "overwrite"])
def test_an_answer_counts_until_it_is_taken_back(
    save: SaveSection, qtbot: QtBot, there: Path, answer: str
) -> None:
    save.path = there
    button = getattr(save.exists_row, f"{answer}_button").native
    with qtbot.waitSignal(save.changed):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert save.problem == ""
    assert save.target == SaveTarget(there, if_exists=answer)
    assert button.isChecked()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert save.problem != ""


def test_only_one_answer_at_a_time(save: SaveSection, there: Path) -> None:
    save.path = there
    save.exists_row.continue_button.native.click()
    save.exists_row.overwrite_button.native.click()
    assert not save.exists_row.continue_button.native.isChecked()
    assert save.target == SaveTarget(there, if_exists="overwrite")


def test_an_answer_is_for_one_path_and_for_one_run(save: SaveSection, there: Path) -> None:
    save.path = there
    save.exists_row.overwrite_button.native.click()
    save.set_run(going_on=True, done=False)
    assert save.problem == ""
    assert not save.exists_row.overwrite_button.native.isVisible()
    save.set_run(going_on=False, done=False)
    assert save.problem != ""
    save.exists_row.overwrite_button.native.click()
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
    save.exists_row.rename_button.native.click()
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


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("a.ome.zarr", "OME-Zarr"),
        ("a.zarr", "OME-Zarr"),
        ("a.ome.tif", "OME-TIFF"),
        ("a.OME.TIFF", "OME-TIFF"),
        ("a.tif", "TIFF"),
        ("a.npy", "npy"),
    ],
)
def test_the_format_follows_a_typed_ending(
    save: SaveSection, qtbot: QtBot, tmp_path: Path, typed: str, label: str
) -> None:
    with qtbot.waitSignal(save.changed):
        qtbot.keyClicks(save.path_entry.native, str(tmp_path / typed))
    assert save.how.format.native.currentText() == label
    assert save.path == tmp_path / typed
    assert save.target is not None
    assert save.target.file_format.label == label


@pytest.mark.parametrize("label", ["OME-TIFF", "TIFF", "npy", "OME-Zarr"])
def test_the_ending_follows_a_chosen_format(
    save: SaveSection, qtbot: QtBot, tmp_path: Path, label: str
) -> None:
    save.path = tmp_path / "cells.v2"
    combo = save.how.format.native
    with qtbot.waitSignal(save.changed) if label != "OME-Zarr" else nullcontext():
        combo.setCurrentText(label)
    chosen = save.how.chosen
    assert chosen.label == label
    assert save.path == tmp_path / f"cells.v2{chosen.ending}"
    assert save.path_entry.native.text() == str(save.path)
    combo.setCurrentText("OME-Zarr")
    assert save.path == tmp_path / "cells.v2.ome.zarr"


def test_a_name_without_an_ending_gets_that_of_the_format_chosen(
    save: SaveSection, qtbot: QtBot, tmp_path: Path
) -> None:
    save.how.format.native.setCurrentText("TIFF")
    edit = save.path_entry.native
    qtbot.keyClicks(edit, str(tmp_path / "out"))
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.text() == str(tmp_path / "out.tif")
    assert save.how.chosen.label == "TIFF"


def test_each_format_has_its_compressions(save: SaveSection, tmp_path: Path) -> None:
    combo = save.how.compression.native
    offered = {}
    for known in FORMATS:
        save.how.format.native.setCurrentText(known.label)
        offered[known.label] = [combo.itemText(i) for i in range(combo.count())]
        assert combo.isEnabled() == (combo.count() > 1)
        assert combo.accessibleName() == "Compression"
    assert offered["OME-Zarr"] == ["zstd", "lz4", "gzip", "none"]
    assert offered["OME-TIFF"] == ["zlib", "lzw", "none"]
    assert offered["TIFF"] == offered["npy"] == ["none"]
    save.path = tmp_path / "a.ome.tif"
    combo.setCurrentText("lzw")
    assert save.target == SaveTarget(tmp_path / "a.ome.tif", compression="lzw")


def test_what_is_written_when_all_is_done_says_so(save: SaveSection, tmp_path: Path) -> None:
    assert save.how.when.isHidden()
    save.path = tmp_path / "a.npy"
    assert (save.how.when.message, save.how.when.level) == ("Written when all is done.", "muted")
    save.path = tmp_path / "a.zarr"
    assert save.how.when.isHidden()


def test_a_type_that_a_format_lacks_is_told_beside_it(save: SaveSection, tmp_path: Path) -> None:
    save.set_layers(["cells"], "int32")
    save.path = tmp_path / "a.tif"
    assert save.problem == ""
    save.same_dtype = True
    assert "TIFF holds no int32" in save.problem
    assert save.how.message.message == save.problem
    assert save.message.isHidden()
    assert save.summary == save.problem
    save.how.format.native.setCurrentText("OME-TIFF")
    assert save.problem == ""


def test_a_file_is_renamed_or_overwritten(save: SaveSection, tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    path.write_bytes(b"")
    save.path = path
    assert save.problem == "Exists: rename, or Overwrite"
    assert not save.exists_row.continue_button.native.isVisible()
    save.exists_row.rename_button.native.click()
    assert save.path == tmp_path / "a_2.ome.tif"


def test_an_unfinished_run_of_the_same_settings_is_resumed(
    save: SaveSection, qtbot: QtBot, there: Path
) -> None:
    save.path = there
    save.show_places([PlaceReport(there, RESUMABLE, 1200, 4000)])
    assert save.problem == ""
    assert save.resumes
    assert save.message.message == "1,200 of 4,000 tiles are in cells.ome.zarr: Resume goes on."
    assert save.message.level == "good"
    assert save.exists_row.continue_button.native.isChecked()
    assert save.target == SaveTarget(there, if_exists="continue")
    qtbot.mouseClick(save.exists_row.overwrite_button.native, Qt.MouseButton.LeftButton)
    assert not save.resumes
    assert save.target == SaveTarget(there, if_exists="overwrite")
    save.ask_again()
    assert save.problem == "Exists: rename, Resume, or Overwrite"
    assert not save.resumes


def test_a_run_of_other_settings_says_what_differs_and_lends_them(
    save: SaveSection, qtbot: QtBot, there: Path
) -> None:
    save.path = there
    differs = "tile size 64×64 there, 128×128 now"
    save.show_places([PlaceReport(there, OTHER_RUN, 3, 8, differs)])
    assert save.problem == f"Exists, 3 of 8 tiles, with {differs}"
    row = save.exists_row
    assert not row.settings_button.native.isVisible()
    plan = {"fingerprint_of": {"patch_size": [64, 64]}}
    save.show_places([PlaceReport(there, OTHER_RUN, 3, 8, differs, plan=plan)])
    with qtbot.waitSignal(save.settings_wanted) as wanted:
        qtbot.mouseClick(row.settings_button.native, Qt.MouseButton.LeftButton)
    assert wanted.args == [plan]
    assert not save.exists_row.continue_button.native.isVisible()
    save.go_on_with(there)
    save.show_places([PlaceReport(there, OTHER_RUN, 3, 8, "tile size")])
    assert save.problem == "Exists, 3 of 8 tiles, with tile size"
    save.exists_row.overwrite_button.native.click()
    assert save.problem == ""


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ((WRITTEN, 1, 2, "cells.ome.zarr is being written by another process"), "being written"),
        ((FIXED, 0, 0, "", "it holds labels, so it stays: rename"), "so it stays: rename"),
    ],
)
def test_what_cannot_be_replaced_can_only_be_renamed(
    save: SaveSection, there: Path, report: tuple[Any, ...], told: str
) -> None:
    save.path = there
    save.show_places([PlaceReport(there, *report)])
    assert told in save.problem
    save.go_on_with(there)
    save.show_places([PlaceReport(there, *report)])
    assert told in save.problem
    assert not save.exists_row.overwrite_button.native.isVisible()
    assert save.exists_row.rename_button.native.isVisible()


def test_several_layers_are_resumed_where_all_can_be(save: SaveSection, tmp_path: Path) -> None:
    save.set_layers(["a", "b", "c"], "")
    save.path = tmp_path / "out.ome.zarr"
    paths = [tmp_path / f"out_{name}.ome.zarr" for name in "abc"]
    for path in paths[:2]:
        path.mkdir()
    save.refresh()
    reports = [
        PlaceReport(paths[0], FINISHED, 9, 9),
        PlaceReport(paths[1], RESUMABLE, 2, 9),
        PlaceReport(paths[2], FREE),
    ]
    save.show_places(reports)
    assert save.resumes
    assert save.message.message == "11 of 18 tiles are in 2 files: Resume goes on."
    save.show_places([PlaceReport(paths[0], REPLACEABLE), *reports[1:]])
    assert save.problem == "Exists: rename, or Overwrite"


def test_reports_of_other_places_count_for_nothing(save: SaveSection, there: Path) -> None:
    save.path = there
    save.show_places([PlaceReport(there.with_name("old.zarr"), RESUMABLE, 1, 2)])
    assert not save.resumes
    assert save.problem == "Exists: rename, Resume, or Overwrite"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/data/a.zarr.zip", "a zip cannot be gone on with"),
        ("s3://bucket/a.zarr", "only a folder of this computer"),
        ("/data/.ome.zarr", "has no name: add one, like /data/NAME.ome.zarr"),
    ],
)
def test_what_the_dock_does_not_write_says_who_does(
    save: SaveSection, text: str, told: str
) -> None:
    save.path = text
    assert told in save.problem
    assert save.target is None


def test_what_planning_says_is_never_replaced_is_not_offered_to_be(
    save: SaveSection, there: Path
) -> None:
    save.path = there
    save.report(f"{there} holds the input, which is never changed: choose another name", KEPT)
    assert "holds the input" in save.problem
    row = save.exists_row
    shown = (row.rename_button, row.continue_button, row.overwrite_button)
    assert [button.native.isVisible() for button in shown] == [True, False, False]


def test_the_whole_path_is_told_where_only_a_name_was_typed(
    save: SaveSection, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edit = save.path_entry.native
    qtbot.keyClicks(edit, "plain")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.text() == str(tmp_path / "plain.ome.zarr")
    assert "plain.ome.zarr" in edit.toolTip()
    assert save.message.isHidden()
    edit.clear()
    qtbot.keyClicks(edit, "pic.png")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert save.path == tmp_path / "pic.png.ome.zarr"
    assert (save.message.message, save.message.level) == (
        "Nothing is saved as .png here: it is OME-Zarr, named pic.png.ome.zarr.",
        "muted",
    )
    assert save.problem == ""
    save.path = tmp_path / "other.ome.zarr"
    assert save.message.isHidden()


def test_names_made_for_several_layers_are_told(save: SaveSection, tmp_path: Path) -> None:
    save.set_layers(["a", "b", "c"], "")
    save.path = tmp_path / "out.ome.tif"
    told = "Saved as out_a.ome.tif, out_b.ome.tif and 1 more."
    assert (save.message.message, save.message.level) == (told, "muted")
    assert "out_c.ome.tif" in save.path_entry.native.toolTip()


def test_a_result_that_waits_on_disk_is_not_in_memory(save: SaveSection) -> None:
    save.show_places((), "21 GB are more than half of the free memory: kept in /tmp")
    assert save.summary == "not saved, on disk while open"
    assert save.path_entry.native.placeholderText() == save.summary
    assert save.message.message.startswith("21 GB are more than half")
    save.show_places(())
    assert save.summary == save.path_entry.native.placeholderText() == "not saved, in memory"


def test_return_has_it_looked_at_again(save: SaveSection, qtbot: QtBot, tmp_path: Path) -> None:
    save.path = tmp_path / "no" / "out.ome.zarr"
    save.report("folder no does not exist: create it", MISSING)
    with qtbot.waitSignal(save.changed):
        qtbot.keyClick(save.path_entry.native, Qt.Key.Key_Return)
    assert save.problem == ""
    assert save.message.isHidden()
