"""Image layers of napari as one image to be saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.transforms import Affine

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import LayerStack
from napari_tessera.stacks.axis_guess import letter_of
from napari_tessera.widgets.channel_look import ChannelLook, colour_looks, layer_look
from napari_tessera.widgets.layer_pixels import LayerChannels
from napari_tessera.widgets.output_layer import GUIDE_KEY

LayerTuple = tuple[Any, Mapping[str, Any], str]
"""Data, attributes and kind of a layer, as napari hands it to writers."""

_STRAIGHT = 1e-9
"""Share of the pixel size below which a rotation is one of rounding."""


@dataclass(frozen=True)
class LayersImage:
    """One image, made of one layer or of several that are its channels.

    Parameters
    ----------
    pixels : array-like
        Full size; gives pixels of a tuple of slices.
    axes : str
        Letters out of ``STCZYX``.
    metadata : ImageMetadata
        Of these axes.
    looks : tuple of ChannelLook
        How each channel is shown; one alone where a layer shows one channel after the other, or
        has none.
    origins : tuple of pathlib.Path
        Local files and folders that the pixels are read from.
    lost : tuple of str
        What no file format here keeps, one line each.
    """

    pixels: Any = field(repr=False)
    axes: str
    metadata: ImageMetadata
    looks: tuple[ChannelLook, ...]
    origins: tuple[Path, ...] = ()
    lost: tuple[str, ...] = ()


def image_of_layers(layers: Sequence[LayerTuple]) -> LayersImage:
    """Take layers for one image; no pixels are read.

    One layer is an image by itself: its colours (RGB) are its channels. Several layers become
    channels, in their order, under their names. Of multiscale layers the full size is taken.
    Scale, translation, units and axis labels are kept, and an affine transform as far as it
    scales and translates.

    Parameters
    ----------
    layers : sequence of tuple
        As `napari.layers.Layer.as_layer_data_tuple` gives them.

    Raises
    ------
    ValueError
        If there are no layers (those that only guide the eye are none), one of them is no
        intensity image, or they differ in shape, data type, axes, position or pixel size, in one
        line that says in what.
    """
    layers = [layer for layer in layers if not (layer[1].get("metadata") or {}).get(GUIDE_KEY)]
    if not layers:
        raise ValueError("no image layer is selected: select the layers to save")
    parts = [_Part(*layer) for layer in layers]
    lost = tuple(part.lost for part in parts if part.lost)
    origins = tuple(dict.fromkeys(path for part in parts for path in part.stack.origins))
    first = parts[0]
    if len(parts) == 1:
        looks = colour_looks(first.pixels) if first.rgb else (layer_look(first.attributes),)
        names = tuple(str(look.name) for look in looks) if first.rgb else None
        axes, metadata = first.stack.original_axes, _named(first.stack.metadata, names)
        return LayersImage(first.pixels, axes, metadata, looks, origins, lost)
    for part in parts:
        part.check_is_channel()
    for part in parts[1:]:
        first.check_like(part)
    axes = first.axes_as_channel
    looks = tuple(layer_look(part.attributes) for part in parts)
    names = tuple(part.name for part in parts)
    metadata = _named(first.stack.metadata.renamed(axes).with_axes(f"C{axes}"), names)
    pixels = LayerChannels(tuple(part.pixels for part in parts))
    return LayersImage(pixels, f"C{axes}", metadata, looks, origins, lost)


def _named(metadata: ImageMetadata, names: tuple[str, ...] | None) -> ImageMetadata:
    return ImageMetadata(metadata.axes, metadata.scale, metadata.units, metadata.translation, names)


@dataclass(frozen=True)
class _Source:
    """Where napari says that a layer was opened from."""

    path: str | None


class _Part:
    """One layer, with the attributes by which `LayerStack` knows layers."""

    def __init__(self, data: Any, attributes: Mapping[str, Any], kind: str = "image") -> None:
        self.attributes = attributes
        self.name = str(attributes.get("name") or "image")
        if kind != "image":
            raise ValueError(f"layer {self.name!r} holds {kind}: only image layers are saved here")
        self.data = data
        self.rgb = bool(attributes.get("rgb", False))
        self.multiscale = bool(attributes.get("multiscale", False))
        self.pixels = data[0] if self.multiscale else data
        self.axis_labels = tuple(attributes.get("axis_labels") or ())
        self.units = tuple(attributes.get("units") or ())
        self.source = _Source(attributes.get("path"))
        self.scale, self.translate, self.lost = _placed(attributes, self.ndim, self.name)
        self.stack = LayerStack(self)

    @property
    def ndim(self) -> int:
        """Axes that the layer has in the viewer: without the colours of RGB."""
        return len(self.pixels.shape) - self.rgb

    @property
    def axes_as_channel(self) -> str:
        """Axes where the layer is one channel of several.

        A short axis that says nothing of itself is taken for channels in a layer that stands
        alone; here the layers are the channels, so that it is another axis.
        """
        axes = self.stack.original_axes
        free = next(letter for letter in "ZTS" if letter not in axes)
        return axes.replace("C", free)

    def check_is_channel(self) -> None:
        """Raise ValueError unless the layer can be one channel of several."""
        if self.rgb:
            raise ValueError(f"layer {self.name!r} is RGB: save it by itself")
        if "C" in map(letter_of, self.axis_labels):
            raise ValueError(
                f"layer {self.name!r} has an axis of channels already: save it by itself, or split "
                "it into layers first"
            )
        if len(self.pixels.shape) > 5:
            raise ValueError(
                f"layer {self.name!r} has {len(self.pixels.shape)} axes and no room for channels: "
                "save it by itself"
            )

    def check_like(self, other: _Part) -> None:
        """Raise ValueError unless another layer lies pixel on pixel with this one."""
        for what, own, theirs in (
            ("shapes", self.pixels.shape, other.pixels.shape),
            ("data types", self.pixels.dtype, other.pixels.dtype),
            ("axes", self.axes_as_channel, other.axes_as_channel),
            ("scales", self.scale, other.scale),
            ("positions", self.translate, other.translate),
            ("units", self.stack.metadata.units, other.stack.metadata.units),
        ):
            if own != theirs:
                raise ValueError(
                    f"layers {self.name!r} and {other.name!r} cannot be channels of one image, "
                    f"their {what} differ ({_text(own)}, {_text(theirs)}): save them one by one"
                )


def _placed(
    attributes: Mapping[str, Any], ndim: int, name: str
) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Scale and translation of a layer in the world, and what of its position they leave out."""
    given = {
        key: attributes[key]
        for key in ("scale", "translate", "rotate", "shear")
        if attributes.get(key) is not None
    }
    own = Affine(ndim=ndim, **given)
    whole = own
    if attributes.get("affine") is not None:
        whole = Affine(affine_matrix=np.asarray(attributes["affine"]), ndim=ndim).compose(own)
    linear = np.asarray(whole.linear_matrix)
    steps = np.diagonal(linear)
    aside = np.abs(linear - np.diag(steps)).max()
    if (steps > 0).all() and aside <= _STRAIGHT * steps.min():
        return _floats(steps), _floats(whole.translate), ""
    return (
        _floats(np.abs(own.scale)),
        _floats(own.translate),
        f"layer {name!r} is rotated, sheared or mirrored in the viewer: its pixels, scale and "
        "translation are saved, as no format here keeps the rest",
    )


def _floats(values: Any) -> tuple[float, ...]:
    """Without the last digits, which differ between transforms that are composed."""
    return tuple(float(f"{float(value):.12g}") for value in values)


def _text(value: Any) -> str:
    return "×".join(map(_text_of, value)) if isinstance(value, tuple) else str(value)


def _text_of(part: Any) -> str:
    return "none" if part is None else f"{part:g}" if isinstance(part, float) else str(part)
