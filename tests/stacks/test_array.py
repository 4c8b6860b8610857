from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import (
    ArrayStack,
    ImageStack,
    SampleView,
    StackReadError,
    open_stack,
    read_metadata,
)

from .conformance import Array, check_image_stack, images, patches


class Recorder:
    """An array that remembers how many pixels were asked of it, and gives itself to nobody."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.pixels = 0

    def __getitem__(self, index: tuple[int | slice, ...]) -> Array:
        block = self._array[index]
        self.pixels += block.size
        return block

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise AssertionError("copied as a whole")


@given(data=st.data(), image=images())
def test_reads_no_more_than_the_patch_needs(data: st.DataObject, image: tuple[Array, str]) -> None:
    array, axes = image
    recorder = Recorder(array)
    stack = ArrayStack(recorder, axes)
    sample, channels, coords, size = data.draw(patches(stack.data_shape))
    stack.extract_patch(sample, channels, coords, size)
    held = stack.data_shape[1] if channels is None else max(channels) - min(channels) + 1
    inside = [
        max(0, min(at + n, length) - max(at, 0))
        for at, n, length in zip(coords, size, stack.data_shape[2:], strict=True)
    ]
    assert recorder.pixels == held * np.prod(inside)


def test_no_channels_asked_for_is_no_channels() -> None:
    stack = ArrayStack(np.ones((2, 4, 4)), "CYX")
    assert stack.extract_patch(0, [], (0, 0), (2, 2)).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("array", "way_out"),
    [
        (np.zeros((4, 4), complex), "dtype complex128 cannot be denoised.*np.abs"),
        (np.zeros((4, 4), object), "dtype object cannot be denoised.*astype"),
        (np.full((4, 4), "a"), "dtype <U1 cannot be denoised.*astype"),
        (np.full((4, 4), b"a"), "dtype |S1 cannot be denoised.*astype"),
        (np.zeros((4, 4), "datetime64[s]"), "dtype datetime64.* cannot be denoised.*astype"),
        (np.zeros((4, 4), [("a", "u1"), ("b", "u1")]), "dtype structured .'a', 'b'.* fields"),
    ],
)
def test_refuses_pixels_that_are_no_real_numbers(array: Array, way_out: str) -> None:
    with pytest.raises(ValueError, match=way_out) as error:
        ArrayStack(array, "YX", source="here")
    assert str(error.value).startswith("here: ")
    assert "\n" not in str(error.value)


def test_refuses_a_type_that_is_not_numpys() -> None:
    class Tensor:
        shape = (4, 4)
        dtype = "torch.float32"

        def __getitem__(self, index: Any) -> Any:
            raise AssertionError

    with pytest.raises(ValueError, match=r"torch\.float32 is not a NumPy type; pass the image as"):
        ArrayStack(Tensor(), "YX")


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((4, 4, 4), "YX", "YX has 2 letters, the image 3 axes 4×4×4"),
        ((4, 4), "XX", "'X' stands 2 times"),
        ((4, 4), "AX", "'A' is not an axis"),
        ((4, 4), "ZX", "Y missing"),
        ((4, 0), "YX", "axis X is empty"),
    ],
)
def test_refuses_axes_that_do_not_fit(shape: tuple[int, ...], axes: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArrayStack(np.zeros(shape), axes)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([], "no channel chosen; give some of 0…2"),
        ([3], "channel 3 is outside 0…2"),
        ([-1], "channel -1 is outside 0…2"),
        ([1, 1], "repeat one"),
    ],
)
def test_refuses_channels_that_do_not_exist(channels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArrayStack(np.zeros((3, 4, 4)), "CYX", channels=channels)


def test_an_array_that_does_not_know_its_shape_is_refused() -> None:
    numbers = da.arange(40, chunks=10)
    chosen = da.zeros((40, 30), chunks=(10, 30))[numbers > 5]
    for open_it in (lambda: open_stack(chosen), lambda: ArrayStack(chosen, "YX")):
        with pytest.raises(ValueError, match=r"shape \(nan, 30\): have dask count it first"):
            open_it()
    chosen.compute_chunk_sizes()
    assert open_stack(chosen).data_shape == (1, 1, 34, 30)


def test_metadata_follows_the_axes_and_the_chosen_channels() -> None:
    known = ImageMetadata(
        "CZYX",
        scale=(1, 2.0, 0.5, 0.5),
        units=(None, "micrometer", "micrometer", "micrometer"),
        channel_names=("a", "b", "c"),
    )
    stack = ArrayStack(np.zeros((3, 5, 4, 4)), "CZYX", channels=[2, 0], metadata=known)
    assert stack.metadata.channel_names == ("c", "a")
    assert stack.metadata.along("Z") == (2.0, "micrometer", 0.0)
    other = ArrayStack(np.zeros((5, 4, 4)), "TYX", metadata=known)
    assert other.metadata.axes == "TYX"
    assert other.metadata.along("T") == (1.0, None, 0.0)
    assert other.metadata.along("Y") == (0.5, "micrometer", 0.0)


def test_a_stack_of_others_has_metadata_too() -> None:
    class Bare:
        source, data_shape, data_dtype = "mine", (1, 1, 4, 4), np.dtype("u1")
        original_data_shape, original_axes = (4, 4), "YX"

        def extract_patch(self, *args: Any) -> Array:
            return np.zeros((1, 4, 4), "u1")

    stack = Bare()
    assert isinstance(stack, ImageStack)
    assert read_metadata(stack) == ImageMetadata("YX")
    assert SampleView(stack, "").metadata == ImageMetadata("YX")
    assert open_stack(stack) is stack


def test_a_failing_read_names_source_and_position() -> None:
    def fail(block: Array) -> Array:
        raise RuntimeError("disk\nis gone")

    broken = da.zeros((3, 8, 8), chunks=4).map_blocks(fail, dtype=float, meta=np.empty((0, 0, 0)))
    stack = ArrayStack(broken, "TYX", source="mine")
    with pytest.raises(StackReadError) as error:
        stack.extract_patch(1, None, (-2, 3), (4, 9))
    assert str(error.value) == "mine cannot be read at T=1 Y=0…1 X=3…7: RuntimeError: disk"
    assert isinstance(error.value.__cause__, RuntimeError)


def test_running_out_of_memory_stays_what_it_is() -> None:
    class Full(Recorder):
        def __getitem__(self, index: Any) -> Array:
            raise MemoryError

    with pytest.raises(MemoryError):
        ArrayStack(Full(np.zeros((4, 4))), "YX").extract_patch(0, None, (0, 0), (2, 2))


def test_pixels_on_a_gpu_are_brought_over() -> None:
    class Device(Recorder):
        """Like CuPy: refuses the implicit way, offers ``get``."""

        __cuda_array_interface__: Any = None

        def __getitem__(self, index: Any) -> Any:
            return Device(self._array[index])

        def get(self) -> Array:
            return self._array

    array = np.arange(20.0).reshape(4, 5)
    patch = ArrayStack(Device(array), "YX").extract_patch(0, None, (1, 1), (2, 2))
    np.testing.assert_array_equal(patch[0], array[1:3, 1:3])


def in_xarray(array: Array, folder: Path) -> Any:
    return pytest.importorskip("xarray").DataArray(array, dims=("time", "y", "x"))


def in_lazy_xarray(array: Array, folder: Path) -> Any:
    return in_xarray(array, folder).chunk({"time": 2})


def in_hdf5(array: Array, folder: Path) -> Any:
    file = pytest.importorskip("h5py").File(folder / "a.h5", "w")
    dataset = file.create_dataset("a", data=array, chunks=(2, 20, 22))
    for axis, label in enumerate(("time", "y", "x")):
        dataset.dims[axis].label = label
    return dataset


def in_zarr(array: Array, folder: Path) -> Any:
    stored = zarr.create_array(MemoryStore(), shape=array.shape, chunks=(2, 20, 22), dtype="u2")
    stored[...] = array
    return stored


def in_a_mapped_file(array: Array, folder: Path) -> Any:
    mapped = np.memmap(folder / "a.raw", dtype=array.dtype, mode="w+", shape=array.shape)
    mapped[...] = array
    return mapped


def in_dask(array: Array, folder: Path) -> Any:
    return da.from_array(array, chunks=(2, 20, 22))


@pytest.mark.parametrize(
    "put",
    [in_xarray, in_lazy_xarray, in_hdf5, in_zarr, in_a_mapped_file, in_dask],
    ids=lambda put: put.__name__,
)
def test_arrays_of_other_libraries(put: Callable[[Array, Path], Any], tmp_path: Path) -> None:
    array = np.arange(1, 5 * 20 * 22 + 1, dtype=np.uint16).reshape(5, 20, 22)
    data = put(array, tmp_path)
    with ArrayStack(data, "TYX") as stack:
        check_image_stack(stack, array, "TYX")
        in_memory = put in (in_xarray, in_a_mapped_file)
        assert stack.chunks == (None if in_memory else (2, 20, 22))
    # names of axes are taken at their word
    with open_stack(data) as stack:
        assert stack.original_axes == ("TYX" if hasattr(data, "dims") else "ZYX")
    if put is in_hdf5:
        data.file.close()


def test_a_closed_stack_says_so() -> None:
    with ArrayStack(np.zeros((4, 4)), "YX", source="mine") as stack:
        stack.extract_patch(0, None, (0, 0), (2, 2))
    with pytest.raises(ValueError, match="mine is closed; open it again"):
        stack.extract_patch(0, None, (0, 0), (2, 2))
    stack.close()


def test_a_stack_that_is_closed_during_a_read_says_so_instead_of_what_came_of_it() -> None:
    class Gone(Recorder):
        def __getitem__(self, index: tuple[int | slice, ...]) -> Array:
            stack.close()
            raise AttributeError("'Pixels' object has no attribute '_dataset'")

    stack = ArrayStack(Gone(np.zeros((4, 4))), "YX", source="mine")
    with pytest.raises(ValueError, match=r"^mine is closed; open it again"):
        stack.extract_patch(0, None, (0, 0), (2, 2))


def test_chunks_are_those_of_the_data() -> None:
    assert ArrayStack(np.zeros((4, 4)), "YX").chunks is None
    assert ArrayStack(da.zeros((9, 8), chunks=(4, 8)), "YX").chunks == (4, 8)


def test_says_what_it_is() -> None:
    stack = ArrayStack(np.zeros((3, 4, 5), "u2"), "TYX", source="mine")
    assert repr(stack) == "<ArrayStack mine: T3 Y4 X5 uint16>"
    assert repr(SampleView(stack, "Z")) == f"<SampleView of {stack!r}, folded 'Z'>"


def test_a_source_that_gives_less_than_asked_for_is_an_error() -> None:
    class Short(Recorder):
        def __getitem__(self, index: tuple[int | slice, ...]) -> Array:
            return super().__getitem__(index)[..., :-1]

    stack = ArrayStack(Short(np.ones((3, 8, 9))), "ZYX", source="short")
    message = (
        r"^short cannot be read at Z=1…2 Y=3…6 X=4…8: "
        r"\(2, 4, 4\) pixels came where \(2, 4, 5\) are$"
    )
    with pytest.raises(StackReadError, match=message):
        stack.extract_patch(0, None, (1, 3, 4), (2, 4, 5))
