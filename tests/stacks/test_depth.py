from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera import open_stack
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import (
    ArrayStack,
    ImageStack,
    StackReadError,
    read_metadata,
    read_origins,
)
from napari_tessera.stacks.depth import TimeAsDepth

from .conformance import Array, check_image_stack, check_patch_equals, images, patches

MOVIE = np.arange(1, 9 * 20 * 22 + 1, dtype=np.uint16).reshape(9, 20, 22)
STEPS = (2.0, 0.5, 0.25)


def as_depth(axes: str) -> str:
    return axes.replace("T", "Z")


@given(data=st.data(), image=images())
def test_time_of_an_open_stack(data: st.DataObject, image: tuple[Array, str]) -> None:
    array, axes = image
    axes = axes.replace("Z", "T") if "T" not in axes else axes.replace("Z", "")
    array = array if array.ndim == len(axes) else array[(0,) * (array.ndim - len(axes))]
    stack = ArrayStack(array, axes)
    if "T" not in axes:
        with pytest.raises(ValueError, match="time is taken as depth where there is T and no Z"):
            TimeAsDepth(stack)
        return
    view = open_stack(stack, as_depth(axes))
    assert isinstance(view, TimeAsDepth)
    patch = data.draw(patches(view.data_shape))
    check_patch_equals(view, array, as_depth(axes), patch)


@pytest.mark.parametrize("axes", ["TYX", "SCTYX", "YXCT", "TSYXC"])
def test_is_a_stack_like_others(axes: str) -> None:
    shape = [dict(zip("STCYX", (2, 5, 3, 20, 22), strict=True))[letter] for letter in axes]
    array = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    stack = ArrayStack(array, axes, source="mine")
    view = open_stack(stack, as_depth(axes))
    check_image_stack(view, array, as_depth(axes))
    assert view.source == "mine"
    assert repr(view) == f"<TimeAsDepth of {stack!r}>"


def test_of_depth_nothing_is_known() -> None:
    known = ImageMetadata("TYX", scale=STEPS, units=("second", "micrometer", "micrometer"))
    view = open_stack(ArrayStack(MOVIE, "TYX", metadata=known), "ZYX")
    assert read_metadata(view).along("Z") == (1.0, None, 0.0)
    assert read_metadata(view).along("X") == (0.25, "micrometer", 0.0)
    assert read_origins(view) == ()


@pytest.mark.parametrize("axes", ["ZXY", "TZYX", "CYX", "SYX"])
def test_other_letters_are_refused_for_an_open_stack(axes: str) -> None:
    with pytest.raises(ValueError, match=f"mine is open with axes TYX, not {axes}"):
        open_stack(ArrayStack(MOVIE, "TYX", source="mine"), axes)


def test_refuses_a_stack_with_depth() -> None:
    with pytest.raises(ValueError, match="mine has axes TZYX: time is taken as depth where"):
        TimeAsDepth(ArrayStack(MOVIE[None], "TZYX", source="mine"))


def test_a_failing_read_names_the_time() -> None:
    def fail(block: Array) -> Array:
        raise OSError("gone")

    broken = da.zeros((9, 8, 8), chunks=4).map_blocks(fail, dtype=float, meta=np.empty((0, 0, 0)))
    view = open_stack(ArrayStack(broken, "TYX", source="mine"), "ZYX")
    with pytest.raises(StackReadError, match="mine cannot be read at T=5 Y=0…1 X=3…7"):
        view.extract_patch(0, None, (5, -2, 3), (2, 4, 9))


def a_tiff(folder: Path) -> Any:
    path = folder / "movie.tif"
    metadata = {"axes": "TYX", "finterval": STEPS[0], "unit": "um"}
    tifffile.imwrite(path, MOVIE, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    return path


def an_ome_tiff(folder: Path) -> Any:
    path = folder / "movie.ome.tif"
    metadata = {"axes": "TYX", "TimeIncrement": 2.0, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, MOVIE, metadata=metadata)
    return path


def tiff_files(folder: Path) -> Any:
    for at, plane in enumerate(MOVIE):
        path = folder / f"img_t{at}.tif"
        tifffile.imwrite(path, plane, imagej=True, resolution=(4.0, 2.0), metadata={"unit": "um"})
    return folder


def an_ome_zarr(folder: Path) -> Any:
    return write_ome_zarr(folder / "movie.zarr", MOVIE, "tyx", STEPS)


def write_ome_zarr(path: Path, array: Array, names: str, steps: tuple[float, ...]) -> Path:
    axes = [
        {"name": name, "type": "time", "unit": "second"}
        if name == "t"
        else {"name": name, "type": "space", "unit": "micrometer"}
        for name in names
    ]
    scale = [{"type": "scale", "scale": list(steps)}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    attributes = {"ome": {"version": "0.5", "multiscales": [image]}}
    group = zarr.create_group(path, attributes=attributes)
    group.create_array("0", shape=array.shape, dtype="u2")[...] = array
    return path


def an_hdf5_dataset(folder: Path) -> Any:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "movie.h5", "w") as file:
        file["movie"] = MOVIE
        for axis, label in enumerate("tyx"):
            file["movie"].dims[axis].label = label
        file["movie"].attrs["element_size_um"] = STEPS
    return f"{folder}/movie.h5#/movie"


def a_czi(folder: Path) -> Any:
    pytest.importorskip("bioio_czi")
    from .bioio_files import write_czi

    path = folder / "movie.czi"
    write_czi(path, [MOVIE[:, None, None]], steps={"x": 0.25e-6, "y": 0.5e-6, "z": 3e-6})
    return path


def an_imaris_file(folder: Path) -> Any:
    pytest.importorskip("h5py")
    from .imaris_files import write_imaris

    write_imaris(folder / "movie.ims", [MOVIE[:, None, None]], seconds=2.0)
    return folder / "movie.ims"


def a_layer(folder: Path) -> Any:
    layers = pytest.importorskip("napari.layers")
    units = ("second", "micrometer", "micrometer")
    return layers.Image(MOVIE, scale=STEPS, units=units, axis_labels=("t", "y", "x"))


def an_xarray(folder: Path) -> Any:
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(MOVIE, dims=("time", "y", "x"))


@pytest.mark.parametrize(
    "make",
    [
        a_tiff,
        an_ome_tiff,
        tiff_files,
        an_ome_zarr,
        an_hdf5_dataset,
        an_imaris_file,
        a_czi,
        a_layer,
        an_xarray,
    ],
    ids=lambda make: make.__name__,
)
def test_time_is_taken_as_depth_when_asked(make: Callable[[Path], Any], tmp_path: Path) -> None:
    source = make(tmp_path)
    movie: Any = open_stack(source)
    with movie:
        assert movie.original_axes == "TYX"
    stack: Any = open_stack(source, "ZYX")
    with stack:
        check_image_stack(stack, MOVIE, "ZYX")
        metadata = read_metadata(stack)
        # seconds are no micrometers
        assert metadata.along("Z")[:2] == (1.0, None)
        assert metadata.along("Y")[:2] == read_metadata(movie).along("Y")[:2]


def test_the_step_of_another_axis_is_not_that_of_depth(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    volumes = MOVIE.reshape(3, 3, 20, 22)
    metadata = {"axes": "TZYX", "finterval": 2.0, "spacing": 1.5, "unit": "um"}
    tifffile.imwrite(path, volumes, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    (tmp_path / "files").mkdir()
    for at in range(3):
        tifffile.imwrite(tmp_path / "files" / f"{at}.tif", volumes[at], imagej=True,
                         metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"})  # fmt: skip
    stored = write_ome_zarr(tmp_path / "a.zarr", volumes, "tzyx", (2.0, 1.5, 0.5, 0.25))
    for source in (path, tmp_path / "files", stored):
        known: Any = open_stack(source, "TZYX")
        with known:
            assert read_metadata(known).along("Z")[:2] == (1.5, "micrometer")
        turned: Any = open_stack(source, "ZTYX")
        with turned:
            check_image_stack(turned, volumes, "ZTYX")
            for letter in "ZT":
                assert read_metadata(turned).along(letter)[:2] == (1.0, None)


def test_stacks_of_others_too() -> None:
    class Movie:
        source, data_shape, data_dtype = "mine", (9, 1, 20, 22), np.dtype("u2")
        original_data_shape, original_axes = MOVIE.shape, "TYX"

        def extract_patch(self, *args: Any) -> Array:
            return ArrayStack(MOVIE, "TYX").extract_patch(*args)

    movie: ImageStack = Movie()
    check_image_stack(open_stack(movie, "ZYX"), MOVIE, "ZYX")
