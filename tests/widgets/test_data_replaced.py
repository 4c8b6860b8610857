"""Layers that are given other data while they wait, while they are denoised, and afterwards."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
import pytest
from packaging.version import Version
from tests.widgets.conftest import GatedBlur, Stage, noisy

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.run_state import DONE, IDLE, PLANNING, RUNNING, STOPPED

OTHERS = {
    "same shape": noisy((128, 128)) + 500,
    "another size": noisy((70, 90)),
    "more axes": noisy((3, 128, 128)),
    "many axes": noisy((2, 2, 60, 60)),
}
"""Other data, by what is other."""

MORE_AXES = pytest.mark.skipif(
    Version(napari.__version__) < Version("0.8"),
    reason="napari 0.7 fails where a layer gets data with more axes",
)

EACH = [pytest.param(name, marks=MORE_AXES if "axes" in name else ()) for name in OTHERS]


def two_tiles_in(stage: Stage, *layers: Any) -> GatedBlur:
    """A run that is at work on its third tile."""
    gate = GatedBlur()
    stage.start(*layers, model=gate, overlaps=8)
    stage.until(RUNNING)
    gate.let(2)
    stage.wait(lambda: gate.waiting.is_set() and stage.controller.state == RUNNING)
    return gate


@pytest.mark.parametrize("other", EACH)
def test_a_run_over_what_nobody_sees_any_more_is_stopped(stage: Stage, other: str) -> None:
    layer = stage.viewer.add_image(noisy((128, 128)), name="cells")
    gate = two_tiles_in(stage, layer)
    layer.data = OTHERS[other]
    camera_of(stage.viewer).zoom *= 1.1
    stage.viewer.dims.set_point(0, 1)
    stage.wait(lambda: bool(stage.log.of("warned")))
    gate.let(1000)
    stage.until(STOPPED)
    assert "cells shows other data than at the start: the run was stopped" in stage.log.of("warned")
    assert not stage.controller.can_resume
    stage.run(layer)


@pytest.mark.parametrize("other", ["same shape", pytest.param("more axes", marks=MORE_AXES)])
def test_what_waits_is_read_anew_at_its_turn(stage: Stage, other: str) -> None:
    first = stage.viewer.add_image(noisy((128, 128)), name="cells")
    second = stage.viewer.add_image(noisy((128, 128)), name="nuclei")
    gate = two_tiles_in(stage, first, second)
    second.data = OTHERS[other]
    gate.let(1000)
    stage.until(DONE)
    output = stage.viewer.layers["nuclei_denoised"]
    assert output.data.shape == second.data.shape
    again = stage.run(second)
    np.testing.assert_array_equal(output.data, again.data)


@MORE_AXES
def test_what_waits_and_does_not_fit_any_more_is_left_out(stage: Stage) -> None:
    first = stage.viewer.add_image(noisy((128, 128)), name="cells")
    second = stage.viewer.add_image(noisy((128, 128)), name="nuclei")
    gate = GatedBlur()
    stage.start(first, second, model=gate, axes="YX")
    stage.until(RUNNING)
    second.data = OTHERS["more axes"]
    gate.let(1000)
    stage.until(DONE)
    assert any(said.startswith("nuclei was left out: ") for said in stage.log.of("warned"))
    assert "nuclei_denoised" not in stage.viewer.layers


@MORE_AXES
def test_replaced_while_planning_it_is_refused(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((128, 128)), name="cells")
    stage.start(layer)
    assert stage.controller.state == PLANNING
    layer.data = OTHERS["more axes"]
    stage.until(IDLE)
    told = "cells shows other data than at the click: denoise again"
    assert stage.log.of("failed") == [told]
    stage.run(layer)


@pytest.mark.parametrize("other", EACH)
def test_an_output_layer_that_shows_else_keeps_that_and_the_output_gets_its_own(
    stage: Stage, other: str
) -> None:
    layer = stage.viewer.add_image(noisy((128, 128)), name="cells")
    gate = two_tiles_in(stage, layer)
    (taken,) = stage.controller.results.outputs
    taken.data = OTHERS[other]
    gate.let(1000)
    stage.until(DONE)
    assert taken.data is OTHERS[other]
    (output,) = stage.controller.results.outputs
    assert output is not taken
    assert np.isfinite(output.data).all()


def test_no_noise_is_removed_from_other_data(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((128, 128)), name="cells")
    stage.run(layer)
    layer.data = OTHERS["same shape"]
    stage.controller.show_removed_noise()
    (said,) = stage.log.of("warned")
    assert said.startswith("cells shows other data than cells_denoised was made of")
    assert "cells_removed_noise" not in stage.viewer.layers
