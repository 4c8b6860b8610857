"""Layers of an input and what was made of it, as runs leave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.flip_disagreement import FLIPS
from napari_tessera.widgets.output_layer import INPUT_KEY, OUTPUT_KEY


def made_of(source: Image, data: Any, name: str = "cells_denoised", **look: Any) -> Image:
    """A denoised layer as the dock leaves it."""
    look = {"contrast_limits": source.contrast_limits, **look}
    return Image(data, name=name, metadata={INPUT_KEY: source.unique_id}, **look)


def flips_of(source: Image, data: Any) -> Image:
    """A layer of flip disagreement."""
    metadata = {INPUT_KEY: source.unique_id, **FLIPS.says}
    return Image(data, name="cells_flip_disagreement", metadata=metadata)


def noise_of(output: Image, data: Any) -> Image:
    """A layer of removed noise."""
    metadata = {OUTPUT_KEY: output.unique_id}
    return Image(data, name="cells_removed_noise", metadata=metadata)


BLACK_WHITE = (0.0, 1.0)


@dataclass
class Canvas:
    """A real window with a black input and a white output, and what its canvas shows."""

    viewer: Any
    qtbot: QtBot

    @property
    def native(self) -> QWidget:
        widget: QWidget = self.viewer.window._qt_viewer.canvas.native
        return widget

    def pair(self, shape: tuple[int, ...] = (64, 64), **look: Any) -> tuple[Image, Image]:
        """Add an input that is 0 everywhere and an output that is 1."""
        look = {"contrast_limits": BLACK_WHITE, **look}
        source = self.viewer.add_image(np.zeros(shape, np.float32), name="cells", **look)
        output = made_of(source, np.ones(shape, np.float32), **look)
        self.viewer.add_layer(output)
        self.viewer.reset_view()
        return source, output

    def pixels(self) -> Any:
        """Grey levels of the canvas, 0 to 255, without what lies upon it."""
        shot = self.viewer.screenshot(canvas_only=True, flash=False)
        return shot[..., :3].mean(axis=-1)

    def row(self) -> Any:
        """The middle row of the canvas."""
        pixels = self.pixels()
        return pixels[pixels.shape[0] // 2]


@pytest.fixture
def canvas(make_napari_viewer: Any, qtbot: QtBot) -> Canvas:
    """A real window."""
    return Canvas(make_napari_viewer(show=True), qtbot)
