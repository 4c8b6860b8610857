"""How trainings end in the dock that trains, and what is left for the next one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from tests.widgets.training.conftest import Window, blocks

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.typing_rest import REST_MS
from napari_tessera.widgets.training.controller import DONE, FAILED, PAUSED

# a window of its own for each test, for a minute in all
pytestmark = pytest.mark.slow

PREVIEW = "cells training preview"


def stopped(window: Window) -> None:
    """Train a few steps, and cancel."""
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.click(window.view.second)
    window.until(PAUSED)


def test_a_failure_is_read_without_opening_anything_and_can_be_tried_again(window: Window) -> None:
    marks = window.viewer.add_labels(np.zeros((64, 64), int), name="nowhere")
    window.open()
    advanced = window.dock.advanced
    advanced.where.value = marks
    assert not advanced.is_open
    # typed this very moment, and clicked before the keys have rested
    window.train()
    window.until(FAILED)
    window.qtbot.wait(2 * REST_MS)
    message = advanced.messages["mask"]
    assert message.isVisible()
    assert "nothing is marked" in message.message
    window.wait(lambda: not message.visibleRegion().isEmpty())
    # the way out is to mark something
    marks.data[...] = 1
    window.train()
    window.until(DONE)
    assert not message.message


def test_what_is_wrong_with_the_place_is_scrolled_to(window: Window, tmp_path: Path) -> None:
    window.open()
    save = window.dock.advanced.save
    save.path = tmp_path / "m.safetensors"
    window.dock.resize(300, 300)
    window.wait(lambda: window.view.main.isEnabled())
    window.dock.controller.problem_found.emit(problem("model_out", "no space left"))
    assert save.message.message == "no space left"
    window.wait(lambda: not save.message.visibleRegion().isEmpty())


def problem(field: str, message: str) -> Any:
    from napari_tessera.widgets.reports import FieldProblem

    return FieldProblem(field, message)


def test_another_image_of_the_same_name_does_not_go_on_and_loses_nothing(window: Window) -> None:
    layer = window.open()
    stopped(window)
    kept = window.models / "cells_n2v.safetensors.training"
    before = kept.read_bytes()
    window.viewer.layers.remove(layer)
    window.open(blocks(seed=5)[0])
    window.wait(lambda: "Continue training" in window.view.main.text())
    assert window.view.kept.message.endswith("Continue training goes on")
    window.click(window.view.main)
    window.until(FAILED)
    assert "was on another image" in window.view.kept.message
    assert "cells_n2v_2" in window.view.kept.message
    assert window.view.main.text() == "▶ Train"
    assert not window.view.second.isVisible()
    window.train()
    window.until(DONE)
    assert (window.models / "cells_n2v_2.safetensors").exists()
    assert kept.read_bytes() == before


def test_a_state_that_cannot_be_read_is_told_and_left_alone(window: Window) -> None:
    window.models.mkdir()
    kept = window.models / "cells_n2v.safetensors.training"
    kept.write_text("nonsense")
    window.open()
    window.wait(lambda: "no state of a training" in window.view.kept.message)
    assert window.view.main.text() == "▶ Train"
    window.train()
    window.until(DONE)
    assert (window.models / "cells_n2v_2.safetensors").exists()
    assert kept.read_text() == "nonsense"


def test_axes_are_asked_for_where_channels_are_a_guess(window: Window) -> None:
    field = window.dock.image
    window.open(blocks((4, 64, 64))[0])
    assert "4 channels" in field.making.message
    assert field.axes_button.isChecked()
    assert field._axes_edit.isVisible()
    field.axes = "ZYX"
    assert not field.making.message
    window.viewer.add_image(blocks((3, 64, 64))[0], axis_labels=("c", "y", "x"), name="told")
    assert field.letters == "CYX"
    assert not field.making.message
    assert not field.axes_button.isChecked()


def test_after_stop_and_use_it_is_said_what_was_made(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.click(window.view.main)
    window.until(DONE)
    window.wait(lambda: "Continue training" in window.view.main.text())
    assert window.view.kept.message.startswith("Trained ")
    # what is said of one image is not said of the next
    window.viewer.add_image(blocks(seed=1)[0], name="others")
    window.wait(lambda: window.view.main.text() == "▶ Train")
    assert window.view.curve.isHidden()
    window.viewer.layers.remove("cells")
    assert not window.view.use_button.native.isVisible()


def test_the_name_typed_for_one_model_gives_that_of_the_next(
    window: Window, tmp_path: Path
) -> None:
    window.open()
    window.dock.advanced.save.path = tmp_path / "mine.safetensors"
    for number in ("", "_2"):
        path = tmp_path / f"mine{number}.safetensors"
        assert window.dock.advanced.save.path == path
        window.train()
        window.until(DONE)
        assert path.exists()
        assert not window.dock.reason


def test_the_preview_ends_with_what_the_model_makes_of_the_view(window: Window) -> None:
    from napari_tessera import load_model, predict

    image, _ = blocks()
    image[50, 50] = np.nan
    layer = window.open(image)
    camera_of(window.viewer).zoom *= 0.8
    window.train()
    window.until(DONE)
    assert "1 pixel is NaN or infinite, the first at Y=50 X=50" in window.view.notices.message
    # what a thread does with warnings, as loading a model, holds for all threads
    window.wait(lambda: PREVIEW in window.viewer.layers and not window.dock.preview.at_work)
    with pytest.warns(UserWarning, match="NaN"):
        made = predict(
            layer.data, load_model(window.models / "cells_n2v.safetensors", device="cpu")
        )
    window.wait(
        lambda: np.allclose(window.viewer.layers[PREVIEW].data, made, atol=1e-3, equal_nan=True)
    )


def test_a_preview_that_is_cleared_away_afterwards_is_there_next_time(window: Window) -> None:
    window.open()
    window.train()
    window.until(DONE)
    window.wait(lambda: PREVIEW in window.viewer.layers and not window.dock.preview.at_work)
    window.viewer.layers.clear()
    window.open()
    window.train()
    window.viewer.layers.clear()
    window.until(PAUSED, DONE)
    QApplication.processEvents()
    assert window.view.preview_box.value
    assert window.dock.preview.is_on


def test_why_it_waits_stands_below_the_button(window: Window) -> None:
    denoise = DenoiseDock(window.viewer)
    window.viewer.window.add_dock_widget(denoise, name="Denoise", area="right")
    window.open()
    assert not window.view.waiting.message
    denoise.hold_back("somebody", "files are being denoised")
    assert window.view.waiting.message == "files are being denoised"
    assert not window.view.main.isEnabled()
    denoise.hold_back("somebody", "")
    assert not window.view.waiting.message
    denoise.shut_down()


def test_tab_goes_through_the_fields_as_they_are_read(window: Window) -> None:
    from tests.widgets.test_accessible import FIELDS, check_names, has_tip, place, shown, words

    window.open()
    dock: Any = window.dock
    dock.advanced.set_open(True)
    dock.image.axes_button.setChecked(True)
    window.qtbot.wait(50)
    check_names(dock)
    assert [words(field) for field in shown(dock, FIELDS) if not has_tip(field)] == []
    fields = [field for field in shown(dock, FIELDS) if field.isEnabled()]
    window.dock.window().activateWindow()
    fields[0].setFocus(Qt.FocusReason.TabFocusReason)
    window.qtbot.waitUntil(fields[0].hasFocus)
    reached = [fields[0]]
    while len(reached) < 2 * len(fields):
        window.qtbot.keyClick(reached[-1], Qt.Key.Key_Tab)
        now = QApplication.focusWidget()
        if now is None or now is fields[0] or not dock.isAncestorOf(now):
            break
        reached.append(now)
    assert [words(field) for field in fields if field not in reached] == []
    backwards = [
        (words(one), words(other))
        for one, other in pairwise(reached)
        if place(other, dock).center().y() < place(one, dock).top()
    ]
    assert backwards == []


def test_nothing_is_cut_at_320_px(window: Window) -> None:
    from tests.widgets.test_accessible import cut, faint, narrow

    window.open()
    window.train()
    window.until(DONE)
    dock: Any = window.dock
    dock.advanced.set_open(True)
    narrow(dock, window.qtbot)
    assert dock.width() <= 320
    assert cut(dock) == []
    for theme in ("light", "dark"):
        window.viewer.theme = theme
        QApplication.processEvents()
        assert faint(dock, theme) == []
