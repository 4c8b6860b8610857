"""Going on with a run that is in a store, in a real window."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import WAIT_MS, noisy

from napari_tessera.prediction import predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.continuing import continue_run
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import DONE
from napari_tessera.writing import read_unfinished

IMAGE = noisy((3, 150, 150), dtype=np.uint16)
MODEL = "builtin:denoise2d"


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """A store that a run of another session was stopped in."""
    path = tmp_path / "cells.ome.zarr"
    cancel = threading.Event()

    def stop(progress: Any) -> None:
        if progress.done >= 4:
            cancel.set()

    predict_to_disk(
        ArrayStack(IMAGE, "TYX"),
        MODEL,
        path,
        patch_size=(128, 128),
        output_dtype="input",
        progress=stop,
        cancel=cancel,
    )
    return path


def test_the_dock_opens_with_the_runs_settings_and_resumes_it(
    make_napari_viewer: Any, qtbot: QtBot, unfinished: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(IMAGE, name="cells", axis_labels=("t", "y", "x"))
    stored = read_unfinished(unfinished)
    assert stored is not None
    dock = continue_run(viewer, unfinished)
    assert isinstance(dock, DenoiseDock)
    assert dock.isVisible()
    save, button = dock.settings.save, dock.run_row.main_button.native
    assert save.is_open
    assert (save.path, save.same_dtype, save.target.if_exists) == (unfinished, True, "continue")
    assert dock.settings.area.value == EVERYTHING
    assert dock.settings.tiles.patch_size == (128, 128)
    qtbot.waitUntil(lambda: save.resumes, timeout=WAIT_MS)
    there = f"{len(stored.done)} of {stored.total_tiles} tiles are in cells.ome.zarr"
    assert save.message.message == f"{there}: Resume goes on."
    qtbot.waitUntil(button.isEnabled, timeout=WAIT_MS)
    assert button.accessibleName() == "Resume"
    first: list[Any] = []
    dock.controller.progress_changed.connect(first.append)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=2 * WAIT_MS)
    assert first[0].done >= len(stored.done)
    ended = read_unfinished(unfinished)
    assert ended is not None
    assert ended.completed
    assert (zarr.open_array(str(unfinished), path="0", mode="r")[...] > 0).all()
    assert save.summary.startswith("saved: cells.ome.zarr")
    assert continue_run(viewer, unfinished) is dock


def test_a_run_of_another_image_says_so(
    make_napari_viewer: Any, qtbot: QtBot, unfinished: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(IMAGE[:2], name="others", axis_labels=("t", "y", "x"))
    dock = continue_run(viewer, unfinished)
    save = dock.settings.save
    qtbot.waitUntil(lambda: "tiles, with" in save.problem, timeout=WAIT_MS)
    assert not save.exists_row.settings_button.native.isVisible()
    assert "image size 3×150×150 there, 2×150×150 now" in save.problem
    assert not dock.run_row.main_button.native.isEnabled()
