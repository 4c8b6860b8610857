"""Zarr files that several tests of this room write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.stacks import ImageStack
from napari_tessera.testing import check_patch

Array = NDArray[Any]


def random_image(*shape: int) -> Array:
    """Pixels none of which is 0 or the fill value."""
    return np.random.default_rng(0).integers(1, 4000, shape).astype(np.uint16)


def store_array(store: Any, array: Array, chunk: int = 8, **settings: Any) -> Array:
    """Write an array in cubes of ``chunk`` pixels, with zarr's own settings."""
    settings = {"chunks": (chunk,) * array.ndim, **settings}
    stored = zarr.create_array(store, shape=array.shape, dtype=array.dtype, **settings)
    stored[...] = array
    return array


def check_pixels(stack: ImageStack, array: Array, axes: str) -> None:
    """Check axes, whole samples, and a patch that reaches over the far edge.

    Everything else that a stack must do is checked with the other kinds of stack.
    """
    assert stack.original_axes == axes
    samples, _, *space = stack.data_shape
    for sample in range(min(samples, 2)):
        check_patch(stack, array, (sample, None, (0,) * len(space), tuple(space)))
    middle = tuple(size // 2 for size in space)
    check_patch(stack, array, (samples - 1, (0,), middle, tuple(space)))


def read_whole(stack: ImageStack, sample: int = 0) -> Array:
    """All pixels of one sample."""
    space = tuple(stack.data_shape[2:])
    return stack.extract_patch(sample, None, (0,) * len(space), space)


def remove_chunk(path: Path, key: str) -> None:
    """Take one chunk or shard out of a local array."""
    (path / key).unlink()


def axis(name: str, kind: str, unit: str | None = None) -> dict[str, str]:
    """An axis as OME-Zarr describes it."""
    return {"name": name, "type": kind} | ({"unit": unit} if unit else {})


TCYX = [
    axis("t", "time", "second"),
    axis("c", "channel"),
    axis("y", "space", "micrometer"),
    axis("x", "space", "micrometer"),
]


def ome_image(path: Any, array: Array, version: str, axes: Any = TCYX) -> zarr.Group:
    """An image of two levels with scales, a translation and channel names."""
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    for level, step in enumerate((1, 2)):
        data = array[..., ::step, ::step]
        group.create_array(str(level), shape=data.shape, dtype=data.dtype, chunks=(4,) * data.ndim)
        group[str(level)][...] = data
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, 1.0, 0.5 * step, 0.25 * step]},
                {"type": "translation", "translation": [0.0, 0.0, step / 4, step / 8]},
            ],
        }
        for level, step in enumerate((1, 2))
    ]
    image = {
        "datasets": datasets,
        "coordinateTransformations": [{"type": "scale", "scale": [30.0, 1.0, 2.0, 1.0]}],
    } | ({"axes": axes} if axes else {})
    omero = {"channels": [{"label": "DAPI"}, {"label": "GFP"}, {"label": "RFP"}]}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [image], "omero": omero}
    else:
        group.attrs["multiscales"] = [image | {"version": version}]
        group.attrs["omero"] = omero
    return group
