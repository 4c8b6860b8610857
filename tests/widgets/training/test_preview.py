"""The layer that shows what a training has learned, in a real window, with real trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.pointer import move
from tests.widgets.training.conftest import Window, blocks

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.fields.layer_facts import is_ours
from napari_tessera.widgets.training.controller import DONE, PAUSED, TRAINING
from napari_tessera.widgets.training.view_denoiser import middle_of

# a window of its own for each test, for a minute in all
pytestmark = pytest.mark.slow

NAME = "cells training preview"
LEFT = Qt.MouseButton.LeftButton


def begin(window: Window, image: Any = None, **look: Any) -> Any:
    """A training that goes on until it is stopped, and its preview."""
    window.open(image, **look)
    # all of it is in view
    camera_of(window.viewer).zoom *= 0.8
    window.small(steps=100_000)
    window.train()
    window.wait(lambda: NAME in window.viewer.layers)
    return window.viewer.layers[NAME]


def end(window: Window) -> None:
    window.click(window.view.second)
    window.until(PAUSED)


def test_what_is_in_view_is_shown_and_changes_as_it_learns(window: Window) -> None:
    preview = begin(window, scale=(0.5, 0.5), translate=(3, 4), colormap="green")
    source = window.viewer.layers["cells"]
    assert preview.data.shape == (64, 64)
    assert np.isfinite(preview.data).all()
    assert np.allclose(preview.translate, source.translate)
    assert np.allclose(preview.scale, source.scale)
    assert preview.colormap.name == "green"
    assert tuple(preview.contrast_limits) == tuple(source.contrast_limits)
    assert is_ours(preview)
    assert window.viewer.layers.selection.active is source
    first = preview.data.copy()
    window.wait(lambda: not np.array_equal(preview.data, first))
    assert len(window.viewer.layers) == 2
    end(window)


def test_it_follows_the_hand_that_moves_the_image(window: Window) -> None:
    preview = begin(window, blocks((128, 128))[0])
    camera_of(window.viewer).zoom *= 5
    window.wait(lambda: preview.data.shape != (128, 128))
    before = preview.translate.copy()
    canvas = window.viewer.window._qt_viewer.canvas.native
    middle = canvas.rect().center()
    QTest.mousePress(canvas, LEFT, pos=middle)
    for step in (1, 2, 3, 4):
        move(canvas, middle + QPoint(40, 30) * step, LEFT)
        window.qtbot.wait(10)
    QTest.mouseRelease(canvas, LEFT, pos=middle + QPoint(160, 120))
    window.wait(lambda: not np.allclose(preview.translate, before))
    end(window)


def test_sliders_choose_the_plane(window: Window) -> None:
    preview = begin(window, blocks((5, 48, 48))[0], axis_labels=("z", "y", "x"))
    at = window.viewer.dims.current_step[0]
    assert preview.data.shape == (1, 48, 48)
    assert preview.translate[0] == at
    window.viewer.dims.set_current_step(0, 4)
    window.wait(lambda: preview.translate[0] == 4)
    end(window)


def test_colours_are_shown_as_colours(window: Window) -> None:
    plane = np.clip(blocks((64, 64))[0], 0, 255).astype(np.uint8)
    preview = begin(window, np.stack([plane, plane // 2, plane // 3], -1), rgb=True)
    assert preview.rgb
    assert preview.data.shape == (64, 64, 3)
    assert preview.data.dtype == np.uint8
    end(window)


def test_off_takes_the_layer_away_and_on_brings_it_back(window: Window) -> None:
    begin(window)
    window.click(window.view.preview_box)
    assert NAME not in window.viewer.layers
    window.wait(lambda: not window.dock.preview.at_work)
    assert NAME not in window.viewer.layers
    window.click(window.view.preview_box)
    window.wait(lambda: NAME in window.viewer.layers)
    end(window)


def test_who_removes_the_layer_has_switched_it_off(window: Window) -> None:
    preview = begin(window)
    window.viewer.layers.remove(preview)
    window.wait(lambda: not window.view.preview_box.value)
    steps = window.dock.controller.progress.step
    window.steps_done(steps + 3)
    assert NAME not in window.viewer.layers
    end(window)


def test_the_next_training_has_the_same_layer(window: Window) -> None:
    preview = begin(window)
    end(window)
    assert preview in window.viewer.layers
    window.wait(lambda: "Continue" in window.view.main.text())
    data = preview.data.copy()
    window.click(window.view.main)
    window.wait(lambda: not np.array_equal(preview.data, data))
    assert window.state == TRAINING
    window.click(window.view.main)
    window.until(DONE)
    assert [layer.name for layer in window.viewer.layers] == ["cells", NAME]


@given(
    start=st.integers(0, 5000),
    height=st.integers(1, 9000),
    width=st.integers(1, 9000),
    most=st.integers(1, 2**21),
)
def test_no_more_than_the_middle_of_a_large_view(
    start: int, height: int, width: int, most: int
) -> None:
    seen = {"T": 3, "Y": slice(start, start + height), "X": slice(0, width)}
    part = middle_of(seen, most)
    assert part["T"] == 3
    for letter in "YX":
        own, whole = part[letter], seen[letter]
        assert isinstance(own, slice)
        assert isinstance(whole, slice)
        assert whole.start <= own.start < own.stop <= whole.stop
        assert abs((own.start - whole.start) - (whole.stop - own.stop)) <= 1
    shape = [part[letter].stop - part[letter].start for letter in "YX"]  # type: ignore[union-attr]
    # one pixel of each axis is left
    assert shape[0] * shape[1] <= max(most, height, width)


def test_a_preview_that_fails_says_why_and_the_training_goes_on(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_tessera.widgets.training import preview as module

    def fail(self: Any, selection: Any) -> Any:
        raise MemoryError("no room for a preview")

    monkeypatch.setattr(module.ViewDenoiser, "denoise", fail)
    window.open()
    window.train()
    window.wait(lambda: "no room" in window.view.preview_note.message or window.state == DONE)
    window.until(DONE)
    assert NAME not in window.viewer.layers
