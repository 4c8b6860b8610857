"""Axes, pixel size and channel names of what bioio reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import xarray
from bioio_base.reader import Reader

from napari_tessera.metadata import RGB, ImageMetadata
from napari_tessera.units import unit_name

_NUMBERED = re.compile(r"Channel(:\d+)+")
_OURS = "TCZYX"
_SAMPLES = "S"
_RGB = 3
"""Samples of a pixel that are colours; fewer are grey, and alpha."""
_MICROMETER = "micrometer"
_SECOND = "second"


def scene_letters(dims: Sequence[Any], shape: Sequence[int], source: str) -> str:
    """Our letters for bioio's dimensions.

    T, C, Z, Y and X are the same. Its S are the samples of RGB: C here, or S where there are
    channels besides. Of any other (mosaic tiles, angles, phases, …) with more than one entry,
    one can be S. Letters of dimensions with one entry count for nothing; they are filled up.

    Raises
    ------
    ValueError
        If two dimensions would have to be S.
    """
    letters = [str(dim) if dim in _OURS else "" for dim in dims]
    sizes = dict(zip(map(str, dims), shape, strict=True))
    if _SAMPLES in sizes and sizes.get("C", 1) == 1 and sizes[_SAMPLES] > 1:
        if "C" in letters:
            letters[letters.index("C")] = ""
        letters[list(sizes).index(_SAMPLES)] = "C"
    others = [at for at, letter in enumerate(letters) if not letter and shape[at] > 1]
    if len(others) > 1:
        names = " and ".join(str(dims[at]) for at in others)
        raise ValueError(f"{source}: dimensions {names} have more than one entry; one can be S")
    for at in others:
        letters[at] = "S"
    free = iter(letter for letter in "SCTZ" if letter not in letters)
    return "".join(letter or next(free, "?") for letter in letters)


def scene_metadata(
    reader: Reader, known: xarray.DataArray, dims: Mapping[str, str]
) -> ImageMetadata:
    """What a reader knows of an image; what it fails to tell is unknown.

    Parameters
    ----------
    reader : bioio_base.reader.Reader
        At its scene and level.
    known : xarray.DataArray
        The lazy array.
    dims : mapping of str to str
        Its dimension for each of our letters.

    Notes
    -----
    bioio gives sizes of a pixel of the level, in µm where it does not name a unit.
    """
    scale, units = dict.fromkeys(dims, 1.0), dict.fromkeys(dims, "")
    sizes: Any = None
    properties: Any = None
    # readers fail in their own ways where metadata is incomplete, and pixels do not need it
    with suppress(Exception):
        sizes = reader.physical_pixel_sizes
    with suppress(Exception):
        properties = reader.dimension_properties
    for letter in "ZYX":
        size = getattr(sizes, letter, None)
        if dims.get(letter) == letter and size is not None and 0 < float(size) < float("inf"):
            unit = getattr(getattr(properties, letter, None), "unit", None)
            scale[letter] = float(size)
            units[letter] = (unit and unit_name(str(unit))) or _MICROMETER
    with suppress(Exception):
        step = reader.time_interval
        if dims.get("T") == "T" and step is not None and step.total_seconds() > 0:
            scale["T"], units["T"] = step.total_seconds(), _SECOND
    samples = int(known.sizes.get(_SAMPLES, 0))
    return ImageMetadata(
        axes="".join(dims),
        scale=tuple(scale.values()),
        units=tuple(unit or None for unit in units.values()),
        channel_names=_channel_names(known) if dims.get("C") == "C" else None,
        channel_colors=RGB[:samples] if dims.get("C") == _SAMPLES and samples >= _RGB else None,
    )


def _channel_names(known: xarray.DataArray) -> tuple[str, ...] | None:
    """Names of the channels, unless they are mere numbers, such as bioio's own ``Channel:0:1``."""
    names = known.coords["C"].values.tolist() if "C" in known.coords else []
    named = names and all(isinstance(name, str) and name for name in names)
    return tuple(names) if named and not all(map(_NUMBERED.fullmatch, names)) else None
