"""The axis order that OME files have, and how an output gets there.

OME-Zarr and OME-TIFF know time, channel and two or three axes of space, and no samples. So S and T
become one axis T on disk, S-major as everywhere else: sample 1 follows the last time point of
sample 0. The plugin's own attributes keep the shape, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

from numpy.typing import NDArray

from napari_tessera.axes import AXES
from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.writing.region_metadata import region_metadata


@dataclass(frozen=True)
class OmeOrder:
    """An array of any axis order as T, C, Z, Y, X with what of it there is.

    Parameters
    ----------
    axes : str
        Letters out of ``STCZYX`` in the array's order.
    shape : tuple of int
        The array's shape.
    """

    axes: str
    shape: tuple[int, ...]

    @property
    def disk_axes(self) -> str:
        """Letters out of ``TCZYX`` in this order; T where the array has S, T or both."""
        time = "T" if "S" in self.axes or "T" in self.axes else ""
        return time + "".join(letter for letter in "CZYX" if letter in self.axes)

    @property
    def plane_axes(self) -> str:
        """Letters of `disk_axes` in the order in which planes lie in a TIFF file: T, Z, C."""
        return "".join(letter for letter in "TZCYX" if letter in self.disk_axes)

    @property
    def disk_shape(self) -> tuple[int, ...]:
        """Shape in the order of `disk_axes`."""
        return self._merged(self.shape)

    @property
    def merges_samples(self) -> bool:
        """Whether more than one sample goes into T."""
        return "S" in self.axes and self.shape[self.axes.index("S")] > 1

    @cached_property
    def _permutation(self) -> list[int]:
        return [self.axes.index(letter) for letter in AXES if letter in self.axes]

    def _merged(self, shape: Sequence[int]) -> tuple[int, ...]:
        sizes = dict(zip(self.axes, shape, strict=True))
        return tuple(
            sizes.get("S", 1) * sizes.get("T", 1) if letter == "T" else sizes[letter]
            for letter in self.disk_axes
        )

    def to_disk(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bring an array, or a block of it with one sample or all time points, to disk order."""
        return array.transpose(self._permutation).reshape(self._merged(array.shape))

    def to_disk_slices(self, target: Sequence[slice]) -> tuple[slice, ...]:
        """Slices on disk of a block with one sample."""
        parts = dict(zip(self.axes, target, strict=True))
        if "S" in parts:
            n_times = self.shape[self.axes.index("T")] if "T" in self.axes else 1
            sample, time = parts["S"], parts.get("T", slice(0, 1))
            if sample.stop - sample.start != 1:
                raise ValueError(f"a block of samples {sample.start}…{sample.stop - 1} is not one")
            first = sample.start * n_times
            parts["T"] = slice(first + time.start, first + time.stop)
        return tuple(parts[letter] for letter in self.disk_axes)


def disk_metadata(metadata: ImageMetadata, region: Region) -> ImageMetadata:
    """Metadata of a region as it lies on disk.

    Parameters
    ----------
    metadata : ImageMetadata
        Of the whole image.
    region : Region
        The part that is written, over the output's axes.

    Returns
    -------
    ImageMetadata
        Axes in disk order, every entry filled in. The region's start is added to the
        translation; evenly spaced indices widen the step. Where T holds several samples its
        steps are no times: scale 1, no unit. Channels have scale 1 and translation 0, and their
        names only where there is one for each channel of the output. A step that is 0 or no number
        counts as unknown.
    """
    order = OmeOrder(region.axes, region.selected_shape)
    part = region_metadata(metadata, region)
    no_times = order.merges_samples or "T" not in region.axes
    along = [
        (1.0, None, 0.0) if letter == "T" and no_times else _known(*part.along(letter))
        for letter in order.disk_axes
    ]
    return ImageMetadata(
        axes=order.disk_axes,
        scale=tuple(float(scale) for scale, _, _ in along),
        units=tuple(unit for _, unit, _ in along),
        translation=tuple(float(translation) for _, _, translation in along),
        channel_names=part.channel_names,
        channel_colors=part.channel_colors,
    )


def _known(scale: float, unit: str | None, translation: float) -> tuple[float, str | None, float]:
    """Scale, unit and translation as far as they are numbers: JSON and XML have no other."""
    if not isfinite(scale) or not scale:
        return 1.0, None, 0.0
    return scale, unit, translation if isfinite(translation) else 0.0
