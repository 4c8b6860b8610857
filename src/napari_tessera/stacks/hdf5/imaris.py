"""Imaris images: HDF5 files in which every time point and channel is a dataset of its own.

The layout is that of the "Imaris 5.5 file format description" (Bitplane, Oxford Instruments).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime
from itertools import product
from math import isfinite
from threading import Lock
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import Index
from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.hdf5.absent import UnwrittenChunks
from napari_tessera.stacks.hdf5.links import node_at, optional_node
from napari_tessera.stacks.hdf5.pixels import CACHED_BYTES, HDF5Pixels
from napari_tessera.stacks.patch_index import spans_of
from napari_tessera.units import unit_name

AXES = "TCZYX"
"""Axes of every Imaris image."""

_FEWEST_OPEN = 4
_MICROMETER = "um"


def is_imaris(file: h5py.File) -> bool:
    """Whether an HDF5 file is an Imaris image."""
    return isinstance(optional_node(file, _name(file, 0, 0, 0)), h5py.Dataset)


def count_levels(file: h5py.File) -> int:
    """How many resolution levels an Imaris image has."""
    return _count(node_at(file, _image_group(file)), "ResolutionLevel")


class ImarisPixels:
    """Array-like (T, C, Z, Y, X) over one resolution level of an Imaris image.

    The volumes used most recently stay open, each with its part of the memory for decoded chunks.

    Parameters
    ----------
    file : h5py.File
        An open file.
    level : int
        The resolution level, which is there (see `count_levels`); 0 is the full size.
    """

    gives_new_arrays = True
    """What is read is nobody else's memory, so that no copy of it is needed."""

    keeps_chunks = True
    """What is decoded is kept for a while, also where nobody asks for that."""

    def __init__(self, file: h5py.File, level: int) -> None:
        self._file = file
        self._level = level
        times = node_at(file, f"{_image_group(file)}/ResolutionLevel {level}")
        first = node_at(file, _name(file, level, 0, 0))
        # chunks are stored whole, so that the datasets may be larger than the image
        size = [_number(first.parent, f"ImageSize{letter}") for letter in "ZYX"]
        space = [
            stored if known is None else min(int(known), stored)
            for known, stored in zip(size, first.shape, strict=True)
        ]
        self.shape = (
            _count(times, "TimePoint"),
            _count(node_at(times, "TimePoint 0"), "Channel"),
            *space,
        )
        """Shape (T, C, Z, Y, X), without the padding of the datasets."""
        self.dtype: np.dtype[Any] = first.dtype
        """Type of the pixels."""
        self.chunks = None if first.chunks is None else (1, 1, *first.chunks)
        """Shape of a chunk."""
        self._most_open = max(_FEWEST_OPEN, self.shape[1])
        self._open: OrderedDict[tuple[int, int], HDF5Pixels] = OrderedDict()
        self._unwritten: dict[tuple[int, int], UnwrittenChunks] = {}
        self.fill_value: Any = first.fillvalue
        """What is read where nothing was written."""
        self._lock = Lock()

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        spans = spans_of(index)
        times, channels = (range(*span) for span in spans[:2])
        space = tuple(slice(*span) for span in spans[2:])
        block = np.empty([stop - start for start, stop in spans], self.dtype)
        for t, c in product(times, channels):
            block[t - times.start, c - channels.start] = self._volume(t, c)[space]
        kept = zip(spans, index, strict=True)
        return block.reshape([b - a for (a, b), i in kept if isinstance(i, slice)])

    @property
    def absent_chunks(self) -> int:
        """Distinct chunks, met so far, that were never written."""
        with self._lock:
            return sum(volume.count for volume in self._unwritten.values())

    def close(self) -> None:
        """Let go of the volumes that are open."""
        with self._lock:
            self._open.clear()

    def reason(self, index: Index, error: Exception) -> str:
        """Why a read failed: the volume, and in it the chunk, that cannot be read."""
        spans = [range(*span) for span in spans_of(index)]
        space = tuple(slice(span.start, span.stop) for span in spans[2:])
        for t, c in product(*spans[:2]):
            name = _name(self._file, self._level, t, c)
            try:
                volume = self._volume(t, c)
            except KeyError:
                return f"{name} is not in the file"
            except Exception as broken:
                return f"{name}: {error_line(broken)}"
            try:
                volume[space]
            except Exception as broken:
                return f"{name}: {volume.reason(space, broken)}"
        return error_line(error)

    def _volume(self, t: int, c: int) -> HDF5Pixels:
        with self._lock:
            volume = self._open.get((t, c))
            if volume is None:
                name = _name(self._file, self._level, t, c)
                volume = HDF5Pixels(
                    self._file,
                    name,
                    CACHED_BYTES // self._most_open,
                    unwritten=self._unwritten.get((t, c)),
                )
                self._open[t, c] = volume
                self._unwritten[t, c] = volume.unwritten
            self._open.move_to_end((t, c))
            while len(self._open) > self._most_open:
                self._open.popitem(last=False)
        return volume


def imaris_metadata(file: h5py.File, level_shape: tuple[int, ...]) -> ImageMetadata:
    """Pixel size, time step and channel names of an Imaris image at a level of some shape."""
    info = optional_node(file, _text(file, "DataSetInfoDirectoryName") or "DataSetInfo")
    scale, units = dict.fromkeys(AXES, 1.0), dict.fromkeys(AXES)
    if info is None:
        return ImageMetadata(AXES)
    image = optional_node(info, "Image")
    if image is not None:
        unit = unit_name(_text(image, "Unit") or _MICROMETER)
        for at, letter in enumerate("XYZ"):
            low, high = _number(image, f"ExtMin{at}"), _number(image, f"ExtMax{at}")
            size = level_shape[AXES.index(letter)]
            if low is not None and high is not None and 0 < high - low < float("inf"):
                scale[letter], units[letter] = (high - low) / size, unit
    step = _time_step(optional_node(info, "TimeInfo"), level_shape[0])
    if step is not None:
        scale["T"], units["T"] = step, "second"
    names = tuple(
        _text(optional_node(info, f"Channel {c}"), "Name") or "" for c in range(level_shape[1])
    )
    return ImageMetadata(
        axes=AXES,
        scale=tuple(scale.values()),
        units=tuple(units.values()),
        channel_names=names if all(names) else None,
    )


def _time_step(times: h5py.Group | None, count: int) -> float | None:
    """Seconds from one time point to the next, on average; time points are counted from 1."""
    first, last = _text(times, "TimePoint1"), _text(times, f"TimePoint{count}")
    if count < 2 or first is None or last is None:
        return None
    try:
        seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    except (TypeError, ValueError):
        # one with a time zone and one without cannot be compared
        return None
    return seconds / (count - 1) if seconds > 0 else None


def _image_group(file: h5py.File) -> str:
    return _text(file, "DataSetDirectoryName") or "DataSet"


def _name(file: h5py.File, level: int, t: int, c: int) -> str:
    within = f"ResolutionLevel {level}/TimePoint {t}/Channel {c}/Data"
    return f"/{_image_group(file)}/{within}"


def _count(group: h5py.Group, kind: str) -> int:
    """How many groups there are of a kind, numbered from 0."""
    pattern = re.compile(rf"{kind} (\d+)")
    numbers = (match for match in map(pattern.fullmatch, group) if match)
    return max((int(match[1]) + 1 for match in numbers), default=0)


def _number(group: h5py.Group, name: str) -> float | None:
    text = _text(group, name)
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if isfinite(number) else None


def _text(group: h5py.Group | None, name: str) -> str | None:
    """An attribute as text, which Imaris stores as an array of single characters."""
    value = None if group is None else group.attrs.get(name)
    if value is None:
        return None
    parts = np.ravel(value)
    if parts.dtype.kind in "biuf":
        return str(parts[0]) if len(parts) else None
    texts = (p.decode("latin-1") if isinstance(p, bytes) else str(p) for p in parts)
    return "".join(texts).strip(" \0") or None
