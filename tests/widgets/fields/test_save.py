"""Where a result is saved, and as what."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from tests.widgets.fields.conftest import layers, make_store

from napari_tessera.widgets.fields.save import SaveSection
from napari_tessera.widgets.place_problem import MISSING
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.writing.files.formats import FORMATS


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
    save.set_layers(layers("cells"), "uint8")
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


def test_several_layers_get_a_path_each(save: SaveSection, tmp_path: Path) -> None:
    save.set_layers(layers("a", "b"), "")
    save.path = tmp_path / "out.ome.zarr"
    assert save.summary == "2 files, float32"
    assert save.problem == ""
    make_store(tmp_path / "out_b.ome.zarr")
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
    save.path = "/data/" + "a" * 5000
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
    save.set_layers(layers("cells"), "int32")
    save.path = tmp_path / "a.tif"
    assert save.problem == ""
    save.same_dtype = True
    assert "TIFF holds no int32" in save.problem
    assert save.how.message.message == save.problem
    assert save.message.isHidden()
    assert save.summary == save.problem
    save.how.format.native.setCurrentText("OME-TIFF")
    assert save.problem == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/data/a.zarr.zip", "a zip cannot be gone on with"),
        ("s3://bucket/a.zarr", "only a folder of this computer"),
        ("/data/a\0b.npy", "/data/a\N{SYMBOL FOR NULL}b.npy: no name holds the invisible"),
        ("/data/.ome.zarr", "has no name: add one, like /data/NAME.ome.zarr"),
    ],
)
def test_what_the_dock_does_not_write_says_who_does(
    save: SaveSection, text: str, told: str
) -> None:
    save.path = text
    assert told in save.problem
    assert save.target is None


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
    save.set_layers(layers("a", "b", "c"), "")
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


def test_an_empty_folder_is_free(save: SaveSection, tmp_path: Path) -> None:
    (tmp_path / "a.ome.zarr").mkdir()
    save.path = tmp_path / "a.ome.zarr"
    assert save.problem == ""
    assert save.exists_row.isHidden()
    (tmp_path / "b.npy").mkdir()
    save.path = tmp_path / "b.npy"
    assert save.problem == "Exists: rename, or Overwrite"


def test_what_was_saved_is_not_offered_to_the_next_image(save: SaveSection, tmp_path: Path) -> None:
    first, second = layers("a", "b")
    save.set_layers([first], "uint16")
    path = tmp_path / "a.ome.zarr"
    save.path = path
    save.set_layers([second], "uint16")
    assert save.path == path, "nothing was saved there yet"
    save.set_layers([first], "uint16")
    target = save.target
    save.set_last_run(target, going_on=True, done=False)
    make_store(path)
    save.set_last_run(target, going_on=False, done=True)
    assert save.summary.startswith("saved: a.ome.zarr")
    first.name = "renamed"
    save.set_layers([first], "uint16")
    assert save.path == path
    save.set_layers([second], "uint16")
    save.set_last_run(target, going_on=False, done=False)
    assert (save.path, save.problem, save.summary) == (None, "", "not saved, in memory")
    save.set_layers([first], "uint16")
    save.set_last_run(target, going_on=False, done=True)
    assert save.path == path
    assert save.summary.startswith("saved: a.ome.zarr")
