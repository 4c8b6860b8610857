"""NumPy's own files."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.writing.files.formats import NPY
from napari_tessera.writing.files.partial import complete_file
from napari_tessera.writing.files.pixels import BLOCK_LIMIT, OrderedPixels, blocks_of
from napari_tessera.writing.places.lock import StoreLock


def write_npy(
    file_path: str | PathLike[str],
    img: ArrayLike,
    *,
    axes: str,
    metadata: ImageMetadata | None = None,
    made_by: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    memory_limit: int = BLOCK_LIMIT,
    lock: StoreLock | None = None,
) -> Path:
    """Write an image as ``.npy``: pixels in the image's own axes, and nothing else.

    The format holds neither axes nor pixel sizes nor names.

    Parameters
    ----------
    file_path : str or path-like
        File to write.
    img : array-like
        The image: a NumPy array, or anything that has a shape and a data type and gives pixels of
        slices. It is read a block at a time.
    axes : str
        Its axes, letters out of ``STCZYX``.
    metadata : ImageMetadata, optional
    made_by : mapping, optional
        Taken as by the functions of other formats, and not kept.
    overwrite : bool, default False
        Replace a file that is there.
    memory_limit : int, optional
        Bytes of pixels to read at a time; one row at least.
    lock : StoreLock, optional
        The file's lock, where the caller has it (see `lock_file`); default: taken while writing.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        If a file is there and ``overwrite`` is False, or something else is.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    StoreBusyError
        If another run writes the file.
    ValueError
        If the axes do not describe the image, or it holds no intensities.
    OSError
        Whatever reading or writing raises; no file is left then.
    """
    target = Path(file_path)
    pixels = OrderedPixels(img, axes, axes)
    header = {
        "descr": np.lib.format.dtype_to_descr(NPY.stored_dtype(pixels.dtype)),
        "fortran_order": False,
        "shape": pixels.shape,
    }
    with (
        complete_file(target, overwrite=overwrite, nbytes=pixels.nbytes, lock=lock) as partial,
        # not mapped into memory: of a full disk one learns there by a signal that ends the process
        partial.open("wb") as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks_of(pixels, limit=memory_limit):
            file.write(np.ascontiguousarray(block).data)
    return target
