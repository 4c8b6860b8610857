"""Pictures have the grey levels that the layer shows."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtGui import QColor

from napari_tessera.widgets.compare.side_by_side.look import Look


def grey_at(look: Look, plane: np.ndarray, row: int, column: int) -> QColor:
    return look.picture(plane).pixelColor(column, row)


@pytest.mark.parametrize(("gamma", "wanted"), [(1.0, 64), (2.0, 16)])
def test_limits_and_gamma_are_the_layers(gamma: float, wanted: int) -> None:
    plane = np.array([[0, 50, 100], [200, 400, np.nan]], np.float32)
    look = Look.of(Image(plane, contrast_limits=(0, 200), gamma=gamma))
    assert grey_at(look, plane, 0, 0).red() == 0
    assert grey_at(look, plane, 0, 1).red() == pytest.approx(wanted, abs=1)
    assert grey_at(look, plane, 1, 0).red() == 255
    assert grey_at(look, plane, 1, 1).red() == 255
    assert grey_at(look, plane, 1, 1).alpha() == 255
    assert grey_at(look, plane, 1, 2).alpha() == 0


def test_the_colormap_is_the_layers() -> None:
    plane = np.array([[0, 1]], np.uint16)
    colour = grey_at(Look.of(Image(plane, colormap="magenta", contrast_limits=(0, 1))), plane, 0, 1)
    assert (colour.red(), colour.green(), colour.blue()) == (255, 0, 255)


def test_colours_are_shown_as_they_are() -> None:
    look = Look.of(Image(np.zeros((2, 2), np.uint8)))
    plane = np.zeros((3, 5, 4), np.uint8)
    plane[1, 2] = (10, 20, 30, 40)
    assert look.picture(plane[..., :3]).pixelColor(2, 1).getRgb() == (10, 20, 30, 255)
    assert look.picture(plane).pixelColor(2, 1).getRgb() == (10, 20, 30, 40)
