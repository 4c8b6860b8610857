"""One image in every kind of file, opened as a stack and as barely as its library allows."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from napari_tessera import open_stack

Array = NDArray[np.uint16]
Read = Callable[[int, int, int], NDArray[Any]]
"""Reads the 256 × 256 pixels at (T, Y, X) as a new, C-contiguous array."""

FRAMES, SIDE, PATCH = 8, 4096, 256
"""256 MiB as uint16: four times what any reader here keeps of decoded blocks."""


@cache
def image() -> Array:
    """TYX: smooth, with noise of 6 bits, so that compression has its usual work."""
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    smooth = 2000 + 800 * np.sin(rows / 97) * np.cos(columns / 131)
    plane = (smooth + rng.integers(0, 64, (SIDE, SIDE))).astype(np.uint16)
    return np.stack([np.roll(plane, 311 * frame, axis=1) for frame in range(FRAMES)])


def positions(count: int, seed: int = 0) -> list[tuple[int, int, int]]:
    """Where patches begin: anywhere that they lie inside the image."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, (FRAMES, SIDE - PATCH + 1, SIDE - PATCH + 1), (count, 3))
    return [(int(t), int(y), int(x)) for t, y, x in at]


def bare(array: Any) -> Read:
    """Slice an array-like, and nothing else."""

    def read(t: int, y: int, x: int) -> NDArray[Any]:
        block = np.asarray(array[t, y : y + PATCH, x : x + PATCH])
        # what is sliced out of memory is a view: the same bytes again are a copy of it
        return block if block.base is None and block.flags.c_contiguous else block.copy()

    return read


def through_stack(source: Any) -> tuple[Read, Callable[[], None]]:
    """Read by `open_stack`; and how to close it."""
    stack: Any = open_stack(source, "TYX")
    size = (PATCH, PATCH)

    def read(t: int, y: int, x: int) -> NDArray[Any]:
        return stack.extract_patch(t, None, (y, x), size)[0]

    return read, stack.close


@dataclass(frozen=True)
class Backend:
    """A kind of file: how it is written, and how its own library opens it."""

    write: Callable[[Path], Any]
    """Writes the image below a folder, and gives what `open_stack` is called with."""
    library: Callable[[Any], tuple[Any, Callable[[], None]]]
    """Opens what was written as an array-like, and says how to close it."""
    called: str
    """What the bare read is."""
    reads: int = 400
    """How many patches are read, where none are asked for: fewer where each takes long."""

    @contextmanager
    def opened(self, folder: Path) -> Iterator[tuple[Read, Read]]:
        """Both ways to read: by a stack, and by its library alone."""
        source = self.write(folder)
        with ExitStack() as closing:
            ours, close = through_stack(source)
            closing.callback(close)
            array, close = self.library(source)
            closing.callback(close)
            yield ours, bare(array)


def nothing() -> None:
    """What needs no closing."""


def numpy_file(folder: Path) -> Any:
    np.save(folder / "image.npy", image())
    return np.load(folder / "image.npy", mmap_mode="r")


def zarr_folder(folder: Path, **settings: Any) -> Path:
    path = folder / "image.zarr"
    array = zarr.create_array(path, shape=image().shape, dtype="uint16", **settings)
    array[...] = image()
    return path


def zarr_with_gaps(folder: Path) -> Path:
    """Of chunks of 256 every other one is not there."""
    path = zarr_folder(folder, chunks=(1, 256, 256))
    for file in sorted((path / "c").rglob("*"))[::2]:
        if file.is_file():
            file.unlink()
    return path


def zarr_backend(**settings: Any) -> Backend:
    return Backend(
        partial(zarr_folder, **settings),
        lambda path: (zarr.open_array(path, mode="r"), nothing),
        "zarr array[...]",
    )


def tiff_file(folder: Path, **settings: Any) -> Path:
    path = folder / "image.tif"
    tifffile.imwrite(path, image(), photometric="minisblack", metadata={"axes": "TYX"}, **settings)
    return path


def tiff_memmap(path: Path) -> tuple[Any, Callable[[], None]]:
    return tifffile.memmap(path, mode="r"), nothing


class RowsOfFile:
    """An uncompressed TIFF's pixels as the file has them, a row of the patch at a time."""

    def __init__(self, path: Path) -> None:
        with tifffile.TiffFile(path) as file:
            self._start = file.series[0].dataoffset
        self._file = os.open(path, os.O_RDONLY)

    def __getitem__(self, index: tuple[int, slice, slice]) -> Array:
        t, rows, columns = index
        block = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.uint16)
        for y, row in enumerate(block, rows.start):
            os.preadv(self._file, [row], self._start + 2 * ((t * SIDE + y) * SIDE + columns.start))
        return block

    def close(self) -> None:
        os.close(self._file)


def tiff_rows(path: Path) -> tuple[Any, Callable[[], None]]:
    rows = RowsOfFile(path)
    return rows, rows.close


def tiff_zarr(path: Path) -> tuple[Any, Callable[[], None]]:
    store = tifffile.imread(path, aszarr=True)
    return zarr.open_array(store, mode="r"), store.close


def hdf5_file(folder: Path, **settings: Any) -> Path:
    import h5py

    written = folder / "written.h5"
    with h5py.File(written, "w") as file:
        file.create_dataset("image", data=image(), **settings)
    # a copy, as for the bare read: what was written in small pieces lies in small pieces in the
    # system's cache, and takes a tenth longer to read
    path = Path(shutil.copy(written, folder / "image.h5"))
    written.unlink()
    return path


def hdf5_dataset(path: Path) -> tuple[Any, Callable[[], None]]:
    import h5py

    # a copy: two that have one file open share HDF5's cache
    copy = Path(shutil.copy(path, path.with_name("copy.h5")))
    file = h5py.File(copy, "r")
    return file["image"], file.close


class PlanesOfDask:
    """A dask array of T, C, Z, Y, X, of which a patch is computed."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __getitem__(self, index: tuple[int, slice, slice]) -> Array:
        t, rows, columns = index
        block: Array = self._data[t, 0, 0, rows, columns].compute()
        return block


def czi_file(folder: Path) -> Path:
    from pylibCZIrw import czi

    path = folder / "image.czi"
    with czi.create_czi(str(path), compression_options="zstd1:") as file:
        for t, y, x in itertools.product(range(FRAMES), *[range(0, SIDE, 1024)] * 2):
            tile = image()[t, y : y + 1024, x : x + 1024]
            file.write(np.ascontiguousarray(tile), plane={"T": t}, location=(x, y))
        file.write_metadata("image")
    return path


def czi_dask(path: Path) -> tuple[Any, Callable[[], None]]:
    from bioio import BioImage

    return PlanesOfDask(BioImage(path).dask_data), nothing


def tiff_backend(library: Any, called: str, **settings: Any) -> Backend:
    return Backend(partial(tiff_file, **settings), library, called)


def hdf5_backend(**settings: Any) -> Backend:
    return Backend(partial(hdf5_file, **settings), hdf5_dataset, "h5py dataset[...]")


def zarr_backends() -> dict[str, Backend]:
    """Each format with small, fitting and large chunks, and version 3 with shards."""
    chunked = {
        f"Zarr {version}, chunks of {side}": zarr_backend(
            chunks=(1, side, side), zarr_format=version
        )
        for version, side in itertools.product((2, 3), (64, 256, 1024))
    }
    sharded = zarr_backend(chunks=(1, 256, 256), shards=(1, 1024, 1024), zarr_format=3)
    gaps = replace(zarr_backend(), write=zarr_with_gaps)
    return {
        **chunked,
        "Zarr 3, chunks of 256, shards of 1024": sharded,
        "Zarr 3, chunks of 256, half of them absent": gaps,
    }


def tiff_backends() -> dict[str, Backend]:
    """Uncompressed and compressed, in tiles and in strips."""
    tiles, store = {"tile": (256, 256)}, "tifffile's aszarr store"
    # Windows has no such call
    rows = {"TIFF, uncompressed": tiff_backend(tiff_rows, "os.preadv of each row")}
    return {
        **(rows if hasattr(os, "preadv") else {}),
        "TIFF, uncompressed, mapped": tiff_backend(tiff_memmap, "tifffile.memmap"),
        "TIFF, uncompressed tiles of 256": tiff_backend(tiff_zarr, store, **tiles),
        **{
            f"TIFF, {name} tiles of 256": tiff_backend(
                tiff_zarr, store, compression=compression, predictor=True, **tiles
            )
            for name, compression in (("LZW", "lzw"), ("deflate", "zlib"), ("zstd", "zstd"))
        },
        "TIFF, deflate strips of 64 rows": tiff_backend(
            tiff_zarr, store, compression="zlib", predictor=True, rowsperstrip=64
        ),
    }


BACKENDS: dict[str, Backend] = {
    "NumPy array": Backend(lambda folder: image(), lambda array: (array, nothing), "slice, copy"),
    "NumPy memmap": Backend(numpy_file, lambda array: (array, nothing), "slice, copy"),
    **zarr_backends(),
    **tiff_backends(),
    "CZI, zstd tiles of 1024": Backend(czi_file, czi_dask, "bioio's dask array", reads=24),
    "HDF5, contiguous": hdf5_backend(),
    "HDF5, chunks of 256": hdf5_backend(chunks=(1, 256, 256)),
    "HDF5, gzip chunks of 256": hdf5_backend(chunks=(1, 256, 256), compression="gzip"),
}
"""Every kind that is compared, by its name in the table; sizes are along Y and X, in pixels."""
