"""Every stack of this room through the same checks: any axis order, any patch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from math import ceil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from napari_tessera.stacks import (
    ArrayStack,
    ImageStack,
    LayerStack,
    SampleView,
    TiffStack,
    ZarrStack,
    open_stack,
)
from napari_tessera.testing import Reference

from .conformance import (
    Array,
    check_image_stack,
    check_patch_equals,
    expected_patch,
    images,
    patches,
)

Make = Callable[[Array, str, Path], ImageStack]


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


def from_numpy(array: Array, axes: str, path: Path) -> ImageStack:
    return ArrayStack(array, axes)


def from_big_endian(array: Array, axes: str, path: Path) -> ImageStack:
    return ArrayStack(array.astype(array.dtype.newbyteorder(">")), axes)


def from_strided(array: Array, axes: str, path: Path) -> ImageStack:
    backwards = (slice(None, None, -1),) * array.ndim
    return ArrayStack(np.asfortranarray(array[backwards])[backwards], axes)


def from_sliceable(array: Array, axes: str, path: Path) -> ImageStack:
    return ArrayStack(Sliceable(array), axes)


def from_dask(array: Array, axes: str, path: Path) -> ImageStack:
    return open_stack(da.from_array(array, chunks=3), axes)


def from_zarr(array: Array, axes: str, path: Path, **settings: Any) -> ImageStack:
    chunks = tuple(ceil(size / 2) for size in array.shape)
    stored = zarr.create_array(
        MemoryStore(), shape=array.shape, chunks=chunks, dtype=array.dtype, **settings
    )
    stored[...] = array
    return ZarrStack(stored, axes)


def from_sharded_zarr(array: Array, axes: str, path: Path) -> ImageStack:
    shards = tuple(size + size % 2 for size in array.shape)
    return from_zarr(array, axes, path, shards=shards)


def from_tiff(array: Array, axes: str, path: Path, **settings: Any) -> ImageStack:
    tifffile.imwrite(path, array, photometric="minisblack", **settings)
    return TiffStack(path, axes)


def from_tiff_with_gaps(array: Array, axes: str, path: Path) -> ImageStack:
    """Uncompressed pages with other bytes between them, as acquisition software writes them."""
    rows, columns = array.shape[-2:]
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(array.reshape(-1, rows, columns)):
            writer.write(
                page,
                photometric="minisblack",
                contiguous=False,
                metadata=None,
                description="frame " + "." * number,
            )
    return TiffStack(path, axes)


def from_layer(array: Array, axes: str, path: Path) -> ImageStack:
    layer = SimpleNamespace(
        data=array,
        rgb=False,
        multiscale=False,
        name="cells",
        scale=np.ones(array.ndim),
        translate=np.zeros(array.ndim),
    )
    return LayerStack(layer, axes)


MEMORY: dict[str, Make] = {
    "numpy": from_numpy,
    "big-endian": from_big_endian,
    "strided": from_strided,
    "sliceable": from_sliceable,
    "dask": from_dask,
    "zarr3": from_zarr,
    "zarr2": partial(from_zarr, zarr_format=2),
    "sharded": from_sharded_zarr,
    "layer": from_layer,
}
FILES: dict[str, Make] = {
    "contiguous": from_tiff,
    "big-endian": partial(from_tiff, byteorder=">"),
    "bigtiff": partial(from_tiff, bigtiff=True),
    "strips": partial(from_tiff, compression="zlib", rowsperstrip=2),
    "predictor": partial(from_tiff, compression="zlib", predictor=False, rowsperstrip=3),
    "tiles": partial(from_tiff, tile=(16, 16)),
    "compressed tiles": partial(from_tiff, compression="zlib", tile=(16, 16)),
}
"""TIFF files by their layout."""

# the fewest axes and all six; C last, and between axes that become ints
EXAMPLES = ["YX", "YXC", "TZCYX", "XCTYSZ"]


@pytest.fixture(scope="session")
def new_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    folder, numbers = tmp_path_factory.mktemp("tiff"), count()
    return lambda: folder / f"{next(numbers)}.tif"


@contextmanager
def closing(stack: ImageStack) -> Iterator[ImageStack]:
    try:
        yield stack
    finally:
        getattr(stack, "close", lambda: None)()


def example(axes: str, dtype: str) -> Array:
    sizes = {"S": 2, "T": 3, "C": 4, "Z": 5, "Y": 19, "X": 21}
    shape = [sizes[letter] for letter in axes]
    return np.random.default_rng(3).integers(0, 2, shape).astype(dtype) + np.arange(
        np.prod(shape)
    ).reshape(shape).astype(dtype)


@pytest.mark.parametrize("axes", EXAMPLES)
@pytest.mark.parametrize("make", MEMORY.values(), ids=MEMORY)
def test_memory_stacks_conform(make: Make, axes: str, tmp_path: Path) -> None:
    array = example(axes, "int16")
    with closing(make(array, axes, tmp_path)) as stack:
        check_image_stack(stack, array, axes)


@pytest.mark.parametrize("axes", EXAMPLES)
@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_tiff_stacks_conform(make: Make, axes: str, tmp_path: Path) -> None:
    array = example(axes, "uint16")
    with closing(make(array, axes, tmp_path / "image.tif")) as stack:
        check_image_stack(stack, array, axes)


@pytest.mark.parametrize("axes", ["YX", "XY", "ZYX", "CXY"])
def test_tiff_with_gaps_conforms(axes: str, tmp_path: Path) -> None:
    array = example(axes, "float32")
    with closing(from_tiff_with_gaps(array, axes, tmp_path / "image.tif")) as stack:
        check_image_stack(stack, array, axes)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint32", "int64", "float16", "float32", "float64"]
)
def test_every_kind_of_number_is_read_as_it_is(dtype: str, tmp_path: Path) -> None:
    array = example("ZYX", dtype)
    for make in (from_numpy, from_dask, from_zarr):
        with closing(make(array, "ZYX", tmp_path)) as stack:
            check_image_stack(stack, array, "ZYX")


@pytest.mark.parametrize("make", MEMORY.values(), ids=MEMORY)
@given(data=st.data(), image=images())
def test_extract_patch_equals_numpy_slicing(
    make: Make, data: st.DataObject, image: tuple[Array, str]
) -> None:
    array, axes = image
    stack = make(array, axes, Path())
    for _ in range(3):
        patch = data.draw(patches(stack.data_shape))
        check_patch_equals(stack, array, axes, patch)


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
@settings(max_examples=25)
@given(data=st.data(), image=images(min_side=2))
def test_extract_patch_of_a_file_equals_numpy_slicing(
    make: Make,
    new_path: Callable[[], Path],
    data: st.DataObject,
    image: tuple[Array, str],
) -> None:
    array, axes = image
    with closing(make(array, axes, new_path())) as stack:
        for _ in range(3):
            check_patch_equals(stack, array, axes, data.draw(patches(stack.data_shape)))


@given(data=st.data(), image=images())
def test_a_choice_of_channels_is_the_whole_stack(
    data: st.DataObject, image: tuple[Array, str]
) -> None:
    array, axes = image
    available = Reference(array, axes).shape[1]
    chosen = data.draw(
        st.lists(st.integers(0, available - 1), min_size=1, max_size=available, unique=True)
    )
    stack = ArrayStack(array, axes, channels=chosen)
    subset = array.take(chosen, axis=axes.index("C")) if "C" in axes else array
    assert stack.original_data_shape == subset.shape
    assert stack.data_shape == Reference(subset, axes).shape
    check_patch_equals(stack, subset, axes, data.draw(patches(stack.data_shape)))


@given(data=st.data(), image=images(), fold=st.sampled_from(["", "Z", "C", "ZC"]))
def test_a_view_shows_the_same_pixels_and_restores_them(
    data: st.DataObject, image: tuple[Array, str], fold: str
) -> None:
    array, axes = image
    view = SampleView(ArrayStack(array, axes), fold)
    samples, channels, *space = view.data_shape
    whole = np.stack(
        [view.extract_patch(i, None, (0,) * len(space), space) for i in range(samples)]
    )
    assert whole.shape == (samples, channels, *space)
    np.testing.assert_array_equal(view.layout.restore(whole), array)

    sample, chosen, coords, size = data.draw(patches(view.data_shape))
    letters = "SC" + "ZYX"[3 - len(space) :]
    np.testing.assert_array_equal(
        view.extract_patch(sample, chosen, coords, size),
        expected_patch(whole, letters, (sample, chosen, coords, size)),
    )
