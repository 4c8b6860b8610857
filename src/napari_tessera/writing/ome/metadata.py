"""What an OME-Zarr image says of itself, in version 0.5 and 0.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from yaozarrs import v04, v05

from napari_tessera.metadata import ImageMetadata
from napari_tessera.units import ome_unit
from napari_tessera.writing.chunks.levels import level_scale
from napari_tessera.writing.ome.plain_text import plain_text

OmeVersion = Literal["0.5", "0.4"]

OME_VERSIONS: tuple[OmeVersion, ...] = ("0.5", "0.4")
"""Versions that are written, the default first."""

LEVEL = "0"
"""Name of the full-size array."""

DOWNSAMPLING = "mean"
"""How a level is made of the one before; OME-Zarr calls it the type of a pyramid."""


def check_version(version: str) -> OmeVersion:
    """The version, if it is one that is written; else ValueError."""
    for known in OME_VERSIONS:
        if version == known:
            return known
    raise ValueError(f"OME-Zarr {version!r} is not written: use {' or '.join(OME_VERSIONS)}")


def zarr_format(version: OmeVersion) -> Literal[2, 3]:
    """Version of Zarr that a version of OME-Zarr is stored in."""
    return 2 if version == "0.4" else 3


def image_attributes(
    metadata: ImageMetadata,
    name: str,
    *,
    version: OmeVersion = "0.5",
    factors: Sequence[Sequence[int]] = (),
    omero: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the attributes of an image's group: below ``ome`` in 0.5, at the top in 0.4.

    Parameters
    ----------
    metadata : ImageMetadata
        In disk order (``TCZYX`` with what of it there is).
    name : str
        Name of the image.
    version : {"0.5", "0.4"}
        Version of OME-Zarr.
    factors : sequence of sequence of int
        For each level how many pixels of the first one become one along each axis (see
        `Level.total_factors`); default: one level. Levels are called ``0``, ``1``, ….
    omero : mapping, optional
        Channel names and display windows (see `channel_attributes`).

    Returns
    -------
    dict
        JSON-able and valid.
    """
    models: Any = _models(version)
    along = [metadata.along(letter) for letter in metadata.axes]
    multiscale = models.Multiscale(
        name=plain_text(name),
        type=DOWNSAMPLING if len(factors) > 1 else None,
        axes=[
            _axis(models, letter, unit)
            for letter, (_, unit, _) in zip(metadata.axes, along, strict=True)
        ],
        datasets=[
            models.Dataset(
                path=level_name(level),
                coordinateTransformations=_transformations(models, along, total),
            )
            for level, total in enumerate(factors or [(1,) * len(along)])
        ],
    )
    parts: dict[str, Any] = {} if omero is None else {"omero": models.Omero(**omero)}
    image = models.Image(multiscales=[multiscale], **parts)
    attributes: dict[str, Any] = image.model_dump(mode="json", exclude_none=True)
    return {"ome": attributes} if version == "0.5" else attributes


def level_name(level: int) -> str:
    """Name of a level's array in the image's group."""
    return str(level)


def stored_image(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a group's attributes that is OME's, of either version; empty if none is."""
    image = attributes.get("ome", attributes)
    return image if isinstance(image, Mapping) else {}


def with_omero(attributes: Mapping[str, Any], omero: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an image's attributes that changes when channel names and windows are known."""
    if "ome" in attributes:
        return {"ome": {**attributes["ome"], "omero": dict(omero)}}
    return {"omero": dict(omero)}


def n_levels(attributes: Mapping[str, Any]) -> int:
    """Number of levels that the attributes of an image's group name."""
    return len(stored_image(attributes)["multiscales"][0]["datasets"])


def _models(version: OmeVersion) -> ModuleType:
    return v05 if version == "0.5" else v04


def _transformations(
    models: Any, along: Sequence[tuple[float, str | None, float]], total: Sequence[int]
) -> list[Any]:
    scale, translation = level_scale(
        [step for step, _, _ in along], [start for _, _, start in along], total
    )
    transformations = [models.ScaleTransformation(scale=list(scale))]
    if any(translation):
        transformations.append(models.TranslationTransformation(translation=list(translation)))
    return transformations


def _axis(models: Any, letter: str, unit: str | None) -> Any:
    name = letter.lower()
    if letter == "T":
        return models.TimeAxis(name=name, unit=ome_unit(letter, unit))
    if letter == "C":
        return models.ChannelAxis(name=name)
    return models.SpaceAxis(name=name, unit=ome_unit(letter, unit))
