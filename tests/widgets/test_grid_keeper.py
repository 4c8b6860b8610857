"""The grid over a controller's life: settings, runs, marks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.conftest import Blur, GatedBlur, Stage, noisy

from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE, RUNNING
from napari_tessera.widgets.tile_grid import COLOURS, GRID_NAME
from napari_tessera.widgets.tile_grid import DONE as TICK
from napari_tessera.widgets.tile_grid import RUNNING as FRAME


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    return model_stage


def strokes(stage: Stage, state: int) -> int:
    if GRID_NAME not in stage.viewer.layers:
        return -1
    colours = np.asarray(stage.viewer.layers[GRID_NAME].edge_color)
    return int(np.isclose(colours, COLOURS[state]).all(axis=1).sum())


def review(stage: Stage, layer: Any, model: Any, size: int) -> None:
    stage.log.said.clear()
    stage.controller.review(
        RunRequest((layer,), model, area=EVERYTHING, patch_size=(size, size), device="cpu")
    )
    stage.wait(lambda: bool(stage.log.of("estimate_changed")))


def test_follows_settings_while_its_section_is_open(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    model = Blur()
    review(stage, layer, model, 64)
    assert GRID_NAME not in stage.viewer.layers
    stage.controller.show_grid(True)
    few = strokes(stage, 0)
    assert few > 4
    review(stage, layer, model, 32)
    assert strokes(stage, 0) > few
    stage.controller.show_grid(False)
    assert list(stage.viewer.layers) == [layer]


def test_marks_the_run_and_keeps_the_marks_while_the_tiles_are_the_same(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    gate = GatedBlur()
    stage.controller.show_grid(True)
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    stage.wait(lambda: strokes(stage, FRAME) == 4)
    gate.let(3)
    stage.wait(lambda: strokes(stage, TICK) == 6)
    gate.let(10_000)
    stage.until(DONE)
    assert strokes(stage, FRAME) == 0
    n_tiles = stage.log.of("progress_changed")[-1].total
    assert strokes(stage, TICK) == 2 * n_tiles
    review(stage, layer, gate, 64)
    assert strokes(stage, TICK) == 2 * n_tiles
    review(stage, layer, gate, 48)
    assert strokes(stage, TICK) == 0
    review(stage, layer, gate, 64)
    assert strokes(stage, TICK) == 2 * n_tiles


def test_opened_in_mid_run_it_shows_what_is_done(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    gate.let(2)
    stage.wait(lambda: 2 in [progress.done for progress in stage.log.of("progress_changed")])
    stage.controller.show_grid(True)
    assert strokes(stage, TICK) == 4
    gate.let(10_000)
    stage.until(DONE)


def test_leaves_the_selection_to_the_person(stage: Stage) -> None:
    layers = [stage.viewer.add_image(noisy((100, 100)), name=f"c{i}") for i in range(2)]
    stage.viewer.layers.selection = set(layers)
    changes: list[Any] = []
    stage.viewer.layers.selection.events.changed.connect(changes.append)
    stage.controller.show_grid(True)
    stage.run(*layers)
    stage.controller.show_removed_noise()
    stage.controller.show_grid(False)
    assert stage.viewer.layers.selection == set(layers)
    assert changes == []
