"""The grid in a real window, with the dock and a mouse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from tests.widgets.conftest import GatedBlur, make_plan
from tests.widgets.grid.counting import marked
from tests.widgets.pointer import enter, move

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.grid.drawing import MAX_MARKS, MAX_RECTANGLES
from napari_tessera.widgets.grid.grid_layer import GRID_NAME
from napari_tessera.widgets.grid.tile_states import DONE as TICK
from napari_tessera.widgets.grid.tile_states import RUNNING as FRAME
from napari_tessera.widgets.grid.tile_states import TileStates
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE, RUNNING
from napari_tessera.widgets.tile_grid import TileGrid

LEFT = Qt.MouseButton.LeftButton
WAIT_MS = 60_000


def test_a_run_is_seen_on_the_tiles_and_told_by_legend_and_pointer(
    make_napari_viewer: Any, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    rng = np.random.default_rng(0)
    image = rng.normal(100, 10, (2, 256, 256)).astype(np.float32)
    layer = viewer.add_image(image, name="cells", axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 0)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    tiles, controller = dock.settings.tiles, dock.controller
    gate = GatedBlur()
    request = RunRequest(
        (layer,), gate, area=EVERYTHING, patch_size=(64, 64), overlaps=(0, 0), device="cpu"
    )
    controller.start(request)
    qtbot.waitUntil(lambda: controller.state == RUNNING, timeout=WAIT_MS)
    assert GRID_NAME not in viewer.layers
    assert tiles.legend.isHidden()
    qtbot.mouseClick(tiles.header, LEFT)
    qtbot.waitUntil(lambda: GRID_NAME in viewer.layers, timeout=WAIT_MS)
    grid = viewer.layers[GRID_NAME]
    assert list(viewer.layers.selection) == [layer]
    assert dock.settings.image.layers == (layer,)
    assert dock.settings.image.chooser.native.count() == 1
    gate.let(3)
    qtbot.waitUntil(lambda: (marked(grid, TICK), marked(grid, FRAME)) == (3, 1), timeout=WAIT_MS)
    texts = [entry.text() for entry in tiles.legend.entries]
    assert texts[:3] == ["waiting 28", "running 1", "done 3"]

    canvas = viewer.window._qt_viewer.canvas.native
    inside = QPoint(canvas.width() // 2 - 10, canvas.height() // 2 - 10)
    enter(canvas)

    def told(text: str) -> bool:
        """Whether the status has a text where the hand is."""
        move(canvas, inside)
        return text in str(viewer.status)

    qtbot.waitUntil(lambda: told("core Y 64–127 X 64–127"), timeout=WAIT_MS)
    assert "tile 6 (row 2, column 2 of 4 × 4, z 0)" in str(viewer.status)
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: told("tile 22 ("), timeout=WAIT_MS)
    assert marked(grid, TICK) == 0

    layer.scale = (1, 0.5, 0.5)
    np.testing.assert_allclose(grid.scale, layer.scale)
    viewer.layers.move(viewer.layers.index(grid), 0)
    gate.let(10_000)
    qtbot.waitUntil(lambda: controller.state == DONE, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: tiles.legend.entries[TICK].text() == "done 32", timeout=WAIT_MS)
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    # each napari comes back with a view of its own: marks are only made where they can be seen
    camera_of(viewer).center = (0, 64, 64)
    camera_of(viewer).zoom = 1.3
    qtbot.waitUntil(lambda: marked(grid, TICK) == 16, timeout=WAIT_MS)
    qtbot.mouseClick(tiles.grid_box.native, LEFT, pos=QPoint(8, 8))
    assert GRID_NAME not in viewer.layers
    assert tiles.legend.isHidden()
    assert "tile" not in str(viewer.status)


@pytest.mark.slow
def test_a_hundred_thousand_tiles_are_never_many_shapes(make_napari_viewer: Any) -> None:
    """How many frames a second that makes is measured by a benchmark."""
    viewer = make_napari_viewer(show=True)
    edge = 317
    size = 200 * (edge - 1) + 256
    levels = [np.broadcast_to(np.uint8(7), (size >> i, size >> i)) for i in range(7)]
    layer = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255))
    plan = make_plan(levels[0], "YX", patch_size=(256, 256), overlaps=(56, 56))
    n = plan.tiles.n_tiles
    assert n == 100_489
    rng = np.random.default_rng(0)
    states = TileStates.of(plan, np.arange(n // 3))
    states.mark(rng.integers(0, n, 999), rng.integers(0, n, 99), rng.integers(0, n, 99))
    grid = TileGrid(viewer)
    grid.show(plan, layer, "YX", states)
    camera = camera_of(viewer)
    most = 0
    for zoom in (0.005, 0.012, 0.03, 0.1, 0.3, 1, 4):
        camera.zoom = zoom
        for at in np.linspace(0.1, 0.9, 4) * size:
            camera.center = (0, at, at / 2)
            grid.changed(states.mark(rng.integers(0, n, 50), rng.integers(0, n, 50)))
            viewer.screenshot(canvas_only=True, flash=False)
            assert grid.layer is not None
            most = max(most, len(grid.layer.faces) // 2)
    assert 1000 < most < 4 * MAX_MARKS + MAX_RECTANGLES + 1500
    grid.disconnect()
