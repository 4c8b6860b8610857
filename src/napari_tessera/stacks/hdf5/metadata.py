"""Axes and pixel size of HDF5 datasets, by the conventions that are in use."""

from __future__ import annotations

import json
import re
from typing import Any

import h5py
import numpy as np

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.axis_guess import guess_axes, letter_of
from napari_tessera.stacks.hdf5.links import optional_node

_MICROMETER = "micrometer"
_BIG_DATA_VIEWER = re.compile(r"/t\d{5,}(/s\d{2,})/\d+/cells")
_IMARIS = re.compile(r"/DataSet/ResolutionLevel \d+/TimePoint \d+/Channel \d+/Data")


def dataset_axes(dataset: h5py.Dataset) -> str:
    """Axis letters of a dataset.

    Taken, in this order, from ilastik's ``axistags``, the dimension labels of HDF5, an attribute
    ``axes`` (one text of letters, or one word per axis), the names that BigDataViewer and Imaris
    give to their volumes, and the shape (`guess_axes`). MATLAB's arrays run Y, X, … in the file
    backwards.

    Raises
    ------
    ValueError
        If the dataset has too few or too many axes.
    """
    for labels in (_axistags(dataset)[0], _dimension_labels(dataset), _axes_attribute(dataset)):
        if len(labels) == dataset.ndim and any(letter_of(label) for label in labels):
            return guess_axes(dataset.shape, axis_labels=labels, chunks=dataset.chunks)
    if any(pattern.fullmatch(dataset.name) for pattern in (_BIG_DATA_VIEWER, _IMARIS)):
        return "ZYX"
    axes = guess_axes(dataset.shape, chunks=dataset.chunks)
    if "MATLAB_class" in dataset.attrs and axes.endswith("YX"):
        return axes[:-2] + "XY"
    return axes


def dataset_metadata(dataset: h5py.Dataset, axes: str) -> ImageMetadata:
    """Pixel size of a dataset, as far as one of the conventions in use tells it.

    These are ``element_size_um`` (Z, Y, X in µm: Fiji's HDF5 plugin, ImSwitch, Luxendo) and the
    resolutions in ilastik's ``axistags``, whose unit is unknown.
    """
    scale, units = dict.fromkeys(axes, 1.0), dict.fromkeys(axes, "")
    _, resolutions = _axistags(dataset)
    for letter, size in zip(axes, resolutions, strict=False):
        if _is_size(size):
            scale[letter] = float(size)
    sizes = np.ravel(dataset.attrs.get("element_size_um", ()))
    for letter, size in zip("XYZ", reversed(list(sizes)), strict=False):
        if letter in axes and _is_size(size):
            scale[letter], units[letter] = float(size), _MICROMETER
    return ImageMetadata(
        axes=axes,
        scale=tuple(scale.values()),
        units=tuple(unit or None for unit in units.values()),
    )


def stands_for(file: h5py.File, name: str) -> np.dtype[Any] | None:
    """Type that the pixels of a dataset stand for; None where it is the stored one.

    BigDataViewer stores unsigned 16-bit numbers as signed ones, as Java has no others, unless
    the group of the setup says otherwise in ``dataType``.
    """
    match = _BIG_DATA_VIEWER.fullmatch(name)
    stored = file[name].dtype
    if match is None or stored.kind != "i" or stored.itemsize != 2:
        return None
    setup = optional_node(file, match[1])
    if setup is not None and "dataType" in setup.attrs:
        return None
    unsigned: np.dtype[Any] = np.dtype(stored.str.replace("i", "u"))
    return unsigned


def _axistags(dataset: h5py.Dataset) -> tuple[list[str | None], list[Any]]:
    """Labels and resolutions in ilastik's description of the axes, a JSON text of vigra's."""
    try:
        axes = json.loads(text_of(dataset.attrs.get("axistags")) or "{}").get("axes", [])
        return [axis.get("key") for axis in axes], [axis.get("resolution") for axis in axes]
    except (ValueError, AttributeError, TypeError):
        return [], []


def _dimension_labels(dataset: h5py.Dataset) -> list[str | None]:
    return _texts(dataset.attrs.get("DIMENSION_LABELS"))


def _axes_attribute(dataset: h5py.Dataset) -> list[str | None]:
    texts = _texts(dataset.attrs.get("axes"))
    if len(texts) != 1 or texts[0] is None:
        return texts
    words = re.split(r"[\s,;:]+", texts[0].strip("[]() "))
    return list(words) if len(words) > 1 else list(words[0])


def _texts(value: Any) -> list[str | None]:
    if value is None:
        return []
    return [text_of(item) for item in np.ravel(np.asarray(value, dtype=object))]


def text_of(value: Any) -> str | None:
    """An attribute as text; None where it is none."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else None


def _is_size(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and 0 < float(value) < float("inf")
