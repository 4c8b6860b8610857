from __future__ import annotations

from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.layout import FOLDS
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import ArrayStack, SampleView, open_stack, read_metadata, read_origins

from .conformance import Array, images


def whole(view: SampleView) -> Array:
    """All samples of a view, read one by one."""
    samples, _, *space = view.data_shape
    return np.stack([view.extract_patch(i, None, (0,) * len(space), space) for i in range(samples)])


@given(image=images(), fold=st.sampled_from(FOLDS))
def test_restore_is_the_inverse(image: tuple[Array, str], fold: str) -> None:
    array, axes = image
    view = SampleView(ArrayStack(array, axes), fold)
    np.testing.assert_array_equal(view.restore(whole(view)), array)


@given(image=images(), fold=st.sampled_from(FOLDS))
def test_samples_are_ordered_s_t_z_c(image: tuple[Array, str], fold: str) -> None:
    array, axes = image
    view = SampleView(ArrayStack(array, axes), fold)
    folded = [letter for letter in "ST" + fold if letter in axes]
    sizes = [array.shape[axes.index(letter)] for letter in folded]
    assert view.data_shape[0] == prod(sizes)
    read = whole(view)
    for sample, position in enumerate(np.ndindex(*sizes)):
        where = dict(zip(folded, position, strict=True))
        part = array[tuple(where.get(letter, slice(None)) for letter in axes)]
        rest = [letter for letter in axes if letter not in where]
        ordered = part.transpose([rest.index(letter) for letter in "CZYX" if letter in rest])
        np.testing.assert_array_equal(read[sample].reshape(ordered.shape), ordered)


def test_a_movie_of_volumes_in_channels() -> None:
    array = np.arange(2 * 3 * 4 * 5 * 6 * 7).reshape(2, 3, 4, 5, 6, 7)
    stack = ArrayStack(array, "STZCYX")
    assert SampleView(stack, "ZC").data_shape == (2 * 3 * 4 * 5, 1, 6, 7)
    assert SampleView(stack, "Z").data_shape == (2 * 3 * 4, 5, 6, 7)
    assert SampleView(stack, "C").data_shape == (2 * 3 * 5, 1, 4, 6, 7)
    s, t, z, c = 1, 2, 3, 4
    patch = SampleView(stack, "ZC").extract_patch(
        ((s * 3 + t) * 4 + z) * 5 + c, None, (2, 3), (4, 4)
    )
    np.testing.assert_array_equal(patch[0], array[s, t, z, c, 2:6, 3:7])


def test_restores_its_own_shape_only() -> None:
    view = SampleView(ArrayStack(np.zeros((3, 4, 5)), "ZYX"), "Z")
    assert view.restore(np.zeros((3, 1, 4, 5))).shape == (3, 4, 5)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 5\) is not of this view.*\(3, 1, 4, 5\)"):
        view.restore(np.zeros((3, 4, 5)))


def test_tells_what_the_stack_tells(tmp_path: Path) -> None:
    stored = zarr.create_array(tmp_path / "a.zarr", shape=(3, 4, 5), dtype="u1")
    with open_stack(stored, "ZYX") as stack:
        view = SampleView(stack, "Z")
        assert (view.source, view.original_axes) == (stack.source, "ZYX")
        assert view.original_data_shape == (3, 4, 5)
        assert read_metadata(view) == read_metadata(stack)
        assert read_origins(view) == read_origins(stack) == (tmp_path / "a.zarr",)
        assert view.data_dtype == np.uint8


@pytest.mark.parametrize("owns", [True, False])
def test_closes_what_it_owns(owns: bool) -> None:
    stack = ArrayStack(np.zeros((3, 4, 5)), "ZYX")
    with SampleView(stack, "Z", owns=owns) as view:
        view.extract_patch(2, None, (0, 0), (4, 5))
    if owns:
        with pytest.raises(ValueError, match="is closed"):
            stack.extract_patch(0, None, (0, 0, 0), (1, 4, 5))
    else:
        stack.extract_patch(0, None, (0, 0, 0), (1, 4, 5))
    other: Any = SimpleNamespace(original_axes="YX", original_data_shape=(4, 5))
    with SampleView(other, "", owns=owns):
        pass  # a stack of somebody's own need not have a close


def test_metadata_of_any_stack() -> None:
    known = ImageMetadata("YX", scale=(2.0, 3.0))
    assert read_metadata(ArrayStack(np.zeros((4, 5)), "YX", metadata=known)) == known
    other = SimpleNamespace(original_axes="ZYX", metadata={"scale": 3})
    assert read_metadata(other) == ImageMetadata("ZYX")  # type: ignore[arg-type]


def test_an_unknown_fold() -> None:
    with pytest.raises(ValueError, match="fold 'T' is none of"):
        SampleView(ArrayStack(np.zeros((3, 4, 5)), "TYX"), "T")


def test_chunks_and_shards_are_those_of_the_stack(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(4, 32, 32), dtype="u1", chunks=(1, 8, 8), shards=(2, 16, 32)
    )
    with open_stack(array, "ZYX") as stack:
        view = SampleView(stack, "Z")
        assert (view.chunks, view.shards) == ((1, 8, 8), (2, 16, 32))
    view = SampleView(ArrayStack(np.zeros((4, 4)), "YX"), "Z")
    assert (view.chunks, view.shards) == (None, None)
