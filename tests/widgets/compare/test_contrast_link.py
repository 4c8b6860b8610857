"""Contrast limits of input and output are the same, and nothing else's are touched."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.experimental import link_layers
from napari.layers import Image
from napari.layers.utils._link_layers import layer_is_linked
from tests.widgets.compare.conftest import flips_of, made_of, noise_of

from napari_tessera.widgets.compare.contrast_link import ContrastLink

PIXELS = np.zeros((8, 8), np.float32)


@pytest.fixture
def viewer(qapp: object) -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(PIXELS, name="cells", contrast_limits=(0, 10))
    return viewer


def test_whichever_is_changed_the_other_follows_once(viewer: ViewerModel) -> None:
    source = viewer.layers["cells"]
    link = ContrastLink(viewer)
    link.set_on(True)
    output = made_of(source, PIXELS)
    viewer.add_layer(output)
    said: list[str] = []
    source.events.contrast_limits.connect(lambda event: said.append("input"))
    output.events.contrast_limits.connect(lambda event: said.append("output"))
    output.contrast_limits = (2, 8)
    assert tuple(source.contrast_limits) == (2, 8)
    assert sorted(said) == ["input", "output"]
    source.contrast_limits = (1, 5)
    source.gamma = 0.5
    assert tuple(output.contrast_limits) == (1, 5)
    assert output.gamma == 0.5
    link.close()
    source.contrast_limits = (0, 7)
    assert tuple(output.contrast_limits) == (1, 5)
    assert not layer_is_linked(source)


def test_linking_changes_the_output_and_never_the_input(viewer: ViewerModel) -> None:
    source = viewer.layers["cells"]
    output = made_of(source, PIXELS, contrast_limits=(3, 4))
    output.gamma = 2.0
    viewer.add_layer(output)
    link = ContrastLink(viewer)
    assert tuple(output.contrast_limits) == (3, 4)
    link.set_on(True)
    assert tuple(source.contrast_limits) == tuple(output.contrast_limits) == (0, 10)
    assert source.gamma == output.gamma == 1
    link.set_on(False)
    output.contrast_limits = (3, 4)
    assert tuple(source.contrast_limits) == (0, 10)


def test_other_quantities_and_colours_are_not_linked(viewer: ViewerModel) -> None:
    source = viewer.layers["cells"]
    link = ContrastLink(viewer)
    link.set_on(True)
    output = made_of(source, PIXELS)
    others = [noise_of(output, PIXELS), flips_of(source, PIXELS), Image(PIXELS)]
    colours = Image(np.zeros((8, 8, 3), np.uint8), rgb=True)
    for layer in (output, *others, colours, made_of(colours, np.zeros((8, 8, 3), np.uint8))):
        viewer.add_layer(layer)
    before = [tuple(layer.contrast_limits) for layer in others]
    output.contrast_limits = (2, 3)
    assert [tuple(layer.contrast_limits) for layer in others] == before
    assert not layer_is_linked(colours)


def test_layers_that_go_are_unlinked(viewer: ViewerModel) -> None:
    source = viewer.layers["cells"]
    link = ContrastLink(viewer)
    link.set_on(True)
    first, second = made_of(source, PIXELS), made_of(source, PIXELS)
    viewer.add_layer(first)
    viewer.add_layer(second)
    viewer.layers.remove(first)
    source.contrast_limits = (1, 2)
    assert tuple(first.contrast_limits) == (0, 10)
    assert tuple(second.contrast_limits) == (1, 2)
    viewer.layers.remove(source)
    second.contrast_limits = (5, 6)
    assert tuple(source.contrast_limits) == (1, 2)


def test_what_somebody_linked_before_stays_linked(viewer: ViewerModel) -> None:
    source = viewer.layers["cells"]
    output = made_of(source, PIXELS)
    viewer.add_layer(output)
    link_layers([source, output], ("gamma",))
    link = ContrastLink(viewer)
    link.set_on(True)
    link.close()
    source.gamma = 0.7
    source.contrast_limits = (1, 2)
    assert output.gamma == 0.7
    assert tuple(output.contrast_limits) == (0, 10)
