from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.axes import AxesTransform, get_patch_slices, reshape_patch
from napari_tessera.stacks.patch_index import PatchIndex

from .conformance import Array, images


@given(data=st.data(), image=images())
def test_is_what_the_functions_for_any_image_give(
    data: st.DataObject, image: tuple[Array, str]
) -> None:
    array, axes = image
    samples, channels, *space = AxesTransform(axes, array.shape).transformed_shape
    sample = data.draw(st.integers(0, samples - 1))
    first = data.draw(st.integers(0, channels - 1))
    last = data.draw(st.integers(first, channels - 1))
    start = [data.draw(st.integers(0, length - 1)) for length in space]
    size = [data.draw(st.integers(1, length - at)) for at, length in zip(start, space, strict=True)]
    patches = PatchIndex(axes, array.shape)
    index = patches.index(np.int64(sample), slice(first, last + 1), start, size)
    held = range(first, last + 1)
    expected = get_patch_slices(axes, array.shape, sample, held, start, size)
    assert index == expected
    assert all(type(i) in (int, slice) for i in index)
    found = patches.as_czyx(array[index])
    np.testing.assert_array_equal(found, reshape_patch(array[expected], axes))
    assert np.shares_memory(found, array)
