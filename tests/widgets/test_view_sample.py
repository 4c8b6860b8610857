from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_tessera.widgets.view_sample import SAMPLE_EDGE, sample_in_view


def test_only_finite_values_around_the_middle_of_the_slice_on_display() -> None:
    viewer = ViewerModel()
    data = np.zeros((3, 400, 600), np.float32)
    data[1] = 1
    data[1, 200] = np.nan
    layer = viewer.add_image(data)
    viewer.dims.set_current_step(0, 1)
    values = sample_in_view(viewer, layer, "ZYX", data)
    assert values.size == (SAMPLE_EDGE - 1) * SAMPLE_EDGE
    assert set(values) == {1}
