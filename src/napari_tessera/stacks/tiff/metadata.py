"""Axes, pixel size, units and channel names of an image in a TIFF file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tifffile import PHOTOMETRIC, TiffFile, TiffPage, TiffPageSeries

from napari_tessera.metadata import RGB, ImageMetadata
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.tiff.calibration import Calibration
from napari_tessera.stacks.tiff.ome import OmeImage
from napari_tessera.stacks.tiff.vendors import from_vendor
from napari_tessera.units import unit_name

_OUR_LETTERS = "TCZYX"
_WAVELENGTHS = "E"
_POSITIONS = {"lsm": "PM"}
_POSITIONS_ELSEWHERE = "RM"
_SAMPLES = "S"
_NO_UNIT, _CENTIMETER = 1, 3
_MICROMETERS_PER_CENTIMETER = 1e4
_MICROMETER = "micrometer"


def series_axes(series: TiffPageSeries) -> str:
    """Our axis letters for a series.

    T, C, Z, Y and X stay. The samples of RGB, S for tifffile, are C here, or S where the file has
    channels besides. Wavelengths are C where nothing else is. Positions, regions and mosaics are
    S where nothing else is. What remains (I, Q and the rarer letters) is guessed from the shape
    (`guess_axes`): a short axis is C, others Z, T, S by what is free.

    Raises
    ------
    ValueError
        If there are more axes than letters.
    """
    own = series.axes
    labels: list[str | None] = [letter if letter in _OUR_LETTERS else None for letter in own]

    def take(letters: str, ours: str) -> None:
        for letter in letters:
            if letter in own and ours not in labels and labels[own.index(letter)] is None:
                labels[own.index(letter)] = ours

    take(_SAMPLES + _WAVELENGTHS, "C")
    take(_SAMPLES + _POSITIONS.get(series.kind, _POSITIONS_ELSEWHERE), "S")
    return guess_axes(series.shape, axis_labels=labels)


def image_metadata(
    file: TiffFile, series: TiffPageSeries, ome: OmeImage | None, level: int
) -> ImageMetadata:
    """Metadata of one level of a series, from what the file's writer is known to tell.

    The steps of a level are those of the full size times the ratio of the sizes.

    Parameters
    ----------
    file : tifffile.TiffFile
        The open file.
    series : tifffile.TiffPageSeries
        One of its images, at full size.
    ome : OmeImage or None
        What OME-XML says of it.
    level : int
        Which level of its pyramid.
    """
    axes = series_axes(series)
    shape = series.levels[level].shape
    try:
        known = _known(file, series, ome)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        # what makes no sense counts as nothing: it is no reason not to open
        known = Calibration()
    factors = {
        letter: full / size for letter, full, size in zip(axes, series.shape, shape, strict=True)
    }
    return ImageMetadata(
        axes=axes,
        scale=tuple(known.scale.get(letter, 1.0) * factors[letter] for letter in axes),
        units=tuple(known.units.get(letter) for letter in axes),
        channel_names=known.channel_names,
        channel_colors=_colors(series, axes),
    )


def _colors(series: TiffPageSeries, axes: str) -> tuple[str, ...] | None:
    """Red, green and blue where the channels are the samples of RGB; alpha, if any, is white."""
    at = series.axes.find(_SAMPLES)
    # JPEG stores RGB as YCbCr, and it is read as RGB
    kinds = (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR)
    if at < 0 or axes[at] != "C" or series.keyframe.photometric not in kinds:
        return None
    count = int(series.shape[at])
    return RGB[:count] if 3 <= count <= len(RGB) else None


def _known(file: TiffFile, series: TiffPageSeries, ome: OmeImage | None) -> Calibration:
    """What is told by the richest source there is; what that leaves open, by the tags."""
    tags = from_tags(series.keyframe)
    if ome is not None:
        return from_ome(ome).completed(tags)
    if series.kind == "imagej":
        return from_imagej(file.imagej_metadata or {}, series.keyframe).completed(tags)
    if series is file.series[0]:
        return from_vendor(file).completed(tags)
    return tags


def from_ome(image: OmeImage) -> Calibration:
    """PhysicalSize, TimeIncrement and channel names of OME-XML."""
    known = Calibration()
    for letter in "XYZ":
        size, unit = f"PhysicalSize{letter}", f"PhysicalSize{letter}Unit"
        known.put(letter, image.pixels.get(size), image.pixels.get(unit, "µm"))
    increment, unit = image.pixels.get("TimeIncrement"), image.pixels.get("TimeIncrementUnit", "s")
    known.put("T", increment, unit)
    known.channel_names = image.channel_names if any(image.channel_names) else None
    return known


def from_imagej(description: Mapping[str, Any], page: TiffPage) -> Calibration:
    """Resolution tags in ImageJ's unit, slice spacing, frame interval and labels of planes.

    ImageJ leaves the spacing out where it is 1 unit. Its origin is left out here: it is often a
    leftover of cropping, and viewers do not agree on it.
    """
    known = Calibration()
    unit = description.get("unit")
    if unit is not None or page.tags.valueof("ResolutionUnit") == _NO_UNIT:
        for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
            known.put(letter, _step(page, tag), description.get(f"{letter.lower()}unit", unit))
    if unit_name(unit) is not None or "spacing" in description:
        known.put("Z", description.get("spacing", 1.0), description.get("zunit", unit))
    interval = description.get("finterval") or _inverse(description.get("fps"))
    known.put("T", interval, description.get("tunit", "s"))
    known.channel_names = _repeated_labels(description)
    return known


def _repeated_labels(description: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Labels of ImageJ's planes where they are the same for each channel, which they then name."""
    labels, channels = description.get("Labels"), description.get("channels", 1)
    if not isinstance(labels, list) or channels < 2 or len(labels) != description.get("images"):
        return None
    names = labels[:channels]
    if any(label != names[plane % channels] for plane, label in enumerate(labels)):
        return None
    return tuple(names) if any(names) else None


def from_tags(page: TiffPage) -> Calibration:
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
