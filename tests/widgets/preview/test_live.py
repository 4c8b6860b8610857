"""Live preview in a real window, used as a person does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import WAIT_MS, noisy
from tests.widgets.pointer import move

from napari_tessera import open_stack
from napari_tessera.models import load_model
from napari_tessera.prediction import predict
from napari_tessera.prediction.inference import TileModel
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.output_layer import PREVIEW_KEY
from napari_tessera.widgets.preview.live import LivePreview
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import DONE, IDLE, PREVIEW
from napari_tessera.widgets.worker import model_threads

LEFT = Qt.MouseButton.LeftButton


@dataclass
class Window:
    """A viewer with the dock in it."""

    viewer: Any
    dock: DenoiseDock
    qtbot: QtBot
    model: Path
    predicted: Counter[str] = field(default_factory=Counter)

    @property
    def live(self) -> LivePreview:
        return next(part for part in self.dock._parts if isinstance(part, LivePreview))

    @property
    def output(self) -> Any:
        return self.live.outputs[0].layer

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def open(self, image: Any, tile: int = 64, **look: Any) -> Any:
        """An image, a model and a tile size."""
        layer = self.viewer.add_image(image, **{"name": "cells", **look})
        self.dock.settings.model.value = self.model
        self.dock.settings.tiles.patch_size = (tile, tile)
        return layer

    def click(self, widget: Any) -> None:
        self.qtbot.mouseClick(getattr(widget, "native", widget), LEFT)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def turn_on(self) -> Any:
        """Click the toggle; gives the output once all in view is denoised."""
        self.click(self.live.controls.button)
        assert self.dock.controller.state == PREVIEW
        self.settle()
        return self.output

    def settle(self) -> None:
        """Wait until nothing is under way any more, and all that came is shown."""
        live = self.live
        timers = (live._look, live._settings, live._moves._first, live._moves._rest)
        self.wait(lambda: not (live.engine.working or any(t.isActive() for t in timers)))

    def zoom_to(self, y: float, x: float, zoom: float) -> None:
        """Look at a part of the plane."""
        self.viewer.scene.camera.center = (0, y, x)
        self.viewer.scene.camera.zoom = zoom
        self.settle()

    def drag(self, by: tuple[int, int]) -> None:
        """Drag the image with the mouse."""
        middle = self.canvas.rect().center()
        end = middle + QPoint(*by)
        QTest.mousePress(self.canvas, LEFT, pos=middle)
        for step in (1, 2, 3, 4):
            move(self.canvas, middle + (end - middle) * step / 4, LEFT)
            self.qtbot.wait(5)
        QTest.mouseRelease(self.canvas, LEFT, pos=end)


def blurred(image: Any, model: Path, axes: str, **settings: Any) -> Any:
    """What a run of everything makes."""
    settings = {"patch_size": (64, 64), **settings}
    loaded = load_model(model, device="cpu")
    return predict(open_stack(image, axes), loaded, torch_threads=model_threads(loaded), **settings)


@pytest.fixture
def window(
    make_napari_viewer: Any, qtbot: QtBot, blur: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Window]:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    window = Window(viewer, dock, qtbot, blur)
    batch = TileModel._batch

    def counted(self: TileModel, model: Any, tiles: Any, cut: Any) -> Any:
        window.predicted["tiles"] += len(tiles)
        return batch(self, model, tiles, cut)

    monkeypatch.setattr(TileModel, "_batch", counted)
    yield window
    dock.shut_down()
    window.wait(lambda: not window.live.engine.working)


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
    window.viewer.scene.camera.center = (0, 5000, 5000)
    window.wait(lambda: "nothing of" in message.message)
    assert message.level == "muted"


@pytest.mark.slow
def test_memory_is_shown_and_can_be_set(window: Window) -> None:
    window.open(noisy((600, 700)))
    window.viewer.scene.camera.zoom = 0.3
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
    window.viewer.scene.camera.zoom = 2
    window.qtbot.wait(200)
    assert len(live.cache) == 0
    window.wait(lambda: not any(t.name == "tessera-model" for t in threading.enumerate()))


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
