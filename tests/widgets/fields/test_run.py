from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.widgets.fields.main_action import CONTINUE, START, MainAction
from napari_tessera.widgets.fields.run import COMES_BACK, RunRow
from napari_tessera.widgets.reports import RunProgress
from napari_tessera.widgets.run_state import DONE, IDLE, PLANNING, RUNNING, STOPPED, STOPPING

PROGRESS = RunProgress("cells", 1, 1, 6, 12, 4.2, 1.5, 0.1, "model")


@pytest.fixture
def row(qtbot: QtBot) -> RunRow:
    row = RunRow("Ctrl+Shift+D")
    qtbot.addWidget(row)
    row.show()
    return row


def test_the_main_button_tells_its_key_or_why_it_cannot_be_clicked(
    row: RunRow, qtbot: QtBot
) -> None:
    button = row.main_button.native
    row.set_action(MainAction("start", "Denoise this view"), "")
    assert button.text().endswith("Denoise this view")
    assert button.toolTip() == "Denoise this view (Ctrl+Shift+D)"
    with qtbot.waitSignal(row.pressed):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    row.set_action(MainAction("start", "Denoise this view"), "overlap Y: 57 is odd")
    assert button.toolTip() == "overlap Y: 57 is odd"
    with qtbot.assertNotEmitted(row.pressed):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_stop_can_be_clicked_and_stopping_cannot(row: RunRow) -> None:
    row.set_action(MainAction("stop", "Stop"), "")
    assert row.main_button.native.isEnabled()
    row.set_action(MainAction("wait", "Stopping…"), "")
    assert not row.main_button.native.isEnabled()


def test_the_estimate_is_there_once_it_is_known(row: RunRow, qtbot: QtBot) -> None:
    button = row.estimate_button.native
    assert not button.isVisible()
    row.set_estimate("Everything: 126,000 tiles ~2 h 21 GB")
    assert button.isVisible()
    with qtbot.waitSignal(row.everything_wanted):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_progress_row_is_there_during_a_run_and_after_stop(row: RunRow) -> None:
    assert not row.progress_shown
    row.show_state(PLANNING)
    assert row.progress_shown
    assert row.label.text() == "Preparing…"
    assert row.bar.native.maximum() == 0
    row.show_state(RUNNING)
    row.show_progress(PROGRESS, RUNNING)
    assert row.label.text() == "6/12 tiles · 4 s left"
    assert row.bar.native.value() == 500
    row.show_state(STOPPING)
    assert row.label.text() == "6/12 tiles · stopping"
    row.show_state(STOPPED)
    assert row.label.text() == "6/12 tiles · stopped"
    row.show_state(DONE)
    assert not row.progress_shown


def test_what_was_stopped_before_its_first_tile_shows_no_progress(row: RunRow) -> None:
    row.show_state(PLANNING)
    row.show_state(STOPPED)
    assert not row.progress_shown
    row.show_state(IDLE)
    assert not row.progress_shown


def test_a_stopped_run_can_start_over(row: RunRow, qtbot: QtBot) -> None:
    row.show_state(RUNNING)
    row.show_progress(PROGRESS, RUNNING)
    row.show_state(STOPPED)
    row.set_action(MainAction("start", "Denoise again"), "")
    assert not row.start_over_button.native.isVisible()
    row.set_action(MainAction("continue", "Continue"), "")
    assert row.start_over_button.native.isVisible()
    with qtbot.waitSignal(row.start_over):
        qtbot.mouseClick(row.start_over_button.native, Qt.MouseButton.LeftButton)


def test_what_the_model_waits_for_stands_below_the_row(row: RunRow) -> None:
    row.show_state(RUNNING)
    row.show_progress(PROGRESS, RUNNING)
    assert row.held_up.isHidden()
    slow = replace(PROGRESS, bottleneck="read")
    row.show_progress(slow, RUNNING)
    assert row.held_up.message == "Reading the image takes longest: the model waits."
    assert "takes longest: reading the image" in row.label.toolTip()
    row.set_aside(True)
    assert row.held_up.isHidden()
    row.set_aside(False)
    row.show_progress(slow, RUNNING)
    assert not row.held_up.isHidden()
    row.show_state(DONE)
    assert row.held_up.isHidden()


def test_a_warning_stands_there_once_and_many_are_counted(row: RunRow) -> None:
    row.set_settings_warnings(("a", "b"))
    row.add_run_warning("a")
    assert row.warnings.message == "a\nb"
    row.set_settings_warnings("abcdef")
    assert row.warnings.message.splitlines()[-1] == "and 2 more: see the tooltip"
    assert row.warnings.toolTip() == "\n".join("abcdef")
    row.set_settings_warnings(())
    row.forget_run_warnings()
    assert row.warnings.isHidden()


def test_a_failure_stands_below_the_button(row: RunRow) -> None:
    row.set_failure("the model ran out of memory: use smaller tiles")
    assert row.failure.level == "error"
    row.set_failure("")
    assert row.failure.isHidden()


def test_where_a_run_is_saved_is_told_though_another_place_is_typed(row: RunRow) -> None:
    row.set_action(MainAction("stop", "Stop"), "")
    row.set_saved_to(Path("/data/run.ome.zarr"))
    assert (row.kept.message, row.kept.level) == ("This run is saved to run.ome.zarr.", "muted")
    row.set_saved_to(None)
    assert row.kept.isHidden()
    row.set_kept("3 of 8 tiles are in run.ome.zarr")
    row.set_action(MainAction("start", "Denoise again"), "")
    assert row.kept.message == "3 of 8 tiles are in run.ome.zarr."
    row.set_action(MainAction("continue", "Continue"), "")
    assert row.kept.message == "3 of 8 tiles are in run.ome.zarr: Continue goes on."


def test_what_was_done_stands_until_it_is_taken_back(row: RunRow) -> None:
    row.set_kept("3 of 8 tiles are in run.ome.zarr")
    row.set_done("Done: 4 tiles in 6 s")
    assert (row.kept.message, row.kept.level) == ("Done: 4 tiles in 6 s.", "good")
    row.set_done("")
    assert row.kept.message == "3 of 8 tiles are in run.ome.zarr."


def test_an_estimate_of_everything_does_not_stand_above_its_own_progress(row: RunRow) -> None:
    row.set_estimate("Everything: 12 tiles ~4 s")
    row.set_of_all(True)
    assert not row.estimate_button.native.isHidden()
    row.show_state(PLANNING, "layer 2/3 · ")
    assert row.label.text() == "layer 2/3 · preparing…"
    assert row.estimate_button.native.isHidden()
    row.set_of_all(False)
    assert not row.estimate_button.native.isHidden()


def test_the_bar_has_nothing_to_count_while_workers_get_ready(row: RunRow) -> None:
    begins = replace(PROGRESS, done=0, getting_ready=True)
    row.show_state(RUNNING)
    row.show_progress(begins, RUNNING)
    assert row.label.text() == "Workers get ready…"
    assert row.bar.native.maximum() == 0
    row.show_progress(begins, STOPPING)
    assert row.label.text() == "0/12 tiles · stopping"
    assert row.bar.native.maximum() == 1000


def test_a_stopped_run_s_progress_goes_with_its_continue(row: RunRow) -> None:
    row.show_state(RUNNING)
    row.show_progress(RunProgress("a", 1, 1, 5, 49, None, None, None, None), RUNNING)
    row.show_state(STOPPED)
    row.set_action(MainAction(CONTINUE, "Continue"), "", can_resume=True)
    assert row.progress_shown
    assert row.comes_back.isHidden()
    row.set_action(MainAction(START, "Denoise again"), "", can_resume=True)
    assert not row.progress_shown
    assert row.comes_back.message == COMES_BACK
