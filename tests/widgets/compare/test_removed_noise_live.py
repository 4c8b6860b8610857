"""Removed noise of a live preview, in a real window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import WAIT_MS, Blur, noisy

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.preview.live import LivePreview
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE

LEFT = Qt.MouseButton.LeftButton


def wanted_noise(source: Any, output: Any) -> Any:
    return np.asarray(source.data, np.float32) - np.asarray(output.data)


@pytest.mark.slow
def test_that_of_a_run_follows_the_preview_that_takes_its_layer(
    make_napari_viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    source = viewer.add_image(noisy((3, 64, 64)), name="cells", axis_labels=("t", "y", "x"))
    camera_of(viewer).zoom = 2
    live = next(part for part in dock._parts if isinstance(part, LivePreview))

    def noise() -> Any:
        return viewer.layers["cells_removed_noise"]

    def wait(condition: Any) -> None:
        qtbot.waitUntil(condition, timeout=WAIT_MS)

    settings: dict[str, Any] = {"patch_size": (64, 64), "device": "cpu"}
    viewer.dims.set_current_step(0, 0)
    dock.start(RunRequest((source,), Blur(), **settings))
    wait(lambda: dock.controller.state == DONE)
    qtbot.mouseClick(dock.checks.noise_button.native, LEFT)
    assert np.isfinite(noise().data[0]).all()
    wait(lambda: not dock.reason())
    request = RunRequest((source,), Blur(), area=EVERYTHING, **settings)
    monkeypatch.setattr(type(dock.settings), "request_to_review", lambda self: request)
    qtbot.mouseClick(live.controls.button, LEFT)
    wait(lambda: bool(live.outputs) and bool(live.outputs[0].done()))
    viewer.dims.set_current_step(0, 2)
    output = live.outputs[0].layer
    wait(lambda: bool(np.isfinite(np.asarray(output.data[2])).all()))
    np.testing.assert_array_equal(np.asarray(noise().data), wanted_noise(source, output))
    assert dock.checks.noise_button.native.isChecked()
    # what is on the canvas, too
    wait(lambda: bool(np.isfinite(noise()._data_view).all()))
    qtbot.mouseClick(dock.checks.noise_button.native, LEFT)
    assert not noise().visible
    assert not dock.checks.noise_button.native.isChecked()
