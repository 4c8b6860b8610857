"""What a new user reads before the first click."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.first_steps import OPEN, FirstSteps
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import DONE

WAIT_MS = 60_000


@pytest.fixture
def dock(make_napari_viewer: Any) -> DenoiseDock:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    return dock


def line(dock: DenoiseDock) -> Any:
    steps = dock.findChild(FirstSteps)
    assert steps is not None
    return steps.line


def test_it_tells_what_to_do_until_it_was_done_once(dock: DenoiseDock, qtbot: QtBot) -> None:
    assert line(dock).isVisible()
    assert line(dock).message == OPEN
    dock.viewer.add_image(np.random.default_rng(0).poisson(100, (3, 64, 64)), name="cells")
    assert line(dock).message == "Denoises what is on screen into a new layer."
    dock.settings.area.value = EVERYTHING
    assert line(dock).message == "Denoises all of the image into a new layer."
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    dock.press_main()
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    assert line(dock).isHidden()
    dock.viewer.layers.clear()
    assert line(dock).isHidden()


def test_it_says_nothing_beside_what_is_wrong(
    dock: DenoiseDock, qtbot: QtBot, tmp_path: Path
) -> None:
    broken = tmp_path / "model.pt"
    broken.write_bytes(b"no model")
    dock.settings.model.value = str(broken)
    qtbot.waitUntil(dock.settings.model.message.isVisible, timeout=WAIT_MS)
    assert line(dock).isHidden()
    dock.viewer.add_image(np.random.default_rng(0).poisson(100, (64, 64)), name="cells")
    assert dock.settings.model.message.isVisible()
    assert line(dock).isHidden()
    dock.settings.model.reset()
    assert line(dock).message == "Denoises what is on screen into a new layer."
    dock.settings.save.path = "https://example.org/cells.ome.zarr"
    assert line(dock).isHidden()


def test_two_clicks_take_a_newcomer_to_a_denoised_view(dock: DenoiseDock, qtbot: QtBot) -> None:
    qtbot.mouseClick(dock.settings.image.sample_button.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 2, timeout=WAIT_MS)
    assert line(dock).message == "Denoises what is on screen into a new layer."
    main = dock.run_row.main_button.native
    qtbot.waitUntil(main.isEnabled, timeout=WAIT_MS)
    qtbot.mouseClick(main, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    assert dock.viewer.layers[-1].name == "noisy cells_denoised"
