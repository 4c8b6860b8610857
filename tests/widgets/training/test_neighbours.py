"""Docks that denoise and docks that train in one window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.training.conftest import Window

from napari_tessera.widgets.actions import DockActions
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.model import TRAIN
from napari_tessera.widgets.model_reader import ModelChoice
from napari_tessera.widgets.run_state import BUSY, IDLE
from napari_tessera.widgets.run_state import DONE as DENOISED
from napari_tessera.widgets.training.controller import DONE, PAUSED
from napari_tessera.widgets.training.dock import TrainingDock
from napari_tessera.widgets.training.entry import TrainingEntry
from napari_tessera.widgets.training.neighbours import HELD, OTHER, training_docks

# a window of its own for each test, for a minute in all
pytestmark = pytest.mark.slow


@pytest.fixture
def denoise(window: Window) -> Any:
    dock = DenoiseDock(window.viewer)
    window.viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    yield dock
    dock.shut_down()
    window.wait(lambda: dock.controller.state not in BUSY)


def entry(dock: DenoiseDock) -> TrainingEntry:
    return next(part for part in dock._parts if isinstance(part, TrainingEntry))


def test_nothing_is_denoised_while_a_model_is_trained(window: Window, denoise: DenoiseDock) -> None:
    window.open()
    window.wait(lambda: not denoise.reason())
    window.small(steps=100_000)
    window.train()
    assert denoise.reason() == HELD
    assert entry(denoise).line.message == HELD
    DockActions(denoise).denoise()
    assert denoise.controller.state == IDLE
    window.steps_done(2)
    window.click(window.view.second)
    window.until(PAUSED)
    assert not denoise.reason()
    assert not entry(denoise).line.message


def test_a_dock_that_opens_later_waits_as_well(window: Window) -> None:
    window.open()
    window.small(steps=100_000)
    window.train()
    late = DenoiseDock(window.viewer)
    window.viewer.window.add_dock_widget(late, name="Denoise", area="right")
    assert late.reason() == HELD
    second = TrainingDock(window.viewer)
    window.viewer.window.add_dock_widget(second, name="Train too", area="right")
    assert second.reason == OTHER
    assert not second.view.main.isEnabled()
    window.click(window.view.second)
    window.until(PAUSED)
    assert not late.reason()
    assert second.reason != OTHER
    late.shut_down()
    second.shut_down()


def test_a_training_waits_for_what_else_goes_on(window: Window, denoise: DenoiseDock) -> None:
    window.open()
    window.wait(lambda: window.view.main.isEnabled())
    denoise.hold_back("files", "Files are denoised: wait")
    assert window.dock.reason == "Files are denoised: wait"
    assert not window.view.main.isEnabled()
    denoise.hold_back("files", "")
    assert window.view.main.isEnabled()


def test_the_list_of_models_leads_to_the_dock_that_trains(
    window: Window, denoise: DenoiseDock
) -> None:
    layer = window.open()
    window.viewer.add_image(np.ones((32, 32)), name="other")
    denoise.settings.image.layers = (layer,)
    before = denoise.settings.model.value
    combo = denoise.settings.model.main.combo
    combo.setCurrentIndex(combo.findText(TRAIN))
    assert denoise.settings.model.value == before
    assert window.dock.image.layers == (layer,)
    assert window.dock.isVisible()
    assert len(training_docks(window.viewer)) == 1


def test_one_click_denoises_with_what_was_trained(window: Window, denoise: DenoiseDock) -> None:
    layer = window.open()
    window.train()
    window.until(DONE)
    model = str(window.models / "cells_n2v.safetensors")
    assert denoise.settings.model.value == model
    assert denoise.settings.model.main.combo.currentText() == "cells_n2v.safetensors"
    window.click(window.view.use_button)
    window.wait(lambda: denoise.controller.state == DENOISED)
    assert denoise.controller.request.model == model
    assert denoise.controller.request.layers == (layer,)
    assert "cells_denoised" in window.viewer.layers
    assert denoise.settings.sole_model_choice == ModelChoice(model, "auto", "float32")


def test_the_dock_that_denoises_is_opened_where_there_is_none(window: Window) -> None:
    window.open()
    window.train()
    window.until(DONE)
    window.click(window.view.use_button)
    docks = [d for d in window.viewer.window.dock_widgets.values() if isinstance(d, DenoiseDock)]
    assert len(docks) == 1
    # the menu would open a second one under this name
    assert window.viewer.window.dock_widgets["Denoise (Tessera)"] is docks[0]
    window.wait(lambda: docks[0].controller.state == DENOISED)
    docks[0].shut_down()


def test_a_dock_that_a_script_opened_is_used(window: Window) -> None:
    from napari_tessera.widgets.docking import opened_dock

    docked, dock = window.viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    found = opened_dock(window.viewer, "Denoise", DenoiseDock)
    dock.shut_down()
    assert found == (docked, dock)


def test_a_closed_dock_holds_nobody_back(window: Window, denoise: DenoiseDock) -> None:
    window.open()
    window.small(steps=100_000)
    window.train()
    window.steps_done(1)
    window.viewer.window.remove_dock_widget(window.dock)
    assert denoise.controller.held_back == ""
