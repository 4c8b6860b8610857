"""What a napari image layer says of itself, as far as the dock has to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.stacks.axis_guess import guess_axes, letter_of

if TYPE_CHECKING:
    from napari.layers import Image

_OURS = "napari_tessera"


def is_ours(layer: Image) -> bool:
    """Whether the plugin made the layer: it then left a key of its own in the metadata."""
    return any(str(key).startswith(_OURS) for key in layer.metadata)


def pixels_of(layer: Image) -> Any:
    """Array of a layer: level 0 of a multiscale one."""
    return layer.data[0] if layer.multiscale else layer.data


def shape_of(layer: Image) -> tuple[int, ...]:
    """Shape of a layer's array, the colours of RGB included."""
    return tuple(int(size) for size in pixels_of(layer).shape)


def guessed_axes(layer: Image) -> str:
    """Axes as they will be guessed; empty where the image has too few or too many."""
    try:
        return guess_axes(shape_of(layer), bool(layer.rgb), layer.axis_labels)
    except ValueError:
        return ""


def channels_of(layer: Image, axes: str) -> int:
    """Number of channels that each could have a model of its own; the colours of RGB are one."""
    shape = shape_of(layer)
    if layer.rgb or "C" not in axes or len(axes) != len(shape):
        return 1
    return shape[axes.index("C")]


def is_unlabelled(layer: Image) -> bool:
    """Whether some axis beside the plane and the colours of RGB does not say what it is."""
    labels: Sequence[str] = layer.axis_labels
    known = [letter_of(label) for label in labels]
    return known.count(None) > (0 if {"Y", "X"} <= set(known) else 2) and bool(
        np.prod(shape_of(layer)[: len(labels) - 2], dtype=np.int64) > 1
    )
