"""What a layer says of itself, whether it shows one size or several."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_tessera.widgets.fields.layer_facts import pixels_of, shape_of


@pytest.mark.parametrize("multiscale", [False, True])
def test_pixels_and_shape_are_those_of_the_full_size(multiscale: bool) -> None:
    image = np.zeros((8, 40, 50, 3), np.uint8)
    levels = [image, image[:, ::2, ::2]]
    layer = Image(levels if multiscale else image, multiscale=multiscale, rgb=True)
    assert pixels_of(layer) is image
    assert shape_of(layer) == (8, 40, 50, 3)
