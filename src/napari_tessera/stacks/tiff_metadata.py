"""Axes, pixel size, units and channel names from the metadata that TIFF files carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from tifffile import TiffFile, TiffPage, TiffPageSeries

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.units import unit_name

_OUR_LETTERS = "TCZYX"
_WAVELENGTHS = "E"
_SAMPLES = "S"
_CENTIMETER = 3
_MICROMETERS_PER_CENTIMETER = 1e4
_MICROMETER = "micrometer"


@dataclass
class Calibration:
    """Scale and unit by axis letter and channel names, as far as a file tells them."""

    scale: dict[str, float] = field(default_factory=dict)
    units: dict[str, str | None] = field(default_factory=dict)
    channel_names: tuple[str, ...] | None = None

    def put(self, letter: str, scale: Any, unit: str | None) -> None:
        """Take a positive, finite size of one step along an axis; anything else is unknown."""
        try:
            size = float(scale)
        except (TypeError, ValueError):
            return
        if 0 < size < float("inf"):
            self.scale[letter] = size
            self.units[letter] = unit_name(unit)


def series_axes(series: TiffPageSeries) -> str:
    """Our axis letters for a series.

    T, C, Z, Y and X stay. The samples of RGB, S for tifffile, are C here, or S where the file has
    channels besides. Wavelengths are C where nothing else is. What remains (I, Q and the rarer
    letters) is guessed from the shape (`guess_axes`): a short axis is C, others Z, T, S by what
    is free.
    """
    own = series.axes
    labels: list[str | None] = [letter if letter in _OUR_LETTERS else None for letter in own]
    for letter in _SAMPLES + _WAVELENGTHS:
        if letter in own and "C" not in labels:
            labels[own.index(letter)] = "C"
    if _SAMPLES in own and labels[own.index(_SAMPLES)] is None:
        labels[own.index(_SAMPLES)] = "S"
    return guess_axes(series.shape, axis_labels=labels)


def series_metadata(file: TiffFile, series: TiffPageSeries, level: int) -> ImageMetadata:
    """Metadata of one level of a series, from OME-XML, ImageJ's description or the TIFF tags.

    The steps of a level are those of the full size times the ratio of the sizes.
    """
    axes = series_axes(series)
    shape = series.levels[level].shape
    if series.kind == "ome" and file.ome_metadata:
        known = _from_ome(file.ome_metadata, series)
    elif series.kind == "imagej" and file.imagej_metadata is not None:
        known = _from_imagej(file.imagej_metadata, series.keyframe)
    else:
        known = _from_tags(series.keyframe)
    factors = {
        letter: full / size for letter, full, size in zip(axes, series.shape, shape, strict=True)
    }
    return ImageMetadata(
        axes=axes,
        scale=tuple(known.scale.get(letter, 1.0) * factors[letter] for letter in axes),
        units=tuple(known.units.get(letter) for letter in axes),
        channel_names=known.channel_names,
    )


def _from_ome(xml: str, series: TiffPageSeries) -> Calibration:
    """PhysicalSize, TimeIncrement and channel names of the series' Image element."""
    known = Calibration()
    try:
        images = [e for e in ElementTree.fromstring(xml) if _tag(e) == "Image"]
    except ElementTree.ParseError:
        return known
    named = [image for image in images if image.get("Name") == series.name]
    image = next(iter(named if len(named) == 1 else images), None)
    pixels = next((e for e in image if _tag(e) == "Pixels"), None) if image is not None else None
    if pixels is None:
        return known
    for letter in "XYZ":
        size, unit = f"PhysicalSize{letter}", f"PhysicalSize{letter}Unit"
        known.put(letter, pixels.get(size), pixels.get(unit, "µm"))
    known.put("T", pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    names = tuple(e.get("Name", "") for e in pixels if _tag(e) == "Channel")
    known.channel_names = names if any(names) else None
    return known


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _from_imagej(description: Mapping[str, Any], page: TiffPage) -> Calibration:
    """Resolution tags in ImageJ's unit, slice spacing and frame interval.

    ImageJ leaves the spacing out where it is 1 unit. Its origin is left out here: it is often a
    leftover of cropping, and viewers do not agree on it.
    """
    known = Calibration()
    unit = description.get("unit")
    for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
        known.put(letter, _step(page, tag), description.get(f"{letter.lower()}unit", unit))
    if unit_name(unit) is not None or "spacing" in description:
        known.put("Z", description.get("spacing", 1.0), description.get("zunit", unit))
    interval = description.get("finterval") or _inverse(description.get("fps"))
    known.put("T", interval, description.get("tunit", "s"))
    return known


def _from_tags(page: TiffPage) -> Calibration:
    """Resolution per centimeter; one per inch is for printing and says nothing of the sample."""
    known = Calibration()
    if page.tags.valueof("ResolutionUnit") == _CENTIMETER:
        for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
            step = _step(page, tag)
            if step:
                known.put(letter, step * _MICROMETERS_PER_CENTIMETER, _MICROMETER)
    return known


def _step(page: TiffPage, tag: str) -> float | None:
    """Units per pixel from a resolution tag, a fraction of pixels per unit."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2 or not all(value):
        return None
    return float(value[1]) / float(value[0])


def _inverse(value: Any) -> float | None:
    return 1 / value if isinstance(value, int | float) and value > 0 else None
