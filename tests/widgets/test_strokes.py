"""The strokes of a Labels layer, as this napari keeps them."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels, Shapes

from napari_tessera.widgets.strokes import REDO, UNDO, strokes_of


def test_napari_has_what_is_reached_for() -> None:
    layer = Labels(np.zeros((30, 30), int))
    assert hasattr(layer, UNDO), "napari keeps strokes elsewhere: undo is not noticed"
    assert hasattr(layer, REDO), "napari keeps strokes elsewhere: redo is not noticed"


def test_strokes_are_counted_as_they_are_taken_back() -> None:
    layer = Labels(np.zeros((30, 30), int))
    assert strokes_of(layer) == (0, 0)
    layer.paint((5, 5), 1)
    layer.paint((9, 9), 2)
    assert strokes_of(layer) == (2, 0)
    layer.undo()
    assert strokes_of(layer) == (1, 1)
    layer.redo()
    assert strokes_of(layer) == (2, 0)


def test_other_layers_have_none() -> None:
    assert strokes_of(Shapes()) == (0, 0)
    assert strokes_of(None) == (0, 0)
