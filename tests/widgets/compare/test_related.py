"""Layers know their input by its id, whatever they are called."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from tests.widgets.compare.conftest import flips_of, made_of, noise_of

from napari_tessera.widgets.compare.related import kind_text, related_layers

PIXELS = np.zeros((8, 8), np.float32)


def test_an_input_is_found_with_all_that_was_made_of_it() -> None:
    viewer = ViewerModel()
    source = viewer.add_image(PIXELS, name="cells")
    viewer.add_image(PIXELS, name="others")
    viewer.add_points(name="cells_denoised")
    first, second = made_of(source, PIXELS), made_of(source, PIXELS, "any name")
    flips, noise = flips_of(source, PIXELS), noise_of(first, PIXELS)
    for layer in (noise, first, flips, second):
        viewer.add_layer(layer)
    (found,) = related_layers(viewer.layers)
    assert found.source is source
    assert found.outputs == (first, second)
    assert found.others == (flips, noise)
    assert found.made == (first, second, flips, noise)
    kinds = ["denoised", "denoised", "flip disagreement", "removed noise"]
    assert [kind_text(layer) for layer in found.made] == kinds
    assert found.is_seen
    for layer in found.made:
        layer.visible = False
    assert not found.is_seen


def test_without_input_or_output_nothing_is_related() -> None:
    viewer = ViewerModel()
    assert related_layers(viewer.layers) == ()
    source = viewer.add_image(PIXELS)
    assert related_layers(viewer.layers) == ()
    viewer.add_layer(made_of(source, PIXELS))
    viewer.layers.remove(source)
    assert related_layers(viewer.layers) == ()
