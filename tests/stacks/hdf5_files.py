"""HDF5 files that several tests of this room write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def random_image(*shape: int, dtype: str = "uint16") -> Array:
    """Pixels none of which is the fill value."""
    return np.random.default_rng(0).integers(1, 250, shape).astype(dtype)


def store(path: Path, array: Array, name: str = "image", **settings: Any) -> Array:
    """Write an array as a dataset, into the file that is there or a new one."""
    with h5py.File(path, "a") as file:
        file.create_dataset(name, data=array, **settings)
    return array


def set_attributes(path: Path, name: str, **attributes: Any) -> None:
    """Set attributes of a dataset."""
    with h5py.File(path, "a") as file:
        for key, value in attributes.items():
            file[name].attrs[key] = value


def where_chunk_lies(path: Path, name: str, at: tuple[int, ...]) -> tuple[int, int]:
    """Position and size, in the file, of the chunk that begins at ``at``."""
    with h5py.File(path, "r") as file:
        info = file[name].id.get_chunk_info_by_coord(at)
        return info.byte_offset, info.size


def damage(path: Path, at: int, size: int) -> None:
    """Overwrite part of a file with zeros."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(size))
