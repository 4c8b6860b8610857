"""Zarr arrays behind dask arrays that are nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr


def behind_dask(data: Any) -> zarr.Array[Any] | None:
    """The Zarr array that a dask array is, as a whole and as it is stored.

    Dask's ``from_zarr`` and ``from_array`` make such an array. Read by itself the Zarr array
    counts its absent chunks and notices that it was removed, which it does not within dask's
    graph. The graph is looked at, and nothing of it is computed or made.

    Parameters
    ----------
    data : object
        Anything.

    Returns
    -------
    zarr.Array or None
        None where anything was done to the array (slices, arithmetic, other blocks than whole
        chunks, another order of axes, a lock, a type of its own), and of what is no dask array.
    """
    kind = type(data)
    if (kind.__module__, kind.__name__) != ("dask.array.core", "Array"):
        return None
    layers = dict(getattr(data.dask, "layers", {}))
    read = layers.pop(data.name, None)
    if type(read).__name__ != "Blockwise" or not _only_slices(read):
        return None
    array = _array(read, layers)
    same = (
        array is not None
        and array.shape == data.shape
        and array.dtype == data.dtype
        and isinstance(data._meta, np.ndarray)
        and _whole_chunks(data.chunks, array.chunks)
        and _slices_of(read) == data.chunks
    )
    return array if same else None


def _only_slices(layer: Any) -> bool:
    """Whether each block is a slice of something, and no more is done."""
    from dask.array.core import getter, getter_nofancy

    task = getattr(layer, "task", None)
    if task is not None:
        called, given, named = task.func, task.args, task.kwargs
    else:
        # before Dask 2024.12 tasks were tuples
        called, *given = layer.dsk.get(layer.output, (None,))
        named = {}
    return (
        called in (getter, getter_nofancy)
        and len(given) == 2
        and not named
        and not layer.new_axes
        and getattr(layer, "output_blocks", None) is None
    )


def _array(layer: Any, others: dict[str, Any]) -> zarr.Array[Any] | None:
    """What a layer of slices reads from: held by itself, or by the one other layer."""
    (source, axes), (_, order) = layer.indices
    if axes is not None or tuple(order) != tuple(layer.output_indices):
        return None
    if others:
        name = getattr(source, "key", source)
        if not isinstance(name, str) or set(others) != {name} or len(others[name]) != 1:
            return None
        source = others[name].get(name)
    return source if isinstance(source, zarr.Array) else None


def _slices_of(layer: Any) -> Any:
    """Sizes of the blocks along each axis, as the slices are cut."""
    cut = [dep for dep in layer.io_deps.values() if type(dep).__name__ == "ArraySliceDep"]
    return cut[0].chunks if len(cut) == len(layer.io_deps) == 1 else None


def _whole_chunks(blocks: tuple[tuple[int, ...], ...], chunks: tuple[int, ...]) -> bool:
    """Whether blocks end where chunks end, or at the far edge."""
    return all(
        length % chunk == 0
        for lengths, chunk in zip(blocks, chunks, strict=True)
        for length in lengths[:-1]
    )
