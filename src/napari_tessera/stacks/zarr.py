"""Zarr arrays and OME-Zarr images, Zarr 2 and 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product
from math import ceil
from os import PathLike, fspath
from typing import Any

import zarr

from napari_tessera.axes import validate_axes
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.ngff import read_multiscale
from napari_tessera.stacks.zarr_nodes import (
    Node,
    groups_around,
    local_path,
    node_name,
    only_array,
    open_local,
    open_url,
    quiet_zarr,
)

_MOST_CHUNKS_TRIED = 4096


class ZarrStack(ArrayStack):
    """A Zarr array, alone or as a level of an OME-Zarr image.

    An array that OME-Zarr metadata of the group around it describes has its axes, scale, units
    and channel names from there, also when the array itself is named. A chunk that is not in the
    store reads as the fill value: that is what its absence means in Zarr.

    Parameters
    ----------
    source : str, path, zarr.Array or zarr.Group
        A local path into a store (``a.zarr``, ``a.zarr/group/array``), a URL that zarr's stores
        understand, or a node that is already open. A group must be one OME-Zarr image or hold
        one array.
    axes : str, optional
        One letter per axis; by default those of the OME-Zarr metadata, the names of the array's
        dimensions, or a guess from shape and chunks (see `guess_axes`).
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Which resolution level of an OME-Zarr image; 0 is the full size.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``source``.
    ValueError
        If it is not Zarr, not one image (the images are listed), or axes, channels, level or the
        type of the pixels do not go with it.
    """

    def __init__(
        self,
        source: str | PathLike[str] | Node,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        with quiet_zarr():
            node = source if isinstance(source, zarr.Array | zarr.Group) else _open(fspath(source))
            array, metadata = _find(node, level)
        if axes is None:
            axes = metadata.axes if metadata else _guess(array)
        validate_axes(axes, array.shape)
        super().__init__(array, axes, source=node_name(array), channels=channels, metadata=metadata)
        self._array = array

    @property
    def shards(self) -> tuple[int, ...] | None:
        """Shape of the shards that hold the chunks, in the image's own axes; None without."""
        return self._array.shards

    def _reason(self, index: Index, error: Exception) -> str:
        """Name the first chunk of the patch that cannot be read."""
        chunks = self._array.chunks
        for at in islice(_chunks_of(index, chunks), _MOST_CHUNKS_TRIED):
            part = tuple(
                slice(i * size, (i + 1) * size) for i, size in zip(at, chunks, strict=True)
            )
            try:
                self._array[part]
            except Exception as broken:
                return f"chunk {self._chunk_key(at)}: {one_line(broken)}"
        return one_line(error)

    def _chunk_key(self, at: Sequence[int]) -> str:
        """Key, in the array, of the object that holds a chunk: the chunk itself or its shard."""
        outer = self._array.shards or self._array.chunks
        chunks = self._array.chunks
        held = [i * size // whole for i, size, whole in zip(at, chunks, outer, strict=True)]
        return str(self._array.metadata.encode_chunk_key(tuple(held)))


def _open(text: str) -> Node:
    path = local_path(text)
    return open_url(text) if path is None else open_local(path)


def _find(node: Node, level: int) -> tuple[zarr.Array[Any], ImageMetadata | None]:
    """The array that a node stands for at a level, and what OME-Zarr metadata says of it."""
    if isinstance(node, zarr.Group):
        image = read_multiscale(node.attrs.asdict())
        if image is not None:
            if not 0 <= level < len(image.paths):
                raise ValueError(
                    f"{node_name(node)}: level {level} is outside 0…{len(image.paths) - 1}"
                )
            array = node.get(image.paths[level])
            if not isinstance(array, zarr.Array):
                raise ValueError(
                    f"{node_name(node)} names an array {image.paths[level]!r} that it does not hold"
                )
            return array, image.metadata(level, array.shape)
        node = only_array(node)
    if level != 0:
        raise ValueError(f"{node_name(node)} is one array without levels; use level 0")
    for group, path in groups_around(node):
        image = read_multiscale(group.attrs.asdict())
        if image is not None and path in image.paths:
            return node, image.metadata(image.paths.index(path), node.shape)
    return node, None


def _guess(array: zarr.Array[Any]) -> str:
    labels: Any = getattr(array.metadata, "dimension_names", None)
    if labels is None:
        labels = array.attrs.get("_ARRAY_DIMENSIONS")
    return guess_axes(array.shape, axis_labels=labels, chunks=array.chunks)


def _chunks_of(index: Index, chunks: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Grid positions of the chunks that an index touches."""
    spans = ((i.start, i.stop) if isinstance(i, slice) else (i, i + 1) for i in index)
    return product(
        *(
            range(start // size, ceil(stop / size))
            for (start, stop), size in zip(spans, chunks, strict=True)
        )
    )
