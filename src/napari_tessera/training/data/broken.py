"""Pixels that are no finite numbers, found before a training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.images import Images
from napari_tessera.training.data.reading import broken_pixels


@dataclass(frozen=True)
class Broken:
    """What is broken in images.

    Parameters
    ----------
    cells : dict from int to ndarray of bool
        Cells with such pixels, of samples that have any.
    pixels : int
        How many pixels there are.
    first : str
        Where the first one lies, in the image's own axes.
    """

    cells: dict[int, NDArray[np.bool_]]
    pixels: int
    first: str


def find_broken(images: Images, grid: CellGrid) -> Broken:
    """Look for pixels that are NaN, infinite, or infinite as float32, in all of both images."""
    cells: dict[int, NDArray[np.bool_]] = {}
    count, first = 0, ""
    stacks = [one for one in (images.noisy, images.target) if one is not None]
    if not any(stack.data_dtype.kind == "f" for stack in stacks):
        return Broken({}, 0, "")
    for sample in range(images.shape[0]):
        for pixels in images.read(sample, (0,) * len(images.space), images.space):
            if pixels is None or pixels.dtype.kind != "f":
                continue
            broken = broken_pixels(pixels)
            found = int(broken.sum())
            if not found:
                continue
            anywhere: NDArray[np.bool_] = np.any(broken, axis=0)
            if not count:
                first = images.where(sample, np.argwhere(anywhere)[0].tolist())
            count += found
            own = grid.sums(anywhere) > 0
            cells[sample] = own | cells[sample] if sample in cells else own
    return Broken(cells, count, first)
