"""Opening an image, whatever it is, as a stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike, fsdecode
from typing import Any

import zarr

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.checks import channel_list, known_shape, shown, whole_level
from napari_tessera.stacks.closing import close_stack
from napari_tessera.stacks.depth import TimeAsDepth, has_time_for_depth
from napari_tessera.stacks.layer import LayerStack, is_layer
from napari_tessera.stacks.opening.path import ACCEPTED, open_path
from napari_tessera.stacks.opening.registry import open_installed, open_registered
from napari_tessera.stacks.protocol import ImageStack, StackReadError
from napari_tessera.stacks.tiff.files import TiffFilesStack
from napari_tessera.stacks.zarr.dask import behind_dask
from napari_tessera.stacks.zarr.stack import ZarrStack


def open_stack(
    source: Any,
    axes: str | None = None,
    *,
    channels: Sequence[int] | None = None,
    level: int = 0,
) -> ImageStack:
    """Open an image as a stack that is read patch by patch.

    Openers of `register_stack` are asked first, then the kinds that are built in, and then, for
    what these cannot open, packages that name an opener under the entry point
    ``napari_tessera.stacks``.

    Parameters
    ----------
    source : str, path, list of paths, array, napari layer or ImageStack
        A path is opened by what the file or folder contains, not by its suffix. What follows
        ``#`` in it names a dataset, scene or series of the file, unless something is there by the
        whole name. A folder of TIFF files, a pattern (``run1/*.tif``) and a list are opened as
        one image (see `TiffFilesStack`). An array is anything with ``shape``, ``dtype`` and
        ``__getitem__``. A stack is given back as it is.
    axes : str, optional
        One letter out of ``STCZYX`` per axis. By default what the image says of itself, else a
        guess from its shape (see `guess_axes`). It counts more than what the image says: "ZYX"
        for an image TYX takes time as depth, of a stack that is open too.
    channels : sequence of int, optional
        The channels that the stack consists of; all by default.
    level : int, optional
        Resolution level of an image that has several; 0 is the full size.

    Returns
    -------
    ImageStack
        A context manager, unless it is a stack of somebody's own that is none. Time as depth of
        a stack that was passed in leaves that open when it is closed.

    Raises
    ------
    FileNotFoundError
        If there is nothing at a path.
    ValueError
        If the source is of no kind that can be opened, or axes, channels, level or the type of
        the pixels do not go with it.
    StackReadError
        If a file is damaged.
    """
    level = whole_level(level)
    channels = None if channels is None else channel_list(channels)
    if isinstance(source, ImageStack):
        return _as_it_is(source, axes, channels, level)
    stack = open_registered(source, axes, channels, level)
    if stack is not None:
        return _in_axes_or_closed(stack, axes)
    try:
        return _open_built_in(source, axes, channels, level)
    except (FileNotFoundError, StackReadError, ValueError) as error:
        # also of a kind that is known: a package may know better what such a file holds
        stack, failures = open_installed(source, axes, channels, level)
        if stack is not None:
            return _in_axes_or_closed(stack, axes)
        if not failures:
            raise
        kinds = (FileNotFoundError, StackReadError, ValueError)
        kind = next(kind for kind in kinds if isinstance(error, kind))
        raise kind("; ".join([str(error), *failures])) from error


def _open_built_in(
    source: Any, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    if isinstance(source, str | PathLike):
        return open_path(fsdecode(source), axes, channels, level)
    if isinstance(source, list | tuple) and all(isinstance(s, str | PathLike) for s in source):
        return TiffFilesStack(source, axes, channels=channels, level=level)
    if isinstance(source, zarr.Array | zarr.Group):
        return ZarrStack(source, axes, channels=channels, level=level)
    behind = behind_dask(source)
    if behind is not None:
        return ZarrStack(behind, axes, channels=channels, level=level)
    if is_layer(source):
        return LayerStack(source, axes, channels=channels, level=level)
    if all(hasattr(source, name) for name in ("shape", "dtype", "__getitem__")):
        if level != 0:
            raise ValueError(f"an array has no level {level}; use level 0")
        if axes is None:
            axes = guess_axes(known_shape(source.shape, "the array"), axis_labels=_labels(source))
        return ArrayStack(source, axes, channels=channels)
    kind = type(source).__name__
    raise ValueError(f"{shown(source)} ({kind}) is no image that can be opened; pass {ACCEPTED}")


def _labels(source: Any) -> list[str | None] | None:
    """What an array calls its axes: xarray by names, h5py by objects with a label."""
    dims = getattr(source, "dims", None)
    if not isinstance(dims, Iterable):
        return None
    labels = [getattr(dim, "label", dim) for dim in dims]
    return [label if isinstance(label, str) else None for label in labels]


def _as_it_is(
    stack: ImageStack, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    if channels is not None or level != 0:
        raise ValueError(
            f"{stack.source} is already open: choose channels and level where it is opened"
        )
    return _in_axes(stack, axes, owns=False)


def _in_axes_or_closed(stack: ImageStack, axes: str | None) -> ImageStack:
    """A stack that was opened just now, in the axes asked for; closed where it has others."""
    try:
        return _in_axes(stack, axes, owns=True)
    except BaseException:
        close_stack(stack)
        raise


def _in_axes(stack: ImageStack, axes: str | None, *, owns: bool) -> ImageStack:
    """A stack that is open, in the axes asked for: its own, or with time as depth."""
    if axes in (None, stack.original_axes):
        return stack
    if has_time_for_depth(stack) and axes == stack.original_axes.replace("T", "Z"):
        return TimeAsDepth(stack, owns=owns)
    raise ValueError(f"{stack.source} is open with axes {stack.original_axes}, not {axes}")
