"""What OME-Zarr metadata says of an image, read leniently from a group's attributes.

Files in the wild deviate in details (units that no standard knows, axes as plain text), so nothing
here is validated: what is there is used, what is missing is left unknown. OME-Zarr 0.1 to 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.units import unit_name

_OLD_AXES = ("t", "c", "z", "y", "x")
"""Axes of every image before OME-Zarr 0.3, which does not store them."""


@dataclass(frozen=True)
class Multiscale:
    """One image of a group: where its levels are, and what they have in common.

    Parameters
    ----------
    paths : tuple of str
        Path of each level's array in the group, full size first.
    axes : tuple of mapping
        ``name``, ``type`` and ``unit`` of each axis, as far as known.
    transforms : tuple of sequence of mapping
        Coordinate transformations of each level, the image's own appended.
    channel_names : tuple of str or None
        Names of the channels.
    """

    paths: tuple[str, ...]
    axes: tuple[Mapping[str, Any], ...]
    transforms: tuple[Sequence[Mapping[str, Any]], ...]
    channel_names: tuple[str, ...] | None

    def letters(self, shape: Sequence[int]) -> str:
        """Axis letters for an array of this image; axes that are none of ours are guessed."""
        kinds = {"time": "t", "channel": "c"}
        labels = [kinds.get(axis.get("type", ""), axis.get("name")) for axis in self.axes]
        return guess_axes(shape, axis_labels=labels if len(labels) == len(shape) else None)

    def metadata(self, level: int, shape: Sequence[int]) -> ImageMetadata:
        """Axes, scale, units, translation and channel names of one level.

        The transformations of the level apply first, then those of the image:
        physical = scale · index + translation.
        """
        axes = self.letters(shape)
        scale, translation = [1.0] * len(shape), [0.0] * len(shape)
        for transform in self.transforms[level]:
            factors = _numbers(transform, "scale", len(shape), 1.0)
            offsets = _numbers(transform, "translation", len(shape), 0.0)
            scale = [value * by for value, by in zip(scale, factors, strict=True)]
            translation = [
                value * by + to for value, by, to in zip(translation, factors, offsets, strict=True)
            ]
        fitting = len(self.axes) == len(shape)
        return ImageMetadata(
            axes=axes,
            scale=tuple(scale),
            units=tuple(unit_name(axis.get("unit")) for axis in self.axes) if fitting else None,
            translation=tuple(translation),
            channel_names=self.channel_names,
        )


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The OME part of a group's attributes: below ``ome`` since 0.5, at the top before."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def read_multiscale(attributes: Mapping[str, Any]) -> Multiscale | None:
    """The (first) image that a group's attributes describe, or None."""
    ome = ome_attributes(attributes)
    images = ome.get("multiscales")
    if not isinstance(images, list) or not images or not images[0].get("datasets"):
        return None
    image = images[0]
    datasets = image["datasets"]
    axes = image.get("axes", _OLD_AXES)
    channels = ome.get("omero", {}).get("channels", ())
    names = tuple(str(channel.get("label", "")) for channel in channels)
    return Multiscale(
        paths=tuple(str(dataset["path"]) for dataset in datasets),
        axes=tuple(axis if isinstance(axis, Mapping) else {"name": str(axis)} for axis in axes),
        transforms=tuple(
            [
                *dataset.get("coordinateTransformations", ()),
                *image.get("coordinateTransformations", ()),
            ]
            for dataset in datasets
        ),
        channel_names=names if any(names) else None,
    )


def _numbers(transform: Mapping[str, Any], key: str, count: int, default: float) -> list[float]:
    """Values of a scale or translation; defaults where it is the other kind or does not fit."""
    values = transform.get(key)
    if transform.get("type") != key or not isinstance(values, list) or len(values) != count:
        return [default] * count
    return [float(value) for value in values]
