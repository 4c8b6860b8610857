"""Runs of known pixels written into images, and what their levels must be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import zarr

from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions


def write(
    where: Any,
    image: Any,
    *,
    order: Sequence[int] | None = None,
    options: ImageOptions | None = None,
    overwrite: bool = False,
    **run: Any,
) -> None:
    """Write tiles one by one; all of them unless an order says which."""
    writer = OmeImageRun(where, image.run(**run), options=options, overwrite=overwrite)
    for tile in image.tiles(order):
        writer.add([tile])
    writer.close(completed=order is None)


def halved(pixels: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Means of the pixels that have a value, worked out pixel by pixel of the smaller array."""
    shape = [-(-size // factor) for size, factor in zip(pixels.shape, factors, strict=True)]
    padded = np.full([n * f for n, f in zip(shape, factors, strict=True)], np.nan)
    padded[tuple(slice(size) for size in pixels.shape)] = pixels
    split = [n for pair in zip(shape, factors, strict=True) for n in pair]
    blocks = padded.reshape(split)
    axes = tuple(range(1, 2 * pixels.ndim, 2))
    count = np.isfinite(blocks).sum(axis=axes)
    total = np.nansum(blocks, axis=axes)
    return np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)


def check_levels(group: zarr.Group, shapes: Sequence[tuple[int, ...]], expected: Any) -> None:
    """The levels of a group as plain zarr reads them."""
    levels = [group[str(level)] for level in range(len(shapes))]
    assert [level.shape for level in levels] == list(shapes)
    assert str(len(shapes)) not in group
    np.testing.assert_array_equal(levels[0][:], expected)
    for before, level in pairwise(levels):
        below = np.asarray(before[:], np.float64)
        factors = [-(-n // m) for n, m in zip(before.shape, level.shape, strict=True)]
        mean = halved(below, factors)
        if level.dtype.kind in "iu":
            np.testing.assert_array_equal(level[:], np.rint(mean))
        else:
            np.testing.assert_allclose(level[:], mean, rtol=2e-7)


def is_chunk(key: str) -> bool:
    return key[0].isdigit() and not key.endswith(("zarr.json", ".zarray", ".zattrs"))
