"""What is held shows the input, and what is let go brings everything back."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from tests.widgets.compare.conftest import flips_of, made_of, noise_of

from napari_tessera.widgets.compare.flip import Flip

PIXELS = np.zeros((8, 8), np.float32)


class Layers:
    """An input, hidden as people have it, with output, removed noise and flip disagreement."""

    def __init__(self) -> None:
        self.viewer = ViewerModel()
        self.source = self.viewer.add_image(PIXELS, name="cells", visible=False)
        self.output = made_of(self.source, PIXELS)
        self.noise = noise_of(self.output, PIXELS)
        self.flips = flips_of(self.source, PIXELS)
        self.flips.visible = False
        self.other = Image(PIXELS, name="other")
        for layer in (self.output, self.noise, self.flips, self.other):
            self.viewer.add_layer(layer)
        self.flip = Flip(self.viewer)

    @property
    def shown(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers if layer.visible]


@pytest.fixture
def layers(qapp: object) -> Layers:
    return Layers()


BEFORE = ["cells_denoised", "cells_removed_noise", "other"]


def test_held_it_shows_the_input_and_let_go_what_was_there(layers: Layers) -> None:
    said: list[bool] = []
    layers.flip.held_changed.connect(said.append)
    layers.flip.hold()
    layers.flip.hold()
    assert layers.shown == ["cells", "other"]
    assert layers.flip.held
    layers.flip.release()
    layers.flip.release()
    assert layers.shown == BEFORE
    assert said == [True, False]


def test_where_no_result_is_on_display_nothing_is_flipped(layers: Layers) -> None:
    for layer in (layers.output, layers.noise):
        layer.visible = False
    layers.flip.hold()
    assert not layers.flip.held
    assert layers.shown == ["other"]


def test_what_is_shown_or_hidden_meanwhile_stays_so(layers: Layers) -> None:
    layers.flip.hold()
    layers.flips.visible = True
    layers.source.visible = False
    layers.noise.visible = True
    layers.noise.visible = False
    layers.flip.release()
    assert layers.shown == [
        "cells_denoised",
        "cells_removed_noise",
        "cells_flip_disagreement",
        "other",
    ]


def test_an_output_that_comes_meanwhile_is_seen_afterwards(layers: Layers) -> None:
    layers.flip.hold()
    second = made_of(layers.source, PIXELS, "second")
    layers.viewer.add_layer(second)
    assert not second.visible
    layers.flip.release()
    assert layers.shown == [*BEFORE, "second"]
    third = made_of(layers.source, PIXELS, "third")
    layers.viewer.add_layer(third)
    assert third.visible


def test_layers_that_go_meanwhile_go_as_they_were(layers: Layers) -> None:
    layers.flip.hold()
    layers.viewer.layers.remove(layers.noise)
    assert layers.noise.visible
    assert layers.flip.held
    # with the input goes what there is to flip to
    layers.viewer.layers.remove(layers.source)
    assert not layers.source.visible
    assert not layers.flip.held
    assert layers.shown == ["cells_denoised", "other"]


def test_of_a_chain_the_first_input_is_shown(layers: Layers) -> None:
    again = made_of(layers.output, PIXELS, "again")
    layers.viewer.add_layer(again)
    layers.flip.hold()
    assert layers.shown == ["cells", "other"]
    layers.flip.release()
    assert layers.shown == [*BEFORE, "again"]
