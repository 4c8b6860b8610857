"""Every kind of stack over the same array: written as a file of that kind, opened by its stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import tifffile
import xarray
import zarr
from zarr.storage import MemoryStore

from napari_tessera.stacks import (
    ArrayStack,
    ImageStack,
    LayerStack,
    SampleView,
    TiffFilesStack,
    TiffStack,
    ZarrStack,
    open_stack,
)
from napari_tessera.stacks.bioio.stack import BioioStack
from napari_tessera.stacks.depth import TimeAsDepth
from napari_tessera.stacks.hdf5.stack import HDF5Stack

from .bioio_files import write_czi, write_lif
from .conformance import Array
from .imaris_files import write_imaris

Open = Callable[[], ImageStack]
"""Opens a stack, anew at every call."""
Make = Callable[[Array, str, Path], Open]
"""From an array, its axes and an empty folder."""

FEW = ("YX", "YXC", "TZCYX")
ANY = (*FEW, "XCTYSZ")
"""The fewest axes and all six; C last, and between axes that become ints."""


@dataclass(frozen=True)
class Kind:
    """One kind of stack."""

    make: Make
    axes: Iterable[str] = ANY
    """Axes that it is checked with."""
    dtype: str = "uint16"


class Sliceable:
    """The least that a stack can be made of; unlike NumPy it takes ints and slices only."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, index: tuple[int | slice, ...]) -> Array:
        assert len(index) == len(self.shape)
        assert all(isinstance(i, int | slice) for i in index)
        return self._array[index]


def over(wrap: Callable[[Array], Any]) -> Make:
    """A stack over an array that is made of the pixels."""
    return lambda array, axes, folder: partial(open_stack, wrap(array), axes)


def strided(array: Array) -> Array:
    """The same pixels, with negative strides and the first axis closest in memory."""
    backwards = (slice(None, None, -1),) * array.ndim
    return np.asfortranarray(array[backwards])[backwards]


def halves(array: Array) -> tuple[int, ...]:
    """Chunks that cut each axis in two."""
    return tuple(ceil(size / 2) for size in array.shape)


def even(array: Array) -> tuple[int, ...]:
    """The shape, rounded up so that chunks of half of it fit."""
    return tuple(2 * size for size in halves(array))


def npy(array: Array, axes: str, folder: Path) -> Open:
    np.save(folder / "image.npy", array)
    return partial(open_stack, folder / "image.npy", axes)


def zarr_array(array: Array, store: Any, **settings: Any) -> zarr.Array[Any]:
    sharded = settings.pop("sharded", False)
    stored = zarr.create_array(
        store,
        shape=array.shape,
        chunks=halves(array),
        shards=even(array) if sharded else None,
        dtype=array.dtype,
        **settings,
    )
    stored[...] = array
    return stored


def zarr_memory(array: Array, axes: str, folder: Path, **settings: Any) -> Open:
    return partial(ZarrStack, zarr_array(array, MemoryStore(), **settings), axes)


def zarr_folder(array: Array, axes: str, folder: Path, **settings: Any) -> Open:
    zarr_array(array, folder / "image.zarr", **settings)
    return partial(ZarrStack, folder / "image.zarr", axes)


def zarr_file_url(array: Array, axes: str, folder: Path) -> Open:
    zarr_array(array, folder / "image.zarr")
    return partial(open_stack, (folder / "image.zarr").as_uri(), axes)


def zarr_memory_url(array: Array, axes: str, folder: Path) -> Open:
    """A file system of fsspec; the folder's name makes the URL one of a kind."""
    url = f"memory:/{folder.as_posix()}/image.zarr"
    zarr_array(array, url)
    return partial(open_stack, url, axes)


def zarr_zip(array: Array, axes: str, folder: Path) -> Open:
    with zarr.storage.ZipStore(folder / "image.zarr.zip", mode="w") as store:
        zarr_array(array, store)
    return partial(open_stack, folder / "image.zarr.zip", axes)


def ome_zarr_level(array: Array, axes: str, folder: Path) -> Open:
    """The second level of an OME-Zarr image, whose axes the metadata tells."""
    group = zarr.create_group(folder / "image.ome.zarr")
    full = array.repeat(2, -1).repeat(2, -2)
    for name, level in (("0", full), ("1", array)):
        group.create_array(name, data=level, chunks=halves(level))
    kinds = {"T": "time", "C": "channel"}
    scales = ([1.0] * array.ndim, [2.0 if letter in "YX" else 1.0 for letter in axes])
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": a.lower(), "type": kinds.get(a, "space")} for a in axes],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [{"type": "scale", "scale": scale}],
                    }
                    for level, scale in enumerate(scales)
                ],
            }
        ],
    }
    return partial(open_stack, folder / "image.ome.zarr", level=1)


def tiff(array: Array, axes: str, folder: Path, **settings: Any) -> Open:
    tifffile.imwrite(folder / "image.tif", array, photometric="minisblack", **settings)
    return partial(TiffStack, folder / "image.tif", axes)


def tiff_with_gaps(array: Array, axes: str, folder: Path) -> Open:
    """Uncompressed pages with other bytes between them, as acquisition software writes them."""
    rows, columns = array.shape[-2:]
    with tifffile.TiffWriter(folder / "image.tif") as writer:
        for number, page in enumerate(array.reshape(-1, rows, columns)):
            writer.write(
                page,
                photometric="minisblack",
                contiguous=False,
                metadata=None,
                description="frame " + "." * number,
            )
    return partial(TiffStack, folder / "image.tif", axes)


def tiff_imagej(array: Array, axes: str, folder: Path) -> Open:
    tifffile.imwrite(folder / "image.tif", array, imagej=True, metadata={"axes": axes})
    return partial(open_stack, folder / "image.tif")


def tiff_ome(array: Array, axes: str, folder: Path) -> Open:
    path = folder / "image.ome.tif"
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": axes})
    return partial(open_stack, path)


def tiff_colours(array: Array, axes: str, folder: Path, **settings: Any) -> Open:
    tifffile.imwrite(folder / "image.tif", array, photometric="rgb", **settings)
    return partial(open_stack, folder / "image.tif", axes)


def tiff_pyramid(array: Array, axes: str, folder: Path, level: int) -> Open:
    """A pyramid of which the array is one level."""
    levels = [array, array[..., ::2, ::2]] if level == 0 else [array.repeat(2, -1).repeat(2, -2)]
    levels = levels if level == 0 else [*levels, array]
    common: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
    with tifffile.TiffWriter(folder / "image.ome.tif") as writer:
        writer.write(levels[0], subifds=1, metadata={"axes": axes}, **common)
        writer.write(levels[1], subfiletype=1, **common)
    return partial(open_stack, folder / "image.ome.tif", level=level)


def tiff_ome_files(array: Array, axes: str, folder: Path) -> Open:
    """OME-TIFF with a file for each time point, described in the first."""
    count, rows, columns = array.shape
    names = [f"t{number}.ome.tif" for number in range(count)]
    planes = "".join(
        f'<TiffData FirstT="{number}" FirstC="0" FirstZ="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{number}</UUID></TiffData>'
        for number, name in enumerate(names)
    )
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{array.dtype}" '
        f'SizeX="{columns}" SizeY="{rows}" SizeZ="1" SizeC="1" SizeT="{count}">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
    )
    for plane, name in zip(array, names, strict=True):
        description = xml if name == names[0] else None
        tifffile.imwrite(folder / name, plane, metadata=None, description=description)
    return partial(open_stack, folder / names[0])


def tiff_files(array: Array, axes: str, folder: Path) -> Open:
    for number, plane in enumerate(array):
        tifffile.imwrite(folder / f"plane{number}.tif", plane, photometric="minisblack")
    return partial(TiffFilesStack, folder, axes)


def hdf5(array: Array, axes: str, folder: Path, **settings: Any) -> Open:
    with h5py.File(folder / "image.h5", "w") as file:
        if settings.pop("chunked", True):
            settings["chunks"] = halves(array)
        file.create_dataset("raw/image", data=array, **settings)
    return partial(HDF5Stack, folder / "image.h5", "raw/image", axes)


def imaris(array: Array, axes: str, folder: Path, level: int = 0) -> Open:
    levels = [array] if level == 0 else [array.repeat(2, -1).repeat(2, -2), array]
    write_imaris(folder / "image.ims", levels)
    return partial(open_stack, folder / "image.ims", level=level)


def czi(array: Array, axes: str, folder: Path, **settings: Any) -> Open:
    write_czi(folder / "image.czi", [array], **settings)
    return partial(BioioStack, folder / "image.czi")


def czi_scene(array: Array, axes: str, folder: Path) -> Open:
    """The second of two scenes, by its name, as a person gives it."""
    path = folder / "image.czi"
    write_czi(path, [array[:1] + 1, array], names=["A1", "B2"])
    return partial(open_stack, f"{path}#B2")


def lif(array: Array, axes: str, folder: Path) -> Open:
    write_lif(folder / "image.lif", {"cells": array}, {"x": 1e-7, "y": 1e-7, "z": 1e-6})
    return partial(open_stack, folder / "image.lif")


def time_as_depth(array: Array, axes: str, folder: Path) -> Open:
    return lambda: TimeAsDepth(ArrayStack(array, axes.replace("Z", "T")))


def view(array: Array, axes: str, folder: Path, fold: str) -> Open:
    return lambda: SampleView(ArrayStack(array, axes), fold)


def view_of_tiff(array: Array, axes: str, folder: Path, fold: str) -> Open:
    stack = tiff(array, axes, folder, compression="zlib", tile=(16, 16))
    return lambda: SampleView(stack(), fold)


def layer(array: Array, axes: str, folder: Path, data: Callable[[Array], Any]) -> Open:
    """An image layer of napari itself, its data of any kind."""
    from napari.layers import Image

    made = data(array)
    multiscale = isinstance(made, list)
    shown = Image(made, rgb=False, multiscale=multiscale, name="cells")
    return partial(LayerStack, shown, axes, level=1 if multiscale else 0)


def layer_rgb(array: Array, axes: str, folder: Path) -> Open:
    from napari.layers import Image

    return partial(LayerStack, Image(array, rgb=True, name="colours"), axes)


MEMORY = {
    "numpy": Kind(over(np.asarray)),
    "big-endian": Kind(over(lambda array: array.astype(array.dtype.newbyteorder(">")))),
    "strided": Kind(over(strided)),
    "sliceable": Kind(over(Sliceable)),
    "dask": Kind(over(lambda array: da.from_array(array, chunks=halves(array)))),
    "xarray": Kind(over(xarray.DataArray)),
    "zarr 2": Kind(partial(zarr_memory, zarr_format=2), ["XCTYSZ"]),
    "zarr 3": Kind(zarr_memory, ["XCTYSZ"]),
    "zarr 3 sharded": Kind(partial(zarr_memory, sharded=True), ["XCTYSZ"]),
}
"""Kinds that need no file."""

LAYERS = {
    "numpy": Kind(partial(layer, data=np.asarray), FEW),
    "dask": Kind(partial(layer, data=lambda a: da.from_array(a, chunks=halves(a))), FEW),
    "zarr": Kind(partial(layer, data=lambda a: zarr_array(a, MemoryStore())), FEW),
    "multiscale": Kind(partial(layer, data=lambda a: [a.repeat(2, -1).repeat(2, -2), a]), FEW),
    "rgb": Kind(layer_rgb, ("YXC", "TYXC"), "uint8"),
}

ZARR = {
    "zarr 2": Kind(partial(zarr_folder, zarr_format=2), FEW),
    "zarr 3": Kind(zarr_folder, FEW),
    "zarr 3 sharded": Kind(partial(zarr_folder, sharded=True), FEW),
    "file URL": Kind(zarr_file_url, ["ZYX"]),
    "memory URL": Kind(zarr_memory_url, ["ZYX"]),
    "zip": Kind(zarr_zip, FEW),
    "ome-zarr level": Kind(ome_zarr_level, ["YX", "TCZYX"]),
}

TIFF = {
    "contiguous": Kind(tiff),
    "big-endian": Kind(partial(tiff, byteorder=">"), FEW),
    "bigtiff": Kind(partial(tiff, bigtiff=True), FEW),
    "strips": Kind(partial(tiff, compression="zlib", rowsperstrip=2)),
    "predictor": Kind(partial(tiff, compression="zlib", predictor=True, rowsperstrip=3), FEW),
    "tiles": Kind(partial(tiff, tile=(16, 16)), FEW),
    "lzw tiles": Kind(partial(tiff, compression="lzw", tile=(16, 16)), FEW),
    "deflate tiles": Kind(partial(tiff, compression="zlib", tile=(16, 16)), FEW),
    "zstd tiles": Kind(partial(tiff, compression="zstd", tile=(16, 16)), FEW),
    "zstd bigtiff": Kind(partial(tiff, compression="zstd", tile=(16, 16), bigtiff=True), FEW),
}
"""TIFF files of any axes, by their layout."""

TIFF_SPECIAL = {
    "gaps": Kind(tiff_with_gaps, ["YX", "XY", "ZYX", "CXY"], "float32"),
    "imagej": Kind(tiff_imagej, ["YX", "TZCYX"]),
    "ome": Kind(tiff_ome, ["YX", "TCZYX"]),
    "ome files": Kind(tiff_ome_files, ["TYX"]),
    "rgb": Kind(tiff_colours, ["YXC", "TYXC"], "uint8"),
    "rgb planes": Kind(partial(tiff_colours, planarconfig="separate"), ["CYX"], "uint8"),
    "rgb jpeg 2000": Kind(
        partial(tiff_colours, compression="jpeg2000", tile=(16, 16)), ["YXC"], "uint8"
    ),
    "pyramid": Kind(partial(tiff_pyramid, level=0), ["YX", "TYX"]),
    "pyramid, level 1": Kind(partial(tiff_pyramid, level=1), ["YX", "TYX"]),
    "files": Kind(tiff_files, ["SYX", "TYX", "ZYX", "CYX"]),
}

OTHER_FILES = {
    "npy": Kind(npy, FEW),
    "hdf5": Kind(partial(hdf5, chunked=False)),
    "hdf5 chunks": Kind(hdf5, FEW),
    "hdf5 gzip": Kind(partial(hdf5, compression="gzip", shuffle=True), FEW),
    "imaris": Kind(imaris, ["TCZYX"]),
    "imaris, level 1": Kind(partial(imaris, level=1), ["TCZYX"]),
    "czi": Kind(czi, ["TCZYX"]),
    "czi tiles": Kind(partial(czi, tile=(10, 11), compression="zstd1:"), ["TCZYX"]),
    "czi scene": Kind(czi_scene, ["TCZYX"]),
    "lif": Kind(lif, ["TCZYX"]),
}
"""HDF5, microscopes' own formats, and NumPy's."""

VIEWS = {
    **{f"view {fold}": Kind(partial(view, fold=fold)) for fold in ("Z", "C", "ZC")},
    "time as depth": Kind(time_as_depth, ["ZYX", "XCZSY"]),
    **{f"tiff {fold}": Kind(partial(view_of_tiff, fold=fold), FEW) for fold in ("Z", "ZC")},
}
