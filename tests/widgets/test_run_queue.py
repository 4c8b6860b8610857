"""Runs one after another."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.request import RunRequest
from napari_tessera.widgets.run_queue import RunQueue


def test_passes_over_layers_that_are_gone() -> None:
    viewer = ViewerModel()
    layers = [viewer.add_image(noisy((32, 32)), name=f"c{i}") for i in range(4)]
    queue = RunQueue.of(viewer, RunRequest(tuple(layers), Blur()))
    assert len(queue) == 4
    assert [run.name for run in queue] == ["c0", "c1", "c2", "c3"]
    del viewer.layers["c0"]
    del viewer.layers["c1"]
    assert queue.take_turn(viewer) == []
    assert queue.current is not None
    assert (queue.current.name, queue.number) == ("c2", 3)
    queue.advance()
    assert queue.take_turn(viewer) == []
    assert queue.current is not None
    assert queue.current.name == "c3"
    assert not queue.all_gone
    queue.advance()
    assert queue.current is None
    assert queue.take_turn(viewer) == []
    assert queue.output_layers(viewer.layers) == ()


def test_nothing_left_is_all_gone() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((32, 32)))
    queue = RunQueue.of(viewer, RunRequest((layer,), Blur()))
    viewer.layers.clear()
    assert queue.take_turn(viewer) == []
    assert queue.current is None
    assert queue.all_gone
    assert RunQueue().current is None


def test_no_layer_is_a_problem() -> None:
    with pytest.raises(PlanError, match="no image is chosen"):
        RunQueue.of(ViewerModel(), RunRequest((), Blur()))
