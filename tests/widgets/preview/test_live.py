"""Live preview in a real window, used as a person does."""

from __future__ import annotations

import numpy as np
import pytest
from tests.widgets.conftest import noisy
from tests.widgets.preview.window import Window, blurred

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.output_layer import PREVIEW_KEY
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import DONE, IDLE


def test_the_output_follows_pan_zoom_and_sliders(window: Window) -> None:
    image = noisy((3, 600, 700)).astype(np.uint16)
    whole = blurred(image, window.model, "ZYX")
    window.predicted.clear()
    source = window.open(image, axis_labels=("z", "y", "x"))
    window.zoom_to(150, 150, 2)
    output = window.turn_on()
    estimate = window.dock.run_row.estimate_button.native.text()
    assert "~" in estimate
    assert estimate.startswith("Everything: 360 tiles ~")
    assert window.dock.run_row.main_button.native.accessibleName() == "Finish everything"
    assert output.name == "cells_denoised"
    assert output.metadata[PREVIEW_KEY]
    shown = np.asarray(output.data)
    there = np.isfinite(shown)
    assert there[1, 150, 150]
    assert 0 < there.sum() < image[0].size / 2
    np.testing.assert_array_equal(shown[there], whole[there])
    np.testing.assert_array_equal(np.asarray(source.data), image)
    before = window.predicted["tiles"]
    assert before == len(window.live.cache)

    window.drag((-250, -200))
    window.settle()
    more = np.isfinite(np.asarray(output.data))
    assert (more >= there).all()
    assert more.sum() > there.sum()
    assert window.predicted["tiles"] == len(window.live.cache) > before

    window.viewer.dims.set_current_step(0, 0)
    window.settle()
    assert np.isfinite(np.asarray(output.data[0])).any()
    seen = window.predicted["tiles"]
    window.viewer.dims.set_current_step(0, 1)
    window.zoom_to(150, 150, 2)
    assert window.predicted["tiles"] == seen
    assert not window.dock.checks.isHidden()
    assert window.dock.checks.rows.rows["intensity"].mark.text() == "●"


@pytest.mark.slow
def test_other_settings_redo_only_what_is_visible_and_earlier_ones_are_there(
    window: Window,
) -> None:
    image = noisy((600, 700))
    window.open(image)
    window.zoom_to(150, 150, 4)
    output = window.turn_on()
    first = np.asarray(output.data)
    n_first = window.predicted["tiles"]
    window.dock.settings.advanced.intensity.range.value = "series"
    window.settle()
    window.dock.settings.tiles.patch_size = (96, 96)
    window.settle()
    assert window.live.outputs[0].plan.patch_size == (96, 96)  # type: ignore[union-attr]
    after = window.predicted["tiles"]
    assert 0 < after - n_first <= 3 * n_first
    assert np.isfinite(np.asarray(output.data)).mean() < 0.5
    window.dock.settings.tiles.patch_size = (64, 64)
    window.dock.settings.advanced.intensity.range.value = "auto"
    window.settle()
    assert window.predicted["tiles"] == after
    np.testing.assert_array_equal(np.asarray(output.data), first)
    assert len(window.viewer.layers) == 2


def test_finish_everything_predicts_only_what_is_missing_and_has_the_same_bytes(
    window: Window,
) -> None:
    image = noisy((2, 500, 600)).astype(np.uint16)
    window.open(image, axis_labels=("t", "y", "x"))
    whole = blurred(image, window.model, "TYX")
    window.predicted.clear()
    window.zoom_to(250, 300, 3)
    window.turn_on()
    cached = window.predicted["tiles"]
    assert cached > 4
    window.wait(lambda: not window.dock.reason())
    window.click(window.dock.run_row.main_button)
    window.wait(lambda: window.dock.controller.busy)
    assert not window.live.controls.button.isEnabled()
    assert "run goes on" in window.live.controls.button.toolTip()
    window.wait(lambda: window.dock.controller.state == DONE)
    assert window.live.controls.button.isEnabled()
    (output,) = window.dock.controller.results.outputs
    (run,) = window.dock.controller.runs
    assert run.request.area == EVERYTHING
    assert run.plan is not None
    assert window.predicted["tiles"] == run.plan.total_tiles
    assert np.asarray(output.data).tobytes() == whole.tobytes()
    assert not window.live.is_on
    assert not window.live.controls.button.isChecked()
    assert len(window.viewer.layers) == 2
    assert window.live.cache.used == 0
    # A full run is not overwritten by the next preview.
    window.turn_on()
    assert window.output is not output
    assert np.asarray(output.data).tobytes() == whole.tobytes()


@pytest.mark.slow
def test_a_plane_with_levels_shows_tiles_zoomed_out(window: Window) -> None:
    image = noisy((2100, 2050))
    window.open(image, tile=512)
    window.zoom_to(1050, 1025, 0.15)
    output = window.turn_on()
    assert output.multiscale
    assert [level.shape for level in output.data] == [(2100, 2050), (1050, 1025), (525, 513)]
    loaded = window.viewer.layers["cells_denoised"]._slice.image.raw
    assert np.isfinite(loaded).all()
    whole = blurred(image, window.model, "YX", patch_size=(512, 512))
    for i, level in enumerate(output.data):
        np.testing.assert_array_equal(np.asarray(level), whole[:: 2**i, :: 2**i])


@pytest.mark.slow
def test_colours_and_transforms(window: Window) -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)
    window.open(image, rgb=True, scale=(0.5, 0.5), rotate=30, translate=(7, 3))
    window.viewer.reset_view()
    output = window.turn_on()
    assert output.rgb
    assert np.asarray(output.data).shape == (300, 200, 4)
    assert (np.asarray(output.data)[..., 3] == 255).all()
    np.testing.assert_allclose(output.affine, window.viewer.layers["cells"].affine)
    np.testing.assert_allclose(output.rotate, window.viewer.layers["cells"].rotate)


def test_off_gives_memory_back_keeps_what_is_shown_and_on_reads_the_image_anew(
    window: Window,
) -> None:
    image = noisy((200, 220))
    source = window.open(image)
    output = window.turn_on()
    assert "off and on again" in window.live.controls.button.toolTip()
    before = np.asarray(output.data)
    assert np.isfinite(before).all()
    source.data[60:120, 60:120] += 500
    source.refresh()
    window.click(window.live.controls.button)
    assert window.live.cache.used == 0
    output.refresh()
    np.testing.assert_array_equal(np.asarray(output.data), before)
    assert window.turn_on() is output
    edited = blurred(np.asarray(source.data), window.model, "YX")
    np.testing.assert_array_equal(np.asarray(output.data), edited)


@pytest.mark.slow
def test_memory_is_shown_and_can_be_set(window: Window) -> None:
    window.open(noisy((600, 700)))
    camera_of(window.viewer).zoom = 0.3
    window.turn_on()
    live = window.live
    assert "of" in live.controls.button.toolTip()
    used = live.cache.used
    live.controls.memory.setRange(0.0001, 1)
    live.controls.memory.setDecimals(5)
    live.controls.memory.setValue(used / 2 / 10**9)
    window.settle()
    assert live.cache.used <= live.cache.budget == pytest.approx(used / 2, abs=10_000)
    assert "tiles in view fit into" in live.controls.message.message
    window.dock.settings.reset()
    window.dock.settings.advanced.copies.reset_wanted.emit()
    assert live.cache.budget > used


def test_the_tile_grid_follows_it_and_lets_go_of_it(window: Window) -> None:
    layer = window.open(noisy((256, 256)))
    tiles, grid = window.dock.settings.tiles, window.dock.controller.grid
    window.click(tiles.header)
    window.turn_on()
    source = window.live.outputs[0]
    window.wait(lambda: grid.counts is not None and grid.counts[2] == len(source.done()) > 0)
    assert "done" in tiles.legend.accessibleDescription()
    window.live.cache.forget(source.name)
    # The grid looks at it for a share of the time, and later where that is spent.
    grid.tick()
    window.wait(lambda: grid.counts is not None and grid.counts[2] == 0)
    window.click(window.live.controls.button)
    window.wait(lambda: window.dock.controller.state == IDLE)
    window.dock.settings.tiles.patch_size = (32, 32)
    # The tiles of the new settings, 32 pixels with an overlap, of the whole of what is in view.
    window.wait(lambda: grid.counts is not None and grid.counts[0] >= 64)
    window.viewer.layers.remove(layer)
    assert grid.counts is None
