"""What exists where a result is to be saved: the question, its answers, and what can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.fields.conftest import layers, make_store

from napari_tessera.widgets.fields.save import SaveSection
from napari_tessera.widgets.place_problem import KEPT
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
    make_store(there.with_name("cells_2.ome.zarr"))
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
    # screen readers say it with the field
    assert save.path_entry.native.accessibleDescription() == save.message.message
    assert save.summary == "saved: cells.ome.zarr, float32"
    assert save.problem != ""


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
    save.set_layers(layers("a", "b", "c"), "")
    save.path = tmp_path / "out.ome.zarr"
    paths = [tmp_path / f"out_{name}.ome.zarr" for name in "abc"]
    for path in paths[:2]:
        make_store(path)
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


def test_what_planning_says_is_never_replaced_is_not_offered_to_be(
    save: SaveSection, there: Path
) -> None:
    save.path = there
    save.report(f"{there} holds the input, which is never changed: choose another name", KEPT)
    assert "holds the input" in save.problem
    row = save.exists_row
    shown = (row.rename_button, row.continue_button, row.overwrite_button)
    assert [button.native.isVisible() for button in shown] == [True, False, False]
