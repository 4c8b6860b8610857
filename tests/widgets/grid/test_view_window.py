"""Which part of a slice is in view, and how long a canvas pixel is there."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.widgets.canvas_size import resize_canvas
from tests.widgets.conftest import noisy

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.grid.drawing import Window
from napari_tessera.widgets.grid.view_window import still_serves, window_on, with_margin


def test_of_a_scaled_and_moved_layer() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((4, 100, 100)), scale=(1, 2, 0.5), translate=(0, 10, 0))
    resize_canvas(viewer, 400, 600)
    camera_of(viewer).zoom = 2
    camera_of(viewer).center = (0, 110, 25)
    window = window_on(viewer, layer, "ZYX", "YX")
    # 200 × 300 of the world are in view.
    assert window.low == pytest.approx((0, 50 - 300))
    assert window.high == pytest.approx((100, 50 + 300))
    assert window.pixel == pytest.approx((1 / 2 / 2, 1 / 2 / 0.5))


@pytest.mark.parametrize("angle", [0, 30, 90, 200])
def test_of_a_turned_layer(angle: float) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((100, 100)), rotate=angle, scale=(2, 2))
    camera_of(viewer).zoom = 4
    camera_of(viewer).center = (0, *layer.data_to_world((50, 50)))
    window = window_on(viewer, layer, "YX", "YX")
    assert window.pixel == pytest.approx((1 / 8, 1 / 8))
    assert np.add(window.low, window.high) == pytest.approx([100, 100])


def test_of_another_unit() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((100, 100)), units=("nm", "nm"), scale=(500, 500))
    viewer.add_image(noisy((10, 10)), units=("um", "um"))
    camera_of(viewer).zoom = 40
    pixel = window_on(viewer, layer, "YX", "YX").pixel
    assert pixel == pytest.approx(np.full(2, 1 / 40 / 0.5 * _world_unit(viewer)))


def _world_unit(viewer: ViewerModel) -> float:
    """Micrometres in a unit of the world."""
    assert viewer.dims.units is not None
    return float((1 * viewer.dims.units[-1]).to("um").magnitude)


def test_what_was_drawn_serves_while_one_pans_and_zooms_a_little() -> None:
    window = Window((0, 0), (100, 200), (1, 1))
    drawn = with_margin(window)
    assert drawn.low == pytest.approx((-30, -60))
    assert drawn.high == pytest.approx((130, 260))
    assert still_serves(drawn, window)
    assert still_serves(drawn, Window((29, 59), (129, 259), (1.3, 1.3)))
    assert not still_serves(drawn, Window((31, 0), (131, 200), (1, 1)))
    assert not still_serves(drawn, Window((0, 0), (50, 100), (0.5, 0.5)))
