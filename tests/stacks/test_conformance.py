"""Every stack of this room through the same checks: any axis order, any patch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import ArrayStack, ImageStack, SampleView
from napari_tessera.testing import Reference, check_closes

from .conformance import (
    Array,
    check_image_stack,
    check_patch_equals,
    expected_patch,
    images,
    patches,
)
from .kinds import LAYERS, MEMORY, OTHER_FILES, TIFF, TIFF_SPECIAL, VIEWS, ZARR, Kind

FILES = {
    **{f"zarr-{name}": kind for name, kind in ZARR.items()},
    **{f"tiff-{name}": kind for name, kind in (TIFF | TIFF_SPECIAL).items()},
    **OTHER_FILES,
}
EVERY = {
    **{f"memory-{name}": kind for name, kind in MEMORY.items()},
    **{f"layer-{name}": kind for name, kind in LAYERS.items()},
    **FILES,
    **VIEWS,
}
WITH_AXES = [
    pytest.param(kind, axes, id=f"{name}-{axes}")
    for name, kind in EVERY.items()
    for axes in kind.axes
]


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Makes a folder of its own for each example of a test."""
    outer, numbers = tmp_path_factory.mktemp("images"), count()

    def make() -> Path:
        folder = outer / str(next(numbers))
        folder.mkdir()
        return folder

    yield make
    fsspec.filesystem("memory").store.clear()


@contextmanager
def closing(stack: ImageStack) -> Iterator[ImageStack]:
    try:
        yield stack
    finally:
        getattr(stack, "close", lambda: None)()
        getattr(getattr(stack, "stack", None), "close", lambda: None)()


def example(axes: str, dtype: str) -> Array:
    """An image whose pixels differ from their neighbours along each axis, none of them zero."""
    sizes = {"S": 2, "T": 3, "C": 3, "Z": 5, "Y": 19, "X": 21}
    shape = [sizes[letter] for letter in axes]
    noise = np.random.default_rng(3).integers(1, 3, shape)
    return (2 * np.arange(np.prod(shape)).reshape(shape) + noise).astype(dtype)


@pytest.mark.parametrize(("kind", "axes"), WITH_AXES)
def test_stacks_conform(kind: Kind, axes: str, new_folder: Callable[[], Path]) -> None:
    array = example(axes, kind.dtype)
    with closing(kind.make(array, axes, new_folder())()) as stack:
        check_image_stack(stack, array, axes)


@pytest.mark.parametrize("kind", FILES.values(), ids=FILES)
def test_files_are_let_go_of(kind: Kind, new_folder: Callable[[], Path]) -> None:
    axes = next(iter(kind.axes))
    check_closes(kind.make(example(axes, kind.dtype), axes, new_folder()))


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint32", "int64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("name", ["memory-numpy", "zarr-zarr 3", "tiff-deflate tiles", "hdf5"])
def test_every_kind_of_number_is_read_as_it_is(
    name: str, dtype: str, new_folder: Callable[[], Path]
) -> None:
    array = example("ZYX", dtype)
    with closing(EVERY[name].make(array, "ZYX", new_folder())()) as stack:
        check_image_stack(stack, array, "ZYX")


@pytest.mark.parametrize("kind", MEMORY.values(), ids=MEMORY)
@settings(max_examples=40)
@given(data=st.data(), image=images())
def test_extract_patch_equals_numpy_slicing(
    kind: Kind, data: st.DataObject, image: tuple[Array, str]
) -> None:
    array, axes = image
    stack = kind.make(array, axes, Path())()
    for _ in range(3):
        check_patch_equals(stack, array, axes, data.draw(patches(stack.data_shape)))


@pytest.mark.parametrize("kind", TIFF.values(), ids=TIFF)
@settings(max_examples=15)
@given(data=st.data(), image=images(min_side=2))
def test_extract_patch_of_a_file_equals_numpy_slicing(
    kind: Kind,
    new_folder: Callable[[], Path],
    data: st.DataObject,
    image: tuple[Array, str],
) -> None:
    array, axes = image
    with closing(kind.make(array, axes, new_folder())()) as stack:
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

    patch: Any = data.draw(patches(view.data_shape))
    letters = "SC" + "ZYX"[3 - len(space) :]
    np.testing.assert_array_equal(view.extract_patch(*patch), expected_patch(whole, letters, patch))
    check_patch_equals(view, array, axes, patch)
