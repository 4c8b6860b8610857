"""A live preview while images, settings and layers change, and at its end."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tests.widgets.conftest import noisy
from tests.widgets.preview.window import Window, blurred

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.run_state import DONE, IDLE, PREVIEW


@pytest.mark.slow
def test_layers_that_are_renamed_moved_replaced_and_removed(window: Window) -> None:
    source = window.open(noisy((200, 220)))
    output = window.turn_on()
    source.name = "nuclei"
    source.scale = (2, 2)
    source.translate = (5, 6)
    window.wait(lambda: output.name == "nuclei_denoised")
    np.testing.assert_array_equal(output.scale, (2, 2))
    np.testing.assert_array_equal(output.translate, (5, 6))

    other = noisy((240, 180), 5)
    source.data = other
    window.wait(lambda: window.live.outputs and window.output.data.shape == (240, 180))
    window.viewer.reset_view()
    window.settle()
    expected = blurred(other, window.model, "YX")
    np.testing.assert_array_equal(np.asarray(window.output.data), expected)
    assert len(window.viewer.layers) == 2
    assert len(window.live.cache) == window.live.outputs[0].plan.total_tiles  # type: ignore[union-attr]

    window.viewer.layers.remove(window.output)
    assert not window.live.is_on
    assert window.dock.controller.state == IDLE
    window.turn_on()
    window.viewer.layers.remove(source)
    window.settle()
    assert len(window.live.cache) == 0


def test_finish_everything_of_settings_that_do_not_fit_is_refused_and_the_preview_stays(
    window: Window,
) -> None:
    window.open(noisy((200, 220)))
    output = window.turn_on()
    window.wait(lambda: not window.dock.reason())
    dock = window.dock
    dock.settings.tiles.patch_size = (2, 2)
    # Nobody has looked at these settings yet.
    assert dock.reason() == ""
    window.click(dock.run_row.main_button)
    window.wait(lambda: dock.reason() != "")
    assert dock.controller.state == PREVIEW
    assert window.live.controls.button.isChecked()
    assert not dock.run_row.main_button.native.isEnabled()
    dock.settings.tiles.patch_size = (48, 48)
    # What fits is looked at, and then run.
    window.wait(lambda: dock.run_row.main_button.native.isEnabled())
    window.click(dock.run_row.main_button)
    window.wait(lambda: dock.controller.state == DONE)
    assert output in window.viewer.layers
    (run,) = dock.controller.runs
    assert run.plan is not None
    assert run.plan.patch_size == (48, 48)


def test_an_output_that_is_given_other_data_is_left_alone(window: Window) -> None:
    image = noisy((200, 220))
    window.open(image)
    foreign = window.turn_on()
    window.click(window.dock.checks.noise_button)
    noise = window.viewer.layers["cells_removed_noise"]
    theirs = np.ones((50, 40), np.float32)
    foreign.data = theirs
    window.wait(lambda: window.output is not foreign and window.output in window.viewer.layers)
    window.settle()
    whole = blurred(image, window.model, "YX")
    np.testing.assert_array_equal(np.asarray(window.output.data), whole)
    np.testing.assert_array_equal(np.asarray(noise.data), image - whole)
    assert foreign.data is theirs
    assert foreign in window.viewer.layers
    window.click(window.live.controls.button)
    again = window.turn_on()
    assert again is not foreign
    assert foreign.data is theirs


@pytest.mark.slow
def test_removed_noise_goes_with_the_image_that_it_is_of(window: Window) -> None:
    source = window.open(noisy((3, 100, 110)), axis_labels=("z", "y", "x"))
    window.turn_on()
    window.click(window.dock.checks.noise_button)
    assert "cells_removed_noise" in window.viewer.layers
    source.data = noisy((90, 80), 5)
    window.wait(lambda: bool(window.live.outputs) and window.output.data.shape == (90, 80))
    assert "cells_removed_noise" not in window.viewer.layers
    window.settle()
    window.viewer.reset_view()
    window.settle()
    window.click(window.dock.checks.noise_button)
    noise, output = window.viewer.layers["cells_removed_noise"], window.output
    # Other pixels of the same shape: the difference is to these.
    other = noisy((90, 80), 6)
    source.data = other
    window.qtbot.wait(600)
    window.settle()
    whole = blurred(other, window.model, "YX")
    np.testing.assert_array_equal(np.asarray(output.data), whole)
    np.testing.assert_array_equal(np.asarray(noise.data), other - whole)
    # Both stay as they are without their image.
    window.viewer.layers.remove(source)
    window.settle()
    np.testing.assert_array_equal(np.asarray(output.data), whole)
    np.testing.assert_array_equal(np.asarray(noise.data), other - whole)


@pytest.mark.slow
def test_another_image_is_followed_when_it_is_selected(window: Window) -> None:
    first = window.open(noisy((100, 120)))
    window.turn_on()
    second = window.viewer.add_image(noisy((80, 90), 1), name="other")
    window.viewer.layers.selection = {second}
    window.wait(lambda: "other_denoised" in window.viewer.layers)
    window.settle()
    assert np.isfinite(np.asarray(window.viewer.layers["other_denoised"].data)).all()
    n = window.predicted["tiles"]
    window.viewer.layers.selection = {first}
    window.qtbot.wait(200)
    window.settle()
    assert window.predicted["tiles"] == n
    window.viewer.layers.selection = {first, second}
    window.qtbot.wait(200)
    window.settle()
    assert {output.source for output in window.live.outputs} == {first, second}


def test_what_is_wrong_is_said_and_the_next_change_mends_it(window: Window) -> None:
    window.open(noisy((100, 120)))
    window.turn_on()
    gone = window.model.with_name("gone.pt")
    window.dock.settings.model.value = gone
    message = window.live.controls.message
    window.wait(lambda: "gone.pt" in message.message)
    assert window.dock.controller.state == PREVIEW
    window.dock.settings.model.value = window.model
    window.settle()
    window.wait(lambda: message.message == "Live: what is in view is denoised")
    camera_of(window.viewer).center = (0, 5000, 5000)
    window.wait(lambda: "nothing of" in message.message)
    assert message.level == "muted"


@pytest.mark.slow
def test_removed_noise_is_of_what_the_preview_shows(window: Window) -> None:
    image = noisy((200, 220))
    window.open(image)
    output = window.turn_on()
    window.click(window.dock.checks.noise_button)
    noise = window.viewer.layers["cells_removed_noise"]
    np.testing.assert_array_equal(np.asarray(noise.data), image - np.asarray(output.data))


@pytest.mark.slow
def test_closing_the_dock_ends_the_thread_and_leaves_the_layer(window: Window) -> None:
    window.open(noisy((2000, 2000)), tile=32)
    window.click(window.live.controls.button)
    window.wait(lambda: len(window.live.cache) > 2 and bool(window.live.outputs))
    live, output = window.live, window.output
    window.viewer.window.remove_dock_widget(window.dock)
    window.wait(lambda: not live.engine.working)
    assert not live.is_on
    assert output in window.viewer.layers
    assert np.isfinite(np.asarray(output.data)).any()
    camera_of(window.viewer).zoom = 2
    window.qtbot.wait(200)
    assert len(live.cache) == 0
    window.wait(lambda: not any(t.name == "tessera-model" for t in threading.enumerate()))
