"""Zarr arrays and OME-Zarr images, Zarr 2 and 3."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from os import PathLike, fspath
from typing import Any

import zarr

from napari_tessera.axes import validate_axes
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.checks import check_level
from napari_tessera.stacks.zarr.backed import ZarrBackedStack
from napari_tessera.stacks.zarr.contents import contents, only_array
from napari_tessera.stacks.zarr.ngff import Multiscale, read_multiscale
from napari_tessera.stacks.zarr.nodes import (
    Node,
    attributes_of,
    child_node,
    groups_around,
    node_name,
    quiet_zarr,
)
from napari_tessera.stacks.zarr.open import naming, not_opened, open_node


class ZarrStack(ZarrBackedStack):
    """A Zarr array, alone or as a level of an OME-Zarr image.

    An array that OME-Zarr metadata of the group around it describes has its axes, scale, units
    and channel names from there, also when the array itself is named. A chunk that is not in the
    store reads as the fill value, and counts (see `absent_chunks`).

    Parameters
    ----------
    source : str, path, zarr.Array or zarr.Group
        A local path into a store (``a.zarr``, ``a.zarr/group/array``), a ZIP file that holds one
        (``a.zarr.zip``, ``a.zarr.zip#group/array``), a URL that fsspec understands, or a node
        that is already open. A group must be one OME-Zarr image or hold one array.
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
    StackReadError
        If a server or disk does not answer as it should.
    """

    def __init__(
        self,
        source: str | PathLike[str] | Node,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        self._release: weakref.finalize[Any, ZarrStack] | None = None
        if isinstance(source, zarr.Array | zarr.Group):
            # what was open before stays open afterwards
            self._open(source, node_name, axes, channels, level)
            return
        with quiet_zarr():
            opened = open_node(fspath(source))
        # also of a stack that is dropped without being closed
        self._release = weakref.finalize(self, opened.release)
        try:
            self._open(opened.node, opened.name, axes, channels, level)
        except BaseException:
            self._release()
            raise

    def _open(
        self,
        node: Node,
        name_of: Callable[[zarr.Array[Any]], str],
        axes: str | None,
        channels: Sequence[int] | None,
        level: int,
    ) -> None:
        with quiet_zarr(), naming(node):
            array, metadata, unused, n_levels = _find(node, level)
        name = name_of(array)
        if axes is None:
            axes = metadata.axes if metadata else _guess(array, name)
        validate_axes(axes, array.shape)
        known = None if metadata is None else metadata.renamed(axes)
        super().__init__(array, axes, source=name, channels=channels, metadata=known)
        self.n_levels = n_levels
        self.unused_metadata = unused
        """Scales and translations of its OME-Zarr metadata that make no sense, in words."""

    def close(self) -> None:
        """Close the file or connections that were opened for this stack."""
        super().close()
        if self._release is not None:
            self._release()


def warn_of_unused(stack: ZarrStack) -> None:
    """Warn of scales and translations that are not used, or not along all axes."""
    given = stack.unused_metadata
    if given:
        more = f" (and {len(given) - 1} more)" if len(given) > 1 else ""
        warnings.warn(
            f"{stack.source}: {given[0]}{more} in its OME-Zarr metadata does not give each axis a "
            "usable number: what it lacks is taken as unknown; mend it where sizes matter",
            UserWarning,
            stacklevel=3,
        )


_Found = tuple[zarr.Array[Any], ImageMetadata | None, tuple[str, ...], int | None]


def _find(node: Node, level: int) -> _Found:
    """The array that a node stands for at a level, and what OME-Zarr metadata says of it.

    That are its metadata, what of these is unused, and the number of levels; None without them.
    """
    if isinstance(node, zarr.Group):
        image = _image(node)
        if image is not None:
            return _level(node, image, level)
        node = only_array(node)
    if level != 0:
        raise ValueError(f"{node_name(node)} is one array without levels; use level 0")
    for group, path in groups_around(node):
        try:
            image = read_multiscale(attributes_of(group))
        except ValueError:
            # an array that is named needs no metadata of a group
            continue
        if image is not None and path in image.paths:
            return _described(node, image, image.paths.index(path))
    return node, None, (), None


def _image(group: zarr.Group) -> Multiscale | None:
    try:
        return read_multiscale(attributes_of(group))
    except ValueError as error:
        raise ValueError(
            f"{node_name(group)} cannot be opened as an image, {error}: {contents(group)}"
        ) from None


def _described(array: zarr.Array[Any], image: Multiscale, level: int) -> _Found:
    metadata = image.metadata(level, array.shape)
    return array, metadata, image.unused(level, array.ndim), len(image.paths)


def _level(group: zarr.Group, image: Multiscale, level: int) -> _Found:
    name = node_name(group)
    check_level(name, level, len(image.paths))
    try:
        array = child_node(group, image.paths[level])
    except ValueError as error:
        raise not_opened(f"{name}/{image.paths[level]}", error) from error
    if not isinstance(array, zarr.Array):
        raise ValueError(f"{name} names an array {image.paths[level]!r} that it does not hold")
    try:
        return _described(array, image, level)
    except ValueError as error:
        raise ValueError(f"{node_name(array)}: {error}") from None


def _guess(array: zarr.Array[Any], name: str) -> str:
    labels: Any = getattr(array.metadata, "dimension_names", None)
    if labels is None:
        labels = attributes_of(array).get("_ARRAY_DIMENSIONS")
    if not isinstance(labels, list | tuple) or not all(
        label is None or isinstance(label, str) for label in labels
    ):
        labels = None
    try:
        return guess_axes(array.shape, axis_labels=labels, chunks=array.chunks)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
