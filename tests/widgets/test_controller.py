"""Runs in a real viewer: live, stopped, continued, one after another."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.widgets.conftest import ENDS, GatedBlur, Stage, blurred, finished, noisy

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.reports import PlanReview
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW, RunRequest
from napari_tessera.widgets.run_state import (
    DONE,
    PLANNING,
    RUNNING,
    STOPPED,
    STOPPING,
)


def test_fills_tile_by_tile_around_the_view(stage: Stage) -> None:
    image = noisy((3, 200, 200))
    layers = [stage.viewer.add_image(image, name=name) for name in ("one", "cells", "three")]
    stage.viewer.dims.set_current_step(0, 2)
    gate = GatedBlur()
    stage.start(layers[1], model=gate)
    stage.until(RUNNING)
    stage.wait(gate.waiting.is_set)
    output = stage.viewer.layers["cells_denoised"]
    assert output.data.shape == image.shape
    assert np.isnan(output.data).all()
    seen = 0
    for tiles in range(1, 5):
        gate.let(1)
        stage.wait(lambda seen=seen: finished(output) > seen)
        seen = finished(output)
        assert seen <= tiles * 64 * 64
        assert np.isnan(output.data[:2]).all()
    assert np.isfinite(output.data[2, 100, 100])
    stage.wait(lambda: 4 in [progress.done for progress in stage.log.of("progress_changed")])
    gate.let(10_000)
    stage.until(DONE)
    np.testing.assert_array_equal(output.data, blurred(image, "ZYX"))
    np.testing.assert_array_equal(layers[1].data, image)
    assert [layer.name for layer in stage.viewer.layers] == [
        "one",
        "cells",
        "cells_denoised",
        "three",
    ]
    assert stage.log.of("state_changed") == [PLANNING, RUNNING, DONE]
    last = stage.log.of("progress_changed")[-1]
    assert (last.done, last.total, last.layer) == (48, 48, "cells")


def test_the_layer_holds_the_plan(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells", contrast_limits=(80, 120))
    output = stage.run(layer)
    plan = PredictionPlan.from_json(output.metadata["napari_tessera"])
    assert plan.patch_size == (64, 64)
    assert json.loads(output.metadata["napari_tessera"])["model_name"] == "Blur"
    assert output.contrast_limits == [80, 120]


def test_stop_keeps_what_is_done_and_continue_ends_as_if_never_stopped(stage: Stage) -> None:
    image = noisy((2, 150, 150))
    layer = stage.viewer.add_image(image, name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    output = stage.viewer.layers["cells_denoised"]
    for tiles in (3, 2):
        before = finished(output)
        gate.let(tiles)
        stage.wait(lambda before=before: finished(output) > before)
        stage.controller.stop()
        assert stage.controller.state == STOPPING
        gate.let(1)
        stage.until(STOPPED)
        kept = output.data.copy()
        assert 0 < np.isfinite(kept).sum() < kept.size
        assert stage.controller.can_resume
        # Tickets that the stopped run did not use.
        while gate.tickets.acquire(blocking=False):
            pass
        stage.controller.resume()
        stage.until(RUNNING)
    gate.let(10_000)
    stage.until(DONE)
    assert stage.viewer.layers["cells_denoised"] is output
    np.testing.assert_array_equal(output.data[np.isfinite(kept)], kept[np.isfinite(kept)])
    np.testing.assert_array_equal(output.data, blurred(image, "ZYX"))
    assert not stage.controller.can_resume
    done = [progress.done for progress in stage.log.of("progress_changed")]
    assert done == sorted(done)


def test_other_data_under_the_same_name_is_not_gone_on_with(stage: Stage) -> None:
    gate = GatedBlur()
    layer = stage.viewer.add_image(noisy((3, 128, 128)), name="cells")
    stage.controller.start(
        RunRequest((layer,), gate, area=EVERYTHING, axes="ZYX", patch_size=(64, 64), device="cpu")
    )
    gate.let(1)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(100)
    stage.wait(lambda: stage.controller.state == STOPPED)
    assert stage.controller.can_resume
    layer.data = noisy((3, 128, 128)) + 1
    assert not stage.controller.can_resume


def test_a_second_full_run_never_overwrites_the_first(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    first = stage.run(layer)
    pixels = first.data.copy()
    second = stage.run(layer, patch_size=(48, 48))
    assert (first.name, second.name) == ("cells_denoised", "cells_denoised [1]")
    np.testing.assert_array_equal(first.data, pixels)
    assert stage.controller.results.outputs == (second,)


def test_previews_share_a_layer_and_a_full_run_takes_it_over(stage: Stage) -> None:
    image = noisy((3, 100, 100))
    layer = stage.viewer.add_image(image, name="cells")
    stage.viewer.dims.set_current_step(0, 0)
    first = stage.run(layer, area=SLICE, axes="ZYX")
    assert np.isfinite(first.data[0]).all()
    assert np.isnan(first.data[1:]).all()
    stage.viewer.dims.set_current_step(0, 2)
    second = stage.run(layer, area=SLICE, axes="ZYX")
    assert second is first
    assert np.isfinite(first.data[[0, 2]]).all()
    assert np.isnan(first.data[1]).all()
    assert stage.run(layer, area=EVERYTHING, axes="ZYX") is first
    np.testing.assert_array_equal(first.data, blurred(image, "ZYX"))
    again = stage.run(layer, area=SLICE, axes="ZYX")
    assert again.name == "cells_denoised [1]"
    assert stage.run(layer, area=SLICE, axes="ZYX") is again


def test_a_view_of_all_there_is_is_a_preview_like_any_other(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    first = stage.run(layer, area=SLICE)
    assert stage.run(layer, area=SLICE, patch_size=(64, 64)) is first
    assert np.isfinite(first.data).all()
    assert [other.name for other in stage.viewer.layers] == ["cells", "cells_denoised"]


def test_what_i_see_is_one_plane_of_what_is_on_the_canvas(stage: Stage) -> None:
    image = noisy((4, 3, 400, 400))
    layer = stage.viewer.add_image(image, name="cells", scale=(1, 2, 0.5, 0.5))
    stage.viewer.dims.set_current_step((0, 1), (3, 1))
    camera_of(stage.viewer).zoom *= 4
    output = stage.run(layer, area=VIEW, axes="TZYX", normalization="none")
    expected = blurred(image, "TZYX", normalization="none")
    done = np.isfinite(output.data)
    assert done[3, 1].any()
    assert not done[3, 1].all()
    done[3, 1] = False
    assert not done.any()
    assert np.isfinite(output.data[3, 1, 200, 200])
    inside = np.isfinite(output.data[3, 1])
    np.testing.assert_array_equal(output.data[3, 1][inside], expected[3, 1][inside])
    plan = PredictionPlan.from_json(output.metadata["napari_tessera"])
    assert plan.region.along("T") == range(3, 4)


def test_several_layers_are_denoised_one_after_another(stage: Stage) -> None:
    images = [noisy((100, 100), seed) for seed in range(3)]
    layers = [stage.viewer.add_image(image, name=f"c{i}") for i, image in enumerate(images)]
    stage.run(*layers)
    outputs = stage.controller.results.outputs
    assert [output.name for output in outputs] == ["c0_denoised", "c1_denoised", "c2_denoised"]
    for image, output in zip(images, outputs, strict=True):
        np.testing.assert_array_equal(output.data, blurred(image, "YX"))
    numbers = [(p.layer, p.layer_number, p.n_layers) for p in stage.log.of("progress_changed")]
    assert list(dict.fromkeys(numbers)) == [("c0", 1, 3), ("c1", 2, 3), ("c2", 3, 3)]


def test_a_stopped_queue_goes_on_where_it_was(stage: Stage) -> None:
    layers = [stage.viewer.add_image(noisy((100, 100)), name=f"c{i}") for i in range(2)]
    gate = GatedBlur()
    stage.start(*layers, model=gate)
    stage.until(RUNNING)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(1)
    stage.until(STOPPED)
    stage.controller.resume()
    gate.let(10_000)
    stage.until(DONE)
    assert len(stage.controller.results.outputs) == 2
    assert all(np.isfinite(output.data).all() for output in stage.controller.results.outputs)


def test_a_preview_removed_while_the_next_one_is_planned(stage: Stage) -> None:
    image = noisy((3, 64, 64))
    layer = stage.viewer.add_image(image, name="cells")
    first = stage.run(layer, area=SLICE, axes="ZYX")
    stage.start(layer, area=SLICE, axes="ZYX")
    assert stage.controller.state == PLANNING
    stage.viewer.layers.remove(first)
    stage.until(*ENDS)
    assert stage.controller.state == DONE
    assert stage.controller.results.outputs[0] is not first
    assert np.isfinite(stage.controller.results.outputs[0].data[1]).all()


def test_readings_stream_in(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    stage.run(layer)
    readings = stage.log.of("checks_changed")
    assert readings[0] is None
    assert readings[-1].tiles == stage.log.of("progress_changed")[-1].total
    assert readings[-1].intensity_kept == pytest.approx(1, abs=0.02)


def test_nan_in_the_image_stays_local_and_is_told(stage: Stage) -> None:
    image = noisy((100, 100))
    image[10, 10] = np.nan
    layer = stage.viewer.add_image(image, name="cells", contrast_limits=(0, 200))
    output = stage.run(layer)
    assert int(np.isnan(output.data).sum()) == 1
    assert any("1 pixels are NaN" in warning for warning in stage.log.of("warned"))


def test_what_planning_finds_out_about_pixels_is_told_once(stage: Stage) -> None:
    image = noisy((100, 100), dtype=np.uint8)
    image[:20] = 0
    layer = stage.viewer.add_image(image, name="cells")
    stage.run(layer)
    told = [warning for warning in stage.log.of("warned") if "are 0" in warning]
    assert len(told) == 1
    reviews = [review for review in stage.log.of("review_changed") if review is not None]
    assert isinstance(reviews[0], PlanReview)
    assert not any("are 0" in warning for warning in reviews[0].warnings)


def test_removed_noise_is_what_was_taken_away(stage: Stage) -> None:
    image = noisy((100, 100))
    layer = stage.viewer.add_image(image, name="cells")
    assert stage.controller.results.removed_noise == ()
    output = stage.run(layer)
    stage.controller.show_removed_noise()
    (removed,) = stage.controller.results.removed_noise
    np.testing.assert_allclose(np.asarray(removed.data), image - output.data)
    assert removed.name == "cells_removed_noise"


def test_removed_noise_follows_a_preview_that_is_used_again(stage: Stage) -> None:
    image = noisy((3, 100, 100))
    layer = stage.viewer.add_image(image, name="cells")
    stage.viewer.dims.set_current_step(0, 0)
    stage.run(layer, area=SLICE, axes="ZYX")
    stage.controller.show_removed_noise()
    (removed,) = stage.controller.results.removed_noise
    stage.viewer.dims.set_current_step(0, 2)
    output = stage.run(layer, area=SLICE, axes="ZYX", patch_size=(48, 48))
    assert stage.controller.results.removed_noise == (removed,)
    np.testing.assert_allclose(np.asarray(removed.data)[2], image[2] - output.data[2])
    assert np.isnan(np.asarray(removed.data)[:2]).all()


def test_the_estimate_follows_the_tiles(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    stage.run(layer)
    assert stage.log.of("estimate_changed")[-1].startswith("Everything: 4 tiles ~1 s")
