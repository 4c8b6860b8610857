"""Outputs with large planes in a real window: live at every zoom, exact at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from tests.widgets.conftest import GatedBlur, Stage, blurred, noisy

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets import live_levels, output_store
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.output_layer import OUTPUT_KEY
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW
from napari_tessera.widgets.run_state import DONE, RUNNING

# planes of thousands of pixels, each in a window
pytestmark = pytest.mark.slow


@pytest.fixture
def small_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planes have levels from 500 pixels."""
    monkeypatch.setattr(live_levels, "LEVELS_FROM", 500)
    monkeypatch.setattr(live_levels, "SMALLEST_SIDE", 300)


def drawn(output: Image) -> Any:
    """What napari has loaded of the slice on display."""
    return np.asarray(output._slice.image.raw)


@pytest.mark.parametrize("shape", [(2048, 2048), (2, 2048, 2048)])
def test_a_plane_of_2048_pixels_shows_tiles_as_they_finish(
    stage: Stage, shape: tuple[int, ...]
) -> None:
    image = noisy(shape)
    axes = "ZYX"[-len(shape) :]
    layer = stage.viewer.add_image(image, name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate, patch_size=(512, 512), batch_size=1)
    stage.until(RUNNING)
    output = stage.viewer.layers["cells_denoised"]
    assert [level.shape[-1] for level in output.data] == [2048, 1024]
    # The window is smaller than the plane.
    stage.wait(lambda: output.data_level == 1)
    assert np.isnan(drawn(output)).all()
    gate.let(6)
    stage.wait(lambda: np.isfinite(drawn(output)).any())
    assert np.isnan(drawn(output)).any()
    camera_of(stage.viewer).zoom = 2
    stage.wait(lambda: output.data_level == 0)
    gate.let(10_000)
    stage.until(DONE)
    expected = blurred(image, axes, patch_size=(512, 512))
    np.testing.assert_array_equal(output.data[0], expected)
    stage.wait(lambda: np.isfinite(drawn(output)).all())
    stage.viewer.reset_view()
    stage.wait(lambda: output.data_level == 1)
    shown = output.data[1] if len(shape) == 2 else output.data[1][stage.viewer.dims.current_step[0]]
    np.testing.assert_array_equal(drawn(output), shown)


@pytest.mark.usefixtures("small_planes")
def test_a_part_that_needs_no_levels_gives_its_place_to_a_whole_that_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_store, "PREVIEW_BYTES", 0)
    image = noisy((5, 600, 600))
    viewer = stage.viewer
    layer = viewer.add_image(image, name="cells")
    camera_of(viewer).center = (0, 300, 300)
    camera_of(viewer).zoom = 8
    first = stage.run(layer, area=VIEW, patch_size=(128, 128))
    stage.controller.show_removed_noise()
    on_top = viewer.add_points(np.zeros((1, 3)), name="seeds")
    assert not first.multiscale
    first.contrast_limits = (90, 110)
    first.colormap = "magma"
    first.opacity = 0.7
    first.visible = False
    viewer.layers.selection = {first}
    names = [each.name for each in viewer.layers]

    whole = stage.run(layer, area=EVERYTHING, patch_size=(128, 128))
    assert whole.multiscale
    assert first not in viewer.layers
    assert [each.name for each in viewer.layers] == names
    assert viewer.layers[-1] is on_top
    assert viewer.layers.selection.active is whole
    assert tuple(whole.contrast_limits) == (90, 110)
    assert whole.colormap.name == "magma"
    assert whole.opacity == 0.7
    assert not whole.visible
    expected = blurred(image, "ZYX", patch_size=(128, 128))
    np.testing.assert_array_equal(whole.data[0], expected)
    noise = viewer.layers["cells_removed_noise"]
    assert noise.multiscale
    assert noise.metadata[OUTPUT_KEY] == whole.unique_id
    for level, step in zip(noise.data, (1, 2), strict=True):
        np.testing.assert_allclose(level[1], (image - expected)[1, ::step, ::step])
    assert stage.controller.results.removed_noise == (noise,)


@pytest.mark.usefixtures("small_planes")
def test_a_large_part_gives_its_place_to_a_small_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_store, "PREVIEW_BYTES", 0)
    image = noisy((5, 600, 600))
    viewer = stage.viewer
    layer = viewer.add_image(image, name="cells", scale=(1, 0.5, 0.5))
    large = stage.run(layer, area=SLICE, patch_size=(128, 128))
    assert large.multiscale
    camera_of(viewer).center = (0, 200, 100)
    camera_of(viewer).zoom = 16
    small = stage.run(layer, area=VIEW, patch_size=(128, 128))
    assert not small.multiscale
    assert [each.name for each in viewer.layers] == ["cells", "cells_denoised"]
    plan = PredictionPlan.from_json(small.metadata["napari_tessera"])
    assert small.data.shape == plan.region.selected_shape
    start = [plan.region.along(letter)[0] for letter in "ZYX"]
    np.testing.assert_allclose(small.translate, np.multiply(start, (1, 0.5, 0.5)))


@pytest.mark.usefixtures("small_planes")
def test_removed_noise_of_a_plane_follows_tile_by_tile_at_its_smallest_level(stage: Stage) -> None:
    image = noisy((600, 600))
    viewer = stage.viewer
    layer = viewer.add_image(image, name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate, patch_size=(128, 128), batch_size=1)
    stage.until(RUNNING)
    stage.controller.show_removed_noise()
    noise = viewer.layers["cells_removed_noise"]
    viewer.layers["cells_denoised"].visible = False
    camera_of(viewer).zoom = 0.3
    stage.wait(lambda: noise.data_level == 1)
    assert np.isnan(drawn(noise)).all()
    gate.let(4)
    stage.wait(lambda: np.isfinite(drawn(noise)).any())
    gate.let(10_000)
    stage.until(DONE)
    expected = (image - blurred(image, "YX", patch_size=(128, 128)))[::2, ::2]
    stage.wait(lambda: np.isfinite(drawn(noise)).all())
    np.testing.assert_allclose(np.asarray(noise.data[-1]), expected)


@pytest.mark.usefixtures("small_planes")
@pytest.mark.parametrize("n", [3, 4])
def test_colours_of_a_large_plane(stage: Stage, n: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (600, 640, n), np.uint8)
    layer = stage.viewer.add_image(image, name="cells", rgb=True)
    output = stage.run(layer, patch_size=(128, 128))
    assert output.multiscale
    assert output.rgb
    assert [level.shape for level in output.data] == [(600, 640, n), (300, 320, n), (150, 160, n)]
    assert output.data[0].any()
    np.testing.assert_array_equal(output.data[2], output.data[0][::4, ::4])


@pytest.mark.usefixtures("small_planes")
def test_flip_disagreement_of_a_large_plane_has_limits_of_its_own_values(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((600, 600)), name="cells")
    stage.run(layer, patch_size=(128, 128))
    stage.controller.show_disagreement()
    stage.until(RUNNING)
    stage.until(DONE)
    (flips,) = stage.controller.results.disagreement
    assert flips.multiscale
    low, high = flips.contrast_limits
    assert low == 0 < high < 1


@pytest.mark.usefixtures("small_planes")
def test_a_volume_with_large_planes_is_shown_in_3d_by_its_smallest_level(stage: Stage) -> None:
    image = noisy((3, 600, 600))
    layer = stage.viewer.add_image(image, name="cells")
    stage.viewer.dims.ndisplay = 3
    output = stage.run(layer, patch_size=(128, 128))
    stage.wait(lambda: drawn(output).shape == (3, 300, 300))
    np.testing.assert_array_equal(drawn(output), output.data[0][:, ::2, ::2])
    stage.viewer.dims.ndisplay = 2
    stage.wait(lambda: drawn(output).ndim == 2)
