"""Arrays that a package brings for its own test, read as plain numbers."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from napari_tessera.models.bioimageio.axes import Layout
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.package_files import PackageFiles

MOST_BYTES = 2**30
"""Size of a test tensor."""

_HEADER = 2**16 + 12
"""Bytes that hold the header of any .npy file that is read."""

_MOST_AXES = 32

_AGAIN = "Ask its author for a valid package"


def read_shape(files: PackageFiles, name: str) -> tuple[int, ...]:
    """Read the shape of a test tensor from the beginning of its file."""
    start, size = files.head(name, _HEADER)
    return _read_header(start, size, name)[0]


def read_tensor(files: PackageFiles, name: str, layout: Layout) -> NDArray[Any]:
    """Read a test tensor.

    Parameters
    ----------
    files : PackageFiles
        The package.
    name : str
        A .npy file of it. Files with Python objects are refused.
    layout : Layout
        Its axes.

    Returns
    -------
    numpy.ndarray
        NC(Z)YX, of the file's dtype.

    Raises
    ------
    DescriptionError
        If it is damaged, holds no numbers, is larger than `MOST_BYTES` or has other axes.
    """
    content = files.read(name, MOST_BYTES)
    shape, is_fortran, dtype, start = _read_header(content[:_HEADER], len(content), name)
    flat = np.frombuffer(content, dtype, offset=start)
    return arranged_array(flat.reshape(shape, order="F" if is_fortran else "C"), layout, name)


def arranged_array(array: NDArray[Any], layout: Layout, name: str) -> NDArray[Any]:
    """An array with a layout's axes as NC(Z)YX."""
    letters = layout.letters
    if array.ndim != len(letters):
        raise DescriptionError(
            f"its test tensor {name[:80]!r} has {array.ndim} axes, not {len(letters)}", _AGAIN
        )
    for i in reversed(range(array.ndim)):
        if letters[i] == "1":
            if array.shape[i] != 1:
                raise DescriptionError(
                    f"its test tensor {name[:80]!r} has {array.shape[i]} entries along "
                    f"{layout.axes[i].name!r}, not 1",
                    _AGAIN,
                )
            array = array[(slice(None),) * i + (0,)]
    kept = letters.replace("1", "")
    standard = "NCZYX" if "Z" in kept else "NCYX"
    array = array.transpose([kept.index(letter) for letter in standard if letter in kept])
    missing = tuple(i for i, letter in enumerate(standard) if letter not in kept)
    return np.expand_dims(array, missing)


def _read_header(
    start: bytes, size: int, name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, type, and where the numbers begin; all checked against the file's size."""
    stream = io.BytesIO(start)
    try:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            # of headers that Python 2 wrote NumPy says that reading them takes longer
            warnings.simplefilter("ignore", UserWarning)
            shape, is_fortran, dtype = reader(stream)
    except Exception as error:
        # ValueError by its description; what else a damaged header raises is not specified
        raise DescriptionError(
            f"its test tensor {name[:80]!r} is no array of numbers", _AGAIN
        ) from error
    if dtype.kind not in "fiub" or dtype.hasobject:
        raise DescriptionError(
            f"its test tensor {name[:80]!r} holds {dtype}, and only numbers are read", _AGAIN
        )
    if len(shape) > _MOST_AXES or any(type(length) is not int for length in shape):
        raise DescriptionError(f"its test tensor {name[:80]!r} is damaged", _AGAIN)
    count = 1
    for length in shape:
        count *= int(length)
    if min(shape, default=1) < 1 or size - stream.tell() != count * dtype.itemsize:
        raise DescriptionError(f"its test tensor {name[:80]!r} is damaged", _AGAIN)
    return shape, is_fortran, dtype, stream.tell()
