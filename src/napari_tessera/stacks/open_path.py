"""Opening what a path or URL names: each kind of file or folder by its own stack."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.file_kinds import FileKind, file_kind
from napari_tessera.stacks.location import Location, parse_location
from napari_tessera.stacks.protocol import ImageStack, StackReadError
from napari_tessera.stacks.tiff import TiffStack
from napari_tessera.stacks.zarr import ZarrStack
from napari_tessera.stacks.zarr_nodes import is_zarr_folder
from napari_tessera.stacks.zarr_zip import ZippedZarrStack

ACCEPTED = (
    "a TIFF file, a Zarr array or OME-Zarr image (a.zarr, a.zarr/group/array), an HDF5 dataset "
    "(a.h5#/dataset), a NumPy, dask or Zarr array, a napari image layer, or an ImageStack"
)
"""What `open_stack` takes, as part of an error message."""


class UnknownKindError(ValueError):
    """A source is of no kind that is built in, or of one whose reader is not installed."""


def open_path(
    text: str, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    """Open a file, folder or URL by one of the kinds that are built in.

    Raises
    ------
    UnknownKindError
        If it is of none of them.
    FileNotFoundError, ValueError, StackReadError
        As `open_stack`.
    """
    location = parse_location(text)
    path = location.path
    if path is None:
        return ZarrStack(text, axes, channels=channels, level=level)
    if path.is_file():
        return _open_file(location, path, axes, channels, level)
    if any(is_zarr_folder(folder) for folder in (path, *path.resolve().parents)):
        return ZarrStack(location.whole(), axes, channels=channels, level=level)
    if path.exists():
        raise UnknownKindError(f"{path} is a folder without Zarr metadata; pass {ACCEPTED}")
    raise FileNotFoundError(f"{path} does not exist")


def _open_file(
    location: Location,
    path: Path,
    axes: str | None,
    channels: Sequence[int] | None,
    level: int,
) -> ImageStack:
    kind = file_kind(path)
    if kind is FileKind.TIFF:
        settings: dict[str, Any] = {}
        if location.part is not None:
            settings["series"] = _series(location.part, path)
        return TiffStack(path, axes, channels=channels, level=level, **settings)
    if kind is FileKind.HDF5:
        hdf5_stack = _optional("hdf5", "HDF5Stack", f"{path} is {kind.value}, to read it:")
        return cast(
            "ImageStack", hdf5_stack(path, location.part, axes, channels=channels, level=level)
        )
    if kind is FileKind.NPY:
        return _open_npy(location.whole(), axes, channels, level)
    if kind is FileKind.ZARR_ZIP:
        return ZippedZarrStack(path, location.part, axes, channels=channels, level=level)
    if kind is not FileKind.OTHER:
        raise UnknownKindError(f"{path} is {kind.value}; pass {ACCEPTED}")
    refusal = f"{path} is {kind.value}; pass {ACCEPTED}; for microscopes' own formats:"
    bioio_stack = _optional("bioio", "BioioStack", refusal)
    return cast(
        "ImageStack", bioio_stack(path, location.part, axes, channels=channels, level=level)
    )


def _series(part: str, path: Path) -> int:
    if not part.isdecimal():
        raise ValueError(f"{path}: series {part!r} is no number; name one as {path.name}#1")
    return int(part)


def _open_npy(
    path: Path, axes: str | None, channels: Sequence[int] | None, level: int
) -> ArrayStack:
    if level != 0:
        raise ValueError(f"{path} is one array without levels; use level 0")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise StackReadError(f"{path} cannot be opened as NumPy file: {one_line(error)}") from error
    if axes is None:
        axes = guess_axes(array.shape)
    return ArrayStack(array, axes, source=str(path.resolve()), channels=channels)


def _optional(extra: str, name: str, problem: str) -> Any:
    """Stack whose library comes with an extra of this package."""
    try:
        return getattr(import_module(f"napari_tessera.stacks.{extra}"), name)
    except ImportError as error:
        raise UnknownKindError(
            f'{problem} pip install "napari-tessera[{extra}]" ({one_line(error)})'
        ) from error
