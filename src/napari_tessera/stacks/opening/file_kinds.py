"""What a file is, by its first bytes: suffixes are wrong too often."""

from __future__ import annotations

import os
import zipfile
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from napari_tessera.stacks.zarr.nodes import ZARR_FILES


class FileKind(Enum):
    """Kinds of file that are told apart; the value is what messages call one."""

    TIFF = "a TIFF file"
    HDF5 = "an HDF5 file"
    NPY = "a NumPy file"
    ZARR_ZIP = "a Zarr store in a ZIP file"
    ZIP = "a ZIP file (unpack it)"
    PNG = "a PNG file"
    JPEG = "a JPEG file"
    EMPTY = "empty (0 bytes)"
    OTHER = "no image that can be opened"


TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf", ".tf2", ".tf8"})
"""Endings that say that a file is a TIFF."""

_PROMISES = {
    **dict.fromkeys(TIFF_SUFFIXES, FileKind.TIFF),
    ".h5": FileKind.HDF5,
    ".hdf5": FileKind.HDF5,
    ".npy": FileKind.NPY,
    ".zip": FileKind.ZIP,
    ".png": FileKind.PNG,
    ".jpg": FileKind.JPEG,
    ".jpeg": FileKind.JPEG,
}
_STARTS = {
    b"II*\0": FileKind.TIFF,
    b"MM\0*": FileKind.TIFF,
    b"II+\0": FileKind.TIFF,
    b"MM\0+": FileKind.TIFF,
    b"\x93NUMPY": FileKind.NPY,
    b"PK\3\4": FileKind.ZIP,
    b"\x89PNG": FileKind.PNG,
    b"\xff\xd8\xff": FileKind.JPEG,
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FIRST_USER_BLOCK = 512
_LAST_USER_BLOCK = 2**20


def file_kind(path: Path) -> FileKind:
    """Kind of a file.

    HDF5 may begin after a block of the user's own, of 512 bytes or a power of two times that
    (HDF5 File Format Specification, III.A): MATLAB's files do.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(len(_HDF5))
        kind = next((k for magic, k in _STARTS.items() if start.startswith(magic)), None)
        if not start:
            kind = FileKind.EMPTY
        elif kind is None:
            kind = FileKind.HDF5 if _is_hdf5(file) else FileKind.OTHER
    return FileKind.ZARR_ZIP if kind is FileKind.ZIP and _holds_zarr(path) else kind


def promised_kind(path: Path) -> FileKind | None:
    """Kind that a file's name promises; None for a name that promises nothing known."""
    return _PROMISES.get(path.suffix.lower())


def _is_hdf5(file: BinaryIO) -> bool:
    size = min(file.seek(0, os.SEEK_END), _LAST_USER_BLOCK)
    at = 0
    while at < size:
        file.seek(at)
        if file.read(len(_HDF5)) == _HDF5:
            return True
        at = max(2 * at, _FIRST_USER_BLOCK)
    return False


def _holds_zarr(path: Path) -> bool:
    """Whether a ZIP file is a Zarr store, or has one in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {PurePosixPath(name).name for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError):
        # damaged, or of a later version of the format than Python knows
        return False
    return not names.isdisjoint(ZARR_FILES)
