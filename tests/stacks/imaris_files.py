"""Imaris files, written by the published description of the format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def put_text(group: h5py.Group, **attributes: Any) -> None:
    """Set attributes as Imaris does: arrays of single characters."""
    for name, value in attributes.items():
        group.attrs[name] = np.array([c.encode() for c in str(value)], "S1")


def write_imaris(
    path: Path,
    levels: Sequence[Array],
    chunks: tuple[int, int, int] = (4, 16, 16),
    extent: Sequence[tuple[float, float]] = ((0, 10), (0, 20), (0, 3)),
    unit: str = "um",
    seconds: float = 2.5,
    names: Sequence[str] = (),
    compression: str | None = "gzip",
) -> None:
    """Write an image (T, C, Z, Y, X) at each of its levels.

    Every volume is padded to whole chunks, with a value that the image does not have.
    ``extent`` is from one edge of the image to the other along X, Y and Z.
    """
    with h5py.File(path, "w") as file:
        put_text(file, ImarisDataSet="ImarisDataSet", ImarisVersion="5.5.0")
        put_text(file, DataSetDirectoryName="DataSet", DataSetInfoDirectoryName="DataSetInfo")
        file.attrs["NumberOfDataSets"] = np.array([1], "uint32")
        for number, image in enumerate(levels):
            for t, c in np.ndindex(image.shape[:2]):
                group = file.create_group(
                    f"DataSet/ResolutionLevel {number}/TimePoint {t}/Channel {c}"
                )
                volume = image[t, c]
                sizes = dict(zip("ZYX", volume.shape, strict=True))
                put_text(group, **{f"ImageSize{letter}": n for letter, n in sizes.items()})
                padding = [(0, -n % size) for n, size in zip(volume.shape, chunks, strict=True)]
                padded = np.pad(volume, padding, constant_values=255)
                group.create_dataset("Data", data=padded, chunks=chunks, compression=compression)
        info = file.create_group("DataSetInfo")
        times, channels, z, y, x = levels[0].shape
        image_info = info.create_group("Image")
        put_text(image_info, X=x, Y=y, Z=z, Unit=unit)
        for at, (low, high) in enumerate(extent):
            put_text(image_info, **{f"ExtMin{at}": low, f"ExtMax{at}": high})
        for c, name in zip(range(channels), names, strict=False):
            put_text(info.create_group(f"Channel {c}"), Name=name)
        time_info = info.create_group("TimeInfo")
        put_text(time_info, DatasetTimePoints=times, FileTimePoints=times)
        start = np.datetime64("2024-02-28T23:59:58.000")
        for t in range(times):
            stamp = start + np.timedelta64(int(1000 * seconds * t), "ms")
            put_text(time_info, **{f"TimePoint{t + 1}": str(stamp).replace("T", " ")})
