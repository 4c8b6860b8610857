"""A napari layer as the image that is denoised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.stacks import LayerStack

if TYPE_CHECKING:
    from napari.layers import Image


def open_layer(layer: Image, axes: str | None = None) -> LayerStack:
    """Open a layer's image (level 0 of a multiscale one; of an rgb one the three colours).

    Reads no pixels. The image is that of the moment: data that the layer gets later is not seen.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer; it is never changed.
    axes : str, optional
        One letter per axis, with or without the C of an rgb layer; by default guessed.

    Raises
    ------
    ValueError
        If the axes or the type of the pixels do not go with the layer.
    """
    return LayerStack(layer, axes)


def layer_letters(layer: Image, axes: str) -> str:
    """Letters of the dimensions that the layer has in the viewer.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    axes : str
        Axes of its data. The colour axis of an rgb layer, the last, is no dimension.
    """
    return axes[: layer.ndim]
