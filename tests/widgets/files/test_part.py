"""*Files…* in the dock of a real napari window, beside runs over layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from tests.prediction.several.folders import noise
from tests.widgets.conftest import GatedBlur

from napari_tessera.models import load_model
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.files.part import FILES_RUN, LAYER_RUNS, FilesPart

WAIT_MS = 30_000
LEFT = Qt.MouseButton.LeftButton


def test_files_and_layers_are_not_denoised_at_once(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    part = next(part for part in dock._parts if isinstance(part, FilesPart))
    gate = GatedBlur()
    model = load_model(gate, device="cpu")
    model.geometry  # noqa: B018
    monkeypatch.setattr(dock.models, "get", lambda *asked: model)
    viewer.add_image(noise((70, 90)).astype(np.float32))

    qtbot.mouseClick(part.button, LEFT)
    window = part.window
    assert window is not None
    window.options.open_results.setChecked(True)
    window.add([tmp_path / "a.tif"])
    qtbot.waitUntil(lambda: not window.finder.busy and not dock.reason(), timeout=WAIT_MS)
    qtbot.mouseClick(dock.run_row.main_button.native, LEFT)
    qtbot.waitUntil(lambda: dock.controller.state == "running", timeout=WAIT_MS)
    assert window.reason() == LAYER_RUNS
    assert not window.main_button.isEnabled()
    assert window.main_button.toolTip() == LAYER_RUNS
    window.press_main()
    assert part.runner.state == "idle"
    gate.let(1000)
    qtbot.waitUntil(lambda: dock.controller.state == "done", timeout=WAIT_MS)

    gate.tickets = type(gate.tickets)(0)
    qtbot.mouseClick(window.main_button, LEFT)
    assert part.runner.state == "running"
    assert dock.reason() == FILES_RUN
    assert not dock.run_row.main_button.native.isEnabled()
    # a window that is closed goes on, and comes back
    window.close()
    gate.let(1000)
    qtbot.waitUntil(lambda: part.runner.state == "done", timeout=WAIT_MS)
    assert dock.reason() != FILES_RUN
    qtbot.waitUntil(lambda: "a_denoised.ome.zarr" in viewer.layers, timeout=WAIT_MS)
    qtbot.mouseClick(part.button, LEFT)
    assert part.window is window
    assert window.message.message.startswith("1 of 1 image done")
