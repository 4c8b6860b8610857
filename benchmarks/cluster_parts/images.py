"""Images of noise on disk, and where results go."""

from __future__ import annotations

import shutil
from itertools import count, product
from pathlib import Path

import numpy as np
import zarr
from benchmarks.peers.checkpoint import noisy_image

from napari_tessera import open_stack
from napari_tessera.stacks import ImageStack

PLANE = 8192
"""Edge of the large plane."""

CHUNK = 256
SAME = 2048
"""Pixels after which the noise is the same again."""


class Image:
    """A Zarr array, uint16; made once.

    Parameters
    ----------
    folder : pathlib.Path
        Of the array, and of results, which `clear` removes.
    axes : str
        Of the array.
    shape : tuple of int
        Of the array.
    """

    def __init__(self, folder: Path, axes: str, shape: tuple[int, ...]) -> None:
        self.folder = folder
        self.axes = axes
        self.shape = shape
        self._results = folder / "results"
        self._numbers = count()
        noise = noisy_image(min(SAME, shape[-1]))
        chunks = (*(1 for _ in shape[:-2]), CHUNK, CHUNK)
        array = zarr.create_array(folder / "in.zarr", shape=shape, chunks=chunks, dtype="uint16")
        row = np.tile(noise, -(-shape[-1] // noise.shape[1]))[:, : shape[-1]]
        starts = range(0, shape[-2], len(row))
        for *planes, start in product(*map(range, shape[:-2]), starts):
            rows = slice(start, min(start + len(row), shape[-2]))
            array[(*planes, rows)] = row[: rows.stop - start]
        self.clear()

    @classmethod
    def plane(cls, folder: Path, size: int) -> Image:
        """One plane."""
        return cls(folder, "YX", (size, size))

    @classmethod
    def stack(cls, folder: Path, planes: int, size: int) -> Image:
        """Planes, one after the other."""
        return cls(folder, "ZYX", (planes, size, size))

    def __str__(self) -> str:
        return " × ".join(map(str, self.shape))

    def open(self) -> ImageStack:
        """The image."""
        return open_stack(self.folder / "in.zarr", self.axes)

    def result(self) -> Path:
        """A place that nothing was written to."""
        return self._results / f"{next(self._numbers)}.ome.zarr"

    def clear(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._results, ignore_errors=True)
        self._results.mkdir()
