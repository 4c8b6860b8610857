"""Opening an image, whatever it is, as a stack."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import zarr

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.layer import LayerStack, is_layer
from napari_tessera.stacks.protocol import ImageStack
from napari_tessera.stacks.tiff import TiffStack
from napari_tessera.stacks.zarr import ZarrStack
from napari_tessera.stacks.zarr_nodes import is_zarr_folder, local_path

_ACCEPTED = (
    "a TIFF file, a Zarr array or OME-Zarr image (a.zarr, a.zarr/group/array), a NumPy, dask or "
    "Zarr array, a napari image layer, or an ImageStack"
)
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHER_STARTS = {
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG file",
    b"\xff\xd8\xff": "a JPEG file",
    b"\x93NUM": "a NumPy file (pass numpy.load of it)",
    b"PK\3\4": "a ZIP file (unpack it)",
}


def open_stack(
    source: Any,
    axes: str | None = None,
    *,
    channels: Sequence[int] | None = None,
    level: int = 0,
) -> ImageStack:
    """Open an image as a stack that is read patch by patch.

    Parameters
    ----------
    source : str, path, array, napari layer or ImageStack
        A path is opened by what the file or folder contains, not by its suffix. An array is
        anything with ``shape``, ``dtype`` and ``__getitem__``. A stack is given back as it is.
    axes : str, optional
        One letter out of ``STCZYX`` per axis. By default what the image says of itself, else a
        guess from its shape (see `guess_axes`).
    channels : sequence of int, optional
        The channels that the stack consists of; all by default.
    level : int, optional
        Resolution level of an image that has several; 0 is the full size.

    Returns
    -------
    ImageStack
        A context manager, unless a stack of another kind was passed in.

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
    if isinstance(source, ImageStack):
        return _as_it_is(source, axes, channels, level)
    if isinstance(source, str | PathLike):
        return _open_path(fspath(source), axes, channels, level)
    if isinstance(source, zarr.Array | zarr.Group):
        return ZarrStack(source, axes, channels=channels, level=level)
    if is_layer(source):
        return LayerStack(source, axes, channels=channels, level=level)
    if all(hasattr(source, name) for name in ("shape", "dtype", "__getitem__")):
        if level != 0:
            raise ValueError(f"an array has no level {level}; use level 0")
        if axes is None:
            axes = guess_axes(source.shape, axis_labels=getattr(source, "dims", None))
        return ArrayStack(source, axes, channels=channels)
    kind = type(source).__name__
    raise ValueError(f"{_short(source)} ({kind}) is no image that can be opened; pass {_ACCEPTED}")


def _as_it_is(
    stack: ImageStack, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    if axes not in (None, stack.original_axes):
        raise ValueError(f"{stack.source} is open with axes {stack.original_axes}, not {axes}")
    if channels is not None or level != 0:
        raise ValueError(
            f"{stack.source} is already open: choose channels and level where it is opened"
        )
    return stack


def _open_path(
    text: str, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    path = local_path(text)
    if path is None:
        return ZarrStack(text, axes, channels=channels, level=level)
    if path.is_file():
        start = _first_bytes(path)
        if start in _TIFF_STARTS:
            return TiffStack(path, axes, channels=channels, level=level)
        found = next((name for magic, name in _OTHER_STARTS.items() if start.startswith(magic)), "")
        raise ValueError(f"{path} is {found or 'no image that can be opened'}; pass {_ACCEPTED}")
    if any(is_zarr_folder(folder) for folder in (path, *path.resolve().parents)):
        return ZarrStack(path, axes, channels=channels, level=level)
    if path.exists():
        raise ValueError(f"{path} is a folder without Zarr metadata; pass {_ACCEPTED}")
    raise FileNotFoundError(f"{path} does not exist")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _short(source: object) -> str:
    text = " ".join(repr(source).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
