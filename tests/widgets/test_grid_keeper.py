"""The grid over a controller's life: settings, runs, marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.widgets.canvas_size import resize_canvas
from tests.widgets.conftest import Blur, GatedBlur, Stage, make_plan, noisy
from tests.widgets.grid.counting import marked, quads_of

from napari_tessera.widgets.grid.grid_layer import GRID_NAME
from napari_tessera.widgets.grid.look import SKY
from napari_tessera.widgets.grid.tile_states import DONE as TICK
from napari_tessera.widgets.grid.tile_states import FAILED as CROSS
from napari_tessera.widgets.grid.tile_states import RUNNING as FRAME
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE, FAILED, RUNNING


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    # Near enough for a mark on each tile of 64 pixels.
    resize_canvas(model_stage.viewer, 2000, 2000)
    return model_stage


def marks(stage: Stage, state: int) -> int:
    if GRID_NAME not in stage.viewer.layers:
        return -1
    return marked(stage.viewer.layers[GRID_NAME], state)


def lines(stage: Stage) -> int:
    return quads_of(np.asarray(stage.viewer.layers[GRID_NAME].vertex_colors)[::4], SKY)


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
    few = lines(stage)
    assert few > 4
    review(stage, layer, model, 32)
    assert lines(stage) > few
    stage.controller.show_grid(False)
    assert list(stage.viewer.layers) == [layer]


def test_marks_the_run_and_keeps_the_marks_while_the_tiles_are_the_same(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    told: list[Any] = []
    stage.controller.grid.counts_changed.connect(told.append)
    gate = GatedBlur()
    stage.controller.show_grid(True)
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    stage.wait(lambda: marks(stage, FRAME) == 1)
    gate.let(3)
    stage.wait(lambda: marks(stage, TICK) == 3)
    gate.let(10_000)
    stage.until(DONE)
    n_tiles = stage.log.of("progress_changed")[-1].total
    stage.wait(lambda: marks(stage, TICK) == n_tiles)
    assert marks(stage, FRAME) == 0
    assert (n_tiles - 4, 1, 3, 0, 0) in told
    assert told[-1] == stage.controller.grid.counts == (0, 0, n_tiles, 0, 0)
    review(stage, layer, gate, 64)
    assert marks(stage, TICK) == n_tiles
    review(stage, layer, gate, 48)
    assert marks(stage, TICK) == 0
    assert told[-1][TICK] == 0
    review(stage, layer, gate, 64)
    assert marks(stage, TICK) == n_tiles
    stage.controller.show_grid(False)
    assert told[-1] is None


@pytest.mark.parametrize("open_before", [True, False])
def test_tiles_that_failed_stay_marked(stage: Stage, open_before: bool) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    gate = GatedBlur()
    stage.controller.show_grid(open_before)
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    gate.let(2)
    stage.wait(lambda: 2 in [progress.done for progress in stage.log.of("progress_changed")])
    gate.error = ValueError("too hot")
    gate.let(1)
    stage.until(FAILED)
    stage.controller.show_grid(True)
    stage.wait(lambda: (marks(stage, TICK), marks(stage, CROSS)) == (2, 1))
    assert marks(stage, FRAME) == 0
    gate.error = None
    gate.let(10_000)
    stage.start(layer, model=gate)
    stage.until(DONE)
    stage.wait(lambda: marks(stage, CROSS) == 0)


def test_opened_in_mid_run_it_shows_what_is_done(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    gate.let(2)
    stage.wait(lambda: 2 in [progress.done for progress in stage.log.of("progress_changed")])
    stage.controller.show_grid(True)
    assert marks(stage, TICK) == 2
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


@dataclass
class Previewed:
    """Tiles that come and go."""

    plan: Any
    source: Any
    letters: str = "YX"
    there: set[int] = field(default_factory=set)

    def done(self) -> set[int]:
        return self.there


def test_follows_tiles_that_come_and_go(stage: Stage) -> None:
    image = noisy((200, 200))
    layer = stage.viewer.add_image(image, name="cells")
    review(stage, layer, Blur(), 48)
    stage.controller.show_grid(True)
    grid = stage.controller.grid
    source = Previewed(make_plan(image, "YX", patch_size=(64, 64)), layer, there={0, 1, 2})
    grid.follow(source)
    assert marks(stage, TICK) == 3
    source.there = {2, 3}
    grid.tick()
    stage.wait(lambda: marks(stage, TICK) == 2)
    grid.mark((5,), (6,))
    stage.wait(lambda: (marks(stage, TICK), marks(stage, FRAME)) == (3, 1))
    source.plan = make_plan(image, "YX", patch_size=(32, 32))
    grid.tick()
    assert grid.counts == (source.plan.total_tiles - 2, 0, 2, 0, 0)
    source.plan = None
    grid.tick()
    assert GRID_NAME not in stage.viewer.layers
    grid.follow(None)
    assert marks(stage, TICK) == 0
    assert lines(stage) > 4


def test_tiles_that_nobody_sees_are_not_looked_at(stage: Stage) -> None:
    image = noisy((200, 200))
    layer = stage.viewer.add_image(image, name="cells")
    grid = stage.controller.grid
    looks = []

    class Counted(Previewed):
        def done(self) -> set[int]:
            looks.append(1)
            return self.there

    source = Counted(make_plan(image, "YX", patch_size=(64, 64)), layer, there={0})
    grid.follow(source)
    before = len(looks)
    source.there = {0, 1, 2}
    for _ in range(10):
        grid.tick()
    assert len(looks) == before
    stage.controller.show_grid(True)
    assert marks(stage, TICK) == 3
    stage.controller.show_grid(False)
    source.there = {1}
    grid.tick()
    stage.controller.show_grid(True)
    assert marks(stage, TICK) == 1


def test_goes_when_the_layer_gets_other_data_and_is_told_of(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    told: list[Any] = []
    stage.controller.grid.counts_changed.connect(told.append)
    stage.controller.show_grid(True)
    stage.run(layer)
    assert told[-1] is not None
    layer.data = noisy((100, 120))
    assert GRID_NAME not in stage.viewer.layers
    assert told[-1] is None
    review(stage, layer, Blur(), 64)
    assert told[-1] is not None
    assert told[-1][TICK] == 0
