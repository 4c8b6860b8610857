"""Flip disagreement is made beside the last run, and leaves that as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from napari.layers import Image
from napari.utils.notifications import notification_manager
from tests.widgets.conftest import GatedBlur, Stage, noisy
from torch import nn

from napari_tessera.models import load_model
from napari_tessera.prediction import predict
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.flip_disagreement import MEANING, FittedLimits
from napari_tessera.widgets.request import EVERYTHING, VIEW, SaveTarget
from napari_tessera.widgets.run_state import DONE, RUNNING, STOPPED, STOPPING


class Shift(nn.Module):
    """Mean of a pixel and its right neighbour: it knows left from right."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + nn.functional.pad(x, (0, 1))[..., 1:]) / 2


@pytest.fixture(autouse=True)
def _no_records() -> None:
    notification_manager.records.clear()


def test_it_is_a_layer_of_its_own_with_the_same_tiles(model_stage: Stage, tmp_path: Any) -> None:
    stage = model_stage
    image = noisy((100, 120))
    layer = stage.viewer.add_image(image, name="cells")
    save = SaveTarget(tmp_path / "out.ome.zarr")
    output = stage.run(layer, model=Shift(), save=save)
    before = output.data.copy()
    said = len(stage.log.of("checks_changed"))
    stage.controller.show_disagreement()
    assert stage.controller.state != DONE
    stage.until(DONE)
    (flips,) = stage.controller.results.disagreement
    assert flips.name == "cells_flip_disagreement"
    settings: dict[str, Any] = {"patch_size": (64, 64), "tta": "disagreement"}
    model = load_model(Shift(), device="cpu")
    wanted = predict(ArrayStack(image, "YX"), model, **settings)
    np.testing.assert_array_equal(flips.data, wanted)
    assert flips.colormap.name == "magma"
    assert flips.contrast_limits[0] == 0
    assert flips.contrast_limits[1] == pytest.approx(np.percentile(wanted, 99.5), rel=0.2)
    assert any(MEANING in str(value) for value in flips.metadata.values())
    assert '"tta": "disagreement"' in flips.metadata["napari_tessera"]
    # the run before is as it was
    assert stage.controller.results.outputs == (output,)
    np.testing.assert_array_equal(output.data, before)
    assert stage.controller.request is not None
    assert (stage.controller.request.tta, stage.controller.request.area) == ("none", EVERYTHING)
    assert len(stage.log.of("checks_changed")) == said
    assert [path.name for path in tmp_path.iterdir()] == ["out.ome.zarr"]


def test_asked_for_again_it_is_shown_or_made_for_what_is_in_view(model_stage: Stage) -> None:
    stage = model_stage
    layer = stage.viewer.add_image(noisy((3, 64, 64)), name="cells", axis_labels=("z", "y", "x"))
    stage.viewer.dims.set_current_step(0, 0)
    stage.run(layer, area=VIEW, model=Shift())
    stage.controller.show_disagreement()
    stage.until(DONE)
    (flips,) = stage.controller.results.disagreement
    flips.visible = False
    stage.controller.show_disagreement()
    assert stage.controller.state == DONE
    assert flips.visible
    results, last = stage.controller.results, stage.controller.request
    stage.viewer.dims.set_current_step(0, 2)
    # what is in view is not there yet: it is to be made, not hidden
    assert not results.hide_disagreement(last, can_make=True)
    assert flips.visible
    stage.controller.show_disagreement()
    stage.wait(lambda: stage.controller.state == DONE and bool(np.isfinite(flips.data[2]).all()))
    assert stage.controller.results.disagreement == (flips,)
    assert not np.isfinite(flips.data[1]).any()
    # seen from nearer it is all there
    camera_of(stage.viewer).zoom *= 4
    assert results.hide_disagreement(last, can_make=True)
    assert not flips.visible
    stage.viewer.dims.set_current_step(0, 1)
    flips.visible = True
    assert results.hide_disagreement(last, can_make=False)


def test_a_stopped_run_goes_on_after_it(model_stage: Stage) -> None:
    stage = model_stage
    layer = stage.viewer.add_image(noisy((64, 200)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate, overlaps=(2, 2))
    stage.until(RUNNING)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(1)
    stage.until(STOPPED)
    stage.controller.show_disagreement()
    stage.until(RUNNING)
    stage.controller.stop()
    assert stage.controller.state == STOPPING
    gate.let(8)
    stage.until(STOPPED)
    assert stage.controller.can_resume
    gate.let(1000)
    stage.controller.resume()
    stage.until(DONE)
    assert np.isfinite(stage.controller.results.outputs[0].data).all()


def test_what_goes_wrong_with_it_leaves_the_run_done(model_stage: Stage) -> None:
    stage = model_stage
    layer = stage.viewer.add_image(noisy((64, 64)), name="cells")
    stage.controller.show_disagreement()
    assert stage.log.said == []
    gate = GatedBlur()
    gate.let(1)
    stage.run(layer, model=gate)
    gate.error = ValueError("no more")
    gate.let(8)
    stage.controller.show_disagreement()
    stage.wait(lambda: bool(stage.log.of("failed")))
    assert stage.controller.state == DONE
    assert "no more" in stage.log.of("failed")[-1]
    assert len(stage.controller.results.outputs) == 1
    camera_of(stage.viewer).center = (0, 1e6, 1e6)
    stage.controller.show_disagreement()
    assert "nothing of cells is in view" in stage.log.of("failed")[-1]
    assert stage.controller.state == DONE


def test_limits_that_somebody_has_set_stay(model_stage: Stage) -> None:
    layer = Image(np.full((8, 8), np.nan, np.float32), contrast_limits=(0, 1))
    model_stage.viewer.add_layer(layer)
    limits = FittedLimits()
    limits.fit(model_stage.viewer, layer, "YX")
    assert tuple(layer.contrast_limits) == (0, 1)
    layer.data[:4] = np.linspace(0, 4, 32).reshape(4, 8)
    limits.fit(model_stage.viewer, layer, "YX")
    assert layer.contrast_limits[1] == pytest.approx(4, rel=0.02)
    layer.data[4:] = 9
    limits.fit(model_stage.viewer, layer, "YX")
    assert tuple(layer.contrast_limits) == (0, 9)
    layer.contrast_limits = (1, 5)
    limits.fit(model_stage.viewer, layer, "YX")
    assert tuple(layer.contrast_limits) == (1, 5)


def test_of_colours_each_has_its_own(model_stage: Stage) -> None:
    stage = model_stage
    pixels = noisy((40, 50, 3)).astype(np.uint8)
    layer = stage.viewer.add_image(pixels, name="cells", rgb=True)
    stage.run(layer, model=Shift())
    stage.controller.show_disagreement()
    stage.until(DONE)
    (flips,) = stage.controller.results.disagreement
    assert not flips.rgb
    assert flips.data.shape == (3, 40, 50)
    assert np.isfinite(flips.data).all()
