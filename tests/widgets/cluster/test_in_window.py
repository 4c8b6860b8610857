"""A cluster chosen and run on in a real window, by clicks and keys, with a real scheduler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import Blur, noisy
from tests.widgets.dask_cluster import Cluster

from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.line_entry import edit_of
from napari_tessera.widgets.fields.run_on import CLUSTER
from napari_tessera.widgets.request import EVERYTHING, VIEW
from napari_tessera.widgets.run_state import DONE, IDLE

WAIT_MS = 30_000
LONG_MS = 120_000
LEFT = Qt.MouseButton.LeftButton
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)


@pytest.fixture
def dock(make_napari_viewer: Any) -> DenoiseDock:
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1100, 850)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    return dock


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "blur.pt"
    torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 64, 64)).save(str(path))
    return path


def reason(dock: DenoiseDock, qtbot: QtBot, text: str) -> None:
    qtbot.waitUntil(lambda: text in dock.reason(), timeout=WAIT_MS)
    assert not dock.run_row.main_button.native.isEnabled()


def test_a_cluster_is_chosen_and_does_the_run(
    dock: DenoiseDock, cluster: Cluster, model: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    settings, viewer = dock.settings, dock.viewer
    run_on = settings.advanced.run_on
    settings.model.value = model
    viewer.add_image(
        noisy((4, 200, 180), dtype=np.uint16), name="cells", axis_labels=("t", "y", "x")
    )
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    qtbot.mouseClick(settings.advanced.header, LEFT)
    chooser = run_on.chooser.native
    chooser.setFocus()
    qtbot.keyClick(chooser, Qt.Key.Key_Down)
    assert run_on.chooser.value == CLUSTER
    qtbot.keyClick(chooser, Qt.Key.Key_Tab)
    assert dock.window().focusWidget() is edit_of(run_on.address)
    qtbot.keyClicks(edit_of(run_on.address), cluster.address)
    qtbot.waitUntil(lambda: "2 workers, 2 threads." in run_on.message.message, timeout=WAIT_MS)
    # what is in view is computed here, and needs none of what a cluster does
    assert settings.area.value == VIEW
    assert "What I see is computed on this computer" in run_on.message.message
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)

    settings.area.value = EVERYTHING
    reason(dock, qtbot, "choose where to save, as OME-Zarr")
    assert settings.save.message.message == dock.reason()
    settings.save.path = tmp_path / "out.ome.tif"
    reason(dock, qtbot, "out.ome.tif is written when all is done, by one process")
    path = tmp_path / "out.ome.zarr"
    settings.save.path = path
    reason(dock, qtbot, "cells is no file as it is shown here")
    assert settings.image.message.message == dock.reason()
    viewer.layers.clear()
    image = noisy((4, 200, 180), dtype=np.uint16)
    file = tmp_path / "cells.tif"
    tifffile.imwrite(file, image, metadata={"axes": "TYX"})
    (layer,) = viewer.open(str(file), plugin="napari")
    layer.axis_labels = ("t", "y", "x")
    settings.image.axes = "TYX"
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    qtbot.mouseClick(dock.run_row.main_button.native, LEFT)
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=LONG_MS)
    output = viewer.layers["cells_denoised"]
    saved = zarr.open_array(str(path), path="0", mode="r")[...]
    assert saved.shape == image.shape
    assert np.isfinite(saved).all()
    np.testing.assert_array_equal(np.asarray(output.data), saved)
    assert dock.controller.request is not None
    assert dock.controller.request.cluster == cluster.address


def test_a_model_in_memory_is_told_beside_the_model(
    dock: DenoiseDock, cluster: Cluster, tmp_path: Path, qtbot: QtBot
) -> None:
    settings = dock.settings
    dock.viewer.add_image(noisy((64, 64)), name="cells")
    settings.area.value = EVERYTHING
    settings.save.path = tmp_path / "out.ome.zarr"
    settings.advanced.run_on.value = cluster.address
    request = dock.request()
    assert request is not None
    dock.start(replace(request, model=Blur()))
    told = "the model is an object in the memory of this computer"
    qtbot.waitUntil(lambda: told in settings.model.message.message, timeout=WAIT_MS)
    assert dock.controller.state == IDLE
