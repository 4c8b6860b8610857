"""What the engine reports reaches the grid, the dock and the estimates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.widgets.conftest import GatedBlur, Stage, noisy
from torch import nn

from napari_tessera.prediction import Progress
from napari_tessera.widgets.grid_keeper import GridKeeper
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import DONE, FAILED, RUNNING
from napari_tessera.widgets.run_watch import FIRST_LOOK_MS, LOOK_MS
from napari_tessera.widgets.speed import SpeedBook


def test_tiles_at_work_when_the_run_failed_are_marked(
    model_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[tuple[Any, ...]] = []
    mark = GridKeeper.mark

    def noted(grid: GridKeeper, *tiles: Any) -> None:
        marks.append(tuple(list(each) for each in tiles))
        mark(grid, *tiles)

    monkeypatch.setattr(GridKeeper, "mark", noted)
    layer = model_stage.viewer.add_image(noisy((2, 100, 100)), name="cells")
    net = GatedBlur()
    net.let(2)
    model_stage.start(layer, model=net, area=EVERYTHING)
    model_stage.until(RUNNING)
    model_stage.wait(lambda: any(finished for finished, *_ in marks))
    net.error = ValueError("no")
    net.let(1)
    model_stage.until(FAILED)
    failed = [tile for _, _, *rest in marks for tiles in rest for tile in tiles]
    done = [tile for finished, *_ in marks for tile in finished]
    assert len(failed) == 1
    assert len(done) == 2
    assert failed[0] not in done


def report(**facts: Any) -> Progress:
    return Progress(4, 4, (), (3,), 9.0, 1000, {}, **facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"warm_up_seconds": 8.0}, 9 / 4),
        ({"warm_up_seconds": 8.0, "measured_tiles": 3, "measured_seconds": 0.9}, 0.3),
    ],
)
def test_the_first_tiles_count_only_where_there_are_no_others(
    facts: dict[str, Any],
    expected: float,
    model_stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted: list[float] = []
    note = SpeedBook.note

    def kept(
        book: SpeedBook, plan: Any, model: Any, tiles: int, seconds: float, cluster: str
    ) -> None:
        noted.append(seconds / tiles)
        note(book, plan, model, tiles, seconds, cluster)

    layer = model_stage.viewer.add_image(noisy((100, 100)), name="cells")
    model_stage.run(layer)
    run = next(iter(model_stage.controller.runs))
    watch = model_stage.controller._watch
    watch._speed = SpeedBook()
    monkeypatch.setattr(SpeedBook, "note", kept)
    watch._note_speed(run, report(**facts))
    watch._note_speed(run, report(**facts))
    assert noted[0] == pytest.approx(expected)
    assert len(noted) == 1 + ("measured_tiles" in facts)


def test_the_first_tile_is_looked_for_more_often_than_the_next(model_stage: Stage) -> None:
    layer = model_stage.viewer.add_image(noisy((4, 100, 100)), name="cells")
    net = GatedBlur()
    model_stage.start(layer, model=net, area=EVERYTHING)
    model_stage.until(RUNNING)
    timer = model_stage.controller._watch._timer
    assert timer.isActive()
    assert timer.interval() == FIRST_LOOK_MS < LOOK_MS
    net.let(1)
    model_stage.wait(lambda: timer.interval() == LOOK_MS)
    assert timer.isActive()
    net.let(50)
    model_stage.until(DONE)
    assert not timer.isActive()


class Tight(nn.Module):
    """A blur for which there is memory for few pixels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x[:, 0].numel() > 48 * 48:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def test_what_a_run_notices_is_told_and_stays(model_stage: Stage) -> None:
    told: list[str] = []
    model_stage.controller.warned.connect(told.append)
    layer = model_stage.viewer.add_image(noisy((2, 100, 100)), name="cells")
    model_stage.run(layer, model=Tight())
    assert set(told) == {
        "cells: out of memory on cpu with a single tile: from here on tiles are computed in "
        "smaller parts, with the same result"
    }
