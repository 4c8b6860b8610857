"""What OME-Zarr metadata says of an image, read leniently from a group's attributes.

Files in the wild deviate in details (units that no standard knows, axes as plain text), so little
is validated: what is there and makes sense is used, the rest is left unknown. Only where the
levels are must be said. OME-Zarr 0.1 to 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.axis_guess import GuessedAxes, guess_axes, letter_of
from napari_tessera.stacks.checks import shown
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
        ``name``, ``type`` and ``unit`` of each axis, as far as known: text or None.
    transforms : tuple of sequence of mapping
        Coordinate transformations of each level, the image's own appended.
    channel_names : tuple of str or None
        Names of the channels.
    channel_colors : tuple of str or None
        Their colours, six hexadecimal digits each.
    """

    paths: tuple[str, ...]
    axes: tuple[Mapping[str, str | None], ...]
    transforms: tuple[Sequence[Mapping[str, Any]], ...]
    channel_names: tuple[str, ...] | None
    channel_colors: tuple[str, ...] | None

    def letters(self, shape: Sequence[int]) -> str:
        """Axis letters for an array of this image.

        Axes that are none of ours are guessed, and so are two that are both called X or Y.
        """
        kinds = {"time": "t", "channel": "c"}
        labels = [kinds.get(axis["type"] or "", axis["name"]) for axis in self.axes]
        if len(labels) != len(shape):
            return GuessedAxes(guess_axes(shape))
        letters = [letter_of(label) for label in labels]
        believed = [
            None if letter in ("Y", "X") and letters.count(letter) > 1 else label
            for label, letter in zip(labels, letters, strict=True)
        ]
        axes = guess_axes(shape, axis_labels=believed)
        return axes if sorted(axes) == sorted(map(str, letters)) else GuessedAxes(axes)

    def unused(self, level: int, count: int) -> tuple[str, ...]:
        """Transformations of a level that do not give each of ``count`` axes a usable number."""
        return tuple(
            f"{key} {shown(transform[key])}"
            for transform in self.transforms[level]
            for key in ("scale", "translation")
            if transform.get("type") == key
            and key in transform
            and not _usable(transform[key], key, count)
        )

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
            units=tuple(unit_name(axis["unit"]) for axis in self.axes) if fitting else None,
            translation=tuple(translation),
            channel_names=self.channel_names,
            channel_colors=self.channel_colors,
        )


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The OME part of a group's attributes: below ``ome`` since 0.5, at the top before."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def read_multiscale(attributes: Mapping[str, Any]) -> Multiscale | None:
    """The (first) image that a group's attributes describe, or None.

    Raises
    ------
    ValueError
        If an image is described, and it is not said where its levels are.
    """
    ome = ome_attributes(attributes)
    images = ome.get("multiscales")
    if images is None or images == []:
        return None
    image = images[0] if isinstance(images, list) else None
    datasets = image.get("datasets") if isinstance(image, Mapping) else None
    if not isinstance(image, Mapping) or not isinstance(datasets, list) or not datasets:
        raise ValueError("its OME-Zarr metadata names no datasets")
    axes = image.get("axes", _OLD_AXES)
    return Multiscale(
        paths=tuple(_path(level, dataset) for level, dataset in enumerate(datasets)),
        axes=tuple(_axis(axis) for axis in axes) if isinstance(axes, list | tuple) else (),
        transforms=tuple(
            [*_mappings(dataset, _TRANSFORMS), *_mappings(image, _TRANSFORMS)]
            for dataset in datasets
        ),
        channel_names=_channel_names(ome),
        channel_colors=_channel_colors(ome),
    )


_COLOR = re.compile("[0-9A-F]{6}")

_TRANSFORMS = "coordinateTransformations"


def _path(level: int, dataset: Any) -> str:
    """Where a level is. What would lead out of the group is no such place."""
    path = dataset.get("path") if isinstance(dataset, Mapping) else None
    if not isinstance(path, str | int) or not str(path).strip("/\\"):
        raise ValueError(f"its OME-Zarr metadata names no path of dataset {level}")
    if any(part in (".", "..") for part in re.split(r"[/\\]", str(path))):
        raise ValueError(
            f"its OME-Zarr metadata names dataset {level} {path!r}, which does not lead into it"
        )
    return str(path).strip("/")


def _axis(axis: Any) -> Mapping[str, str | None]:
    known = axis if isinstance(axis, Mapping) else {"name": axis}
    return {
        key: known[key] if isinstance(known.get(key), str) else None
        for key in ("name", "type", "unit")
    }


def _mappings(described: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Entries of a list that may be missing; those that are no objects are left out."""
    entries = described.get(key)
    return [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []


def _channel_colors(ome: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Colours of the channels; None unless each has one, as six hexadecimal digits."""
    omero = ome.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list) or not all(isinstance(c, Mapping) for c in channels):
        return None
    colors = tuple(str(channel.get("color", "")).removeprefix("#").upper() for channel in channels)
    return colors if colors and all(map(_COLOR.fullmatch, colors)) else None


def _channel_names(ome: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Labels of the channels; None where there is none, and where an entry is no channel."""
    omero = ome.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list) or not all(isinstance(c, Mapping) for c in channels):
        return None
    labels = (channel.get("label") for channel in channels)
    names = tuple("" if label is None else str(label) for label in labels)
    return names if any(names) else None


def _numbers(transform: Mapping[str, Any], key: str, count: int, default: float) -> list[float]:
    """Values of a scale or translation; defaults where it is the other kind or does not fit.

    A scale of 0, or of what is no number, says nothing of an axis.
    """
    values = transform.get(key)
    if transform.get("type") != key or not isinstance(values, list) or len(values) != count:
        return [default] * count
    return [_number(value, key, default) for value in values]


def _usable(values: Any, key: str, count: int) -> bool:
    """Whether all of a scale or translation is used."""
    return (
        isinstance(values, list)
        and len(values) == count
        # what is not used becomes the default, whatever that is
        and all(_number(value, key, 3.0) == _number(value, key, 5.0) for value in values)
    )


def _number(value: Any, key: str, default: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    usable = isfinite(number) and (number != 0 or key != "scale")
    return number if usable else default
