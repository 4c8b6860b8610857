"""Opening what a path or URL names: each kind of file or folder by its own stack."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from napari_tessera.stacks.checks import error_line, not_there, shortened, shown
from napari_tessera.stacks.npy import NpyStack
from napari_tessera.stacks.opening.file_kinds import FileKind, file_kind, promised_kind
from napari_tessera.stacks.opening.location import Location, parse_location
from napari_tessera.stacks.protocol import ImageStack, StackReadError
from napari_tessera.stacks.tiff.files import TiffFilesStack
from napari_tessera.stacks.tiff.listing import NoTiffError, is_pattern
from napari_tessera.stacks.tiff.stack import TiffStack, warn_of_alpha
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.stacks.zarr.stack import ZarrStack, warn_of_unused

ACCEPTED = (
    "a TIFF file, a folder or pattern of them (run1/*.tif), a Zarr array or OME-Zarr image "
    "(a.zarr, a.zarr/group/array), an HDF5 dataset (a.h5#/dataset), a NumPy, dask or Zarr array, a "
    "napari image layer, or an ImageStack"
)
"""What `open_stack` takes, as part of an error message."""


def open_path(
    text: str, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    """Open a file, folder or URL by one of the kinds that are built in.

    Raises
    ------
    FileNotFoundError, ValueError, StackReadError
        As `open_stack`; ValueError if it is of none of them.
    """
    if not text:
        raise ValueError("the name of the image is empty; the working directory is '.'")
    if text.isspace() and not Path(text).exists():
        raise FileNotFoundError(f"{shortened(repr(text))} does not exist: a name of spaces only")
    if "\0" in text:
        raise ValueError(f"{shown(text)} holds a NUL, which no name of a file does")
    location = parse_location(text)
    with _naming(text, location.path):
        if location.path is None:
            stack: ImageStack = ZarrStack(text, axes, channels=channels, level=level)
        else:
            stack = _open_local(location, location.path, axes, channels, level)
    if isinstance(stack, ZarrStack):
        warn_of_unused(stack)
    return stack


@contextmanager
def _naming(text: str, path: Path | None) -> Iterator[None]:
    """Put what was asked for before what is wrong with it, where that does not name it."""
    try:
        yield
    except ValueError as error:
        if _is_named(text, path, str(error)):
            raise
        raise ValueError(f"{shortened(text)}: {error}") from error
    except RuntimeError as error:
        # Python's word for it before 3.13
        if not str(error).startswith("Symlink loop"):
            raise
        raise FileNotFoundError(
            f"{shortened(text)} does not exist: a symbolic link on the way leads back to itself"
        ) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise FileNotFoundError(
                f"{shortened(text)} is too long to be the name of a file"
            ) from None
        if error.errno is None or error.filename or _is_named(text, path, str(error)):
            raise
        raise StackReadError(f"{shortened(text)} cannot be read: {error_line(error)}") from error


def _is_named(text: str, path: Path | None, message: str) -> bool:
    if path is None:
        return text in message
    # a pattern is named by what it met
    place = path.parent if is_pattern(str(path)) else path
    names = (str(place.absolute()), str(place.resolve()))
    return message.startswith((str(path), shortened(text))) or any(
        name in message for name in names
    )


def _open_local(
    location: Location,
    path: Path,
    axes: str | None,
    channels: Sequence[int] | None,
    level: int,
) -> ImageStack:
    if path.is_file():
        return _open_file(location, path, axes, channels, level)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is neither a file nor a folder: pipes and devices cannot be read")
    if any(is_zarr_folder(folder) for folder in (path, *path.resolve().parents)):
        return ZarrStack(location.whole(), axes, channels=channels, level=level)
    if path.is_dir() or is_pattern(str(path)):
        return _open_files(location.whole(), axes, channels, level)
    store = next((parent for parent in path.parents if parent.is_file()), None)
    if store is not None and file_kind(store) is FileKind.ZARR_ZIP:
        inside = f"{store}#{path.relative_to(store).as_posix()}"
        return ZarrStack(inside, axes, channels=channels, level=level)
    raise not_there(path)


def _open_files(
    path: Path, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack:
    try:
        return TiffFilesStack(path, axes, channels=channels, level=level)
    except NoTiffError as error:
        stores = (child for child in path.glob("*") if is_zarr_folder(child))
        store = min(stores, default=None)
        if store is not None:
            raise ValueError(f"{path} is a folder of Zarr stores; name one, e.g. {store}") from None
        raise ValueError(f"{error}, and no Zarr metadata; pass {ACCEPTED}") from None


def _open_file(
    location: Location,
    path: Path,
    axes: str | None,
    channels: Sequence[int] | None,
    level: int,
) -> ImageStack:
    kind = file_kind(path)
    if kind is FileKind.TIFF:
        series = 0 if location.part is None else _series(location.part, path)
        stack = TiffStack(path, axes, channels=channels, level=level, series=series)
        warn_of_alpha(stack)
        return stack
    if kind is FileKind.HDF5:
        return _open_hdf5(location, path, axes, channels, level)
    if kind is FileKind.NPY:
        return _open_npy(location.whole(), axes, channels, level)
    if kind is FileKind.ZARR_ZIP:
        source = f"{path}#{location.part}" if location.part else path
        return ZarrStack(source, axes, channels=channels, level=level)
    if kind is FileKind.EMPTY:
        raise StackReadError(f"{path} is {kind.value}: copy or save it again")
    if kind is not FileKind.OTHER:
        raise ValueError(f"{path} is {kind.value}; pass {ACCEPTED}")
    promised = promised_kind(path)
    if promised is not None:
        raise ValueError(
            f"{path} is named {path.suffix}, but does not begin as {_file_of(promised)} does: it "
            "is damaged, or something else"
        )
    return _open_by_bioio(location, path, axes, channels, level)


def _file_of(kind: FileKind) -> str:
    """What messages call a kind of file, without what can be done with one."""
    return kind.value.partition(" (")[0]


def _open_hdf5(
    location: Location,
    path: Path,
    axes: str | None,
    channels: Sequence[int] | None,
    level: int,
) -> ImageStack:
    try:
        from napari_tessera.stacks.hdf5.stack import HDF5Stack
    except ImportError as error:
        raise ValueError(f"{path} is {FileKind.HDF5.value}: {error}") from error
    return HDF5Stack(path, location.part, axes, channels=channels, level=level)


def _open_by_bioio(
    location: Location,
    path: Path,
    axes: str | None,
    channels: Sequence[int] | None,
    level: int,
) -> ImageStack:
    """Open what bioio may have a reader for: its plugins are not all known here."""
    try:
        from napari_tessera.stacks.bioio.stack import BioioStack
    except ImportError as error:
        raise ValueError(
            f"{path} is {FileKind.OTHER.value}; pass {ACCEPTED}; if it is of a microscope, {error}"
        ) from error
    return BioioStack(path, location.part, axes, channels=channels, level=level)


def _series(part: str, path: Path) -> int:
    if not part.isdecimal():
        raise ValueError(f"{path}: series {part!r} is no number; name one as {path.name}#1")
    return int(part)


def _open_npy(path: Path, axes: str | None, channels: Sequence[int] | None, level: int) -> NpyStack:
    if level != 0:
        raise ValueError(f"{path} is one array without levels; use level 0")
    return NpyStack(path, axes, channels=channels)
