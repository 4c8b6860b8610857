"""What every image stack must do, against an array that holds the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.axes import AXES
from napari_tessera.stacks import ImageStack

Array = NDArray[Any]
Patch = tuple[int, tuple[int, ...] | None, tuple[int, ...], tuple[int, ...]]
"""Arguments of ``extract_patch``."""


def as_sczyx(array: Array, axes: str) -> Array:
    """The reference as S, C, (Z), Y, X by NumPy alone."""
    present = [letter for letter in AXES if letter in axes]
    ordered = array.transpose([axes.index(letter) for letter in present])
    sizes = dict(zip(present, ordered.shape, strict=True))
    space = [sizes[letter] for letter in "ZYX" if letter in sizes]
    return ordered.reshape(sizes.get("S", 1) * sizes.get("T", 1), sizes.get("C", 1), *space)


def expected_patch(array: Array, axes: str, patch: Patch) -> Array:
    """What a patch must be: pixel by pixel in the image, zero elsewhere."""
    sample, channels, coords, size = patch
    image = as_sczyx(array, axes)[sample]
    if channels is not None:
        image = image[list(channels)]
    positions = [np.arange(at, at + n) for at, n in zip(coords, size, strict=True)]
    for axis, position in enumerate(positions, start=1):
        length = image.shape[axis]
        inside = (position >= 0) & (position < length)
        image = image.take(np.clip(position, 0, length - 1), axis=axis)
        shape = [-1 if other == axis else 1 for other in range(image.ndim)]
        image = np.where(inside.reshape(shape), image, np.zeros((), image.dtype))
    return image


def patches(shape: Sequence[int], beyond: int = 4) -> st.SearchStrategy[Patch]:
    """Patches of an image of shape SC(Z)YX, up to ``beyond`` pixels (and wholly) outside it."""
    samples, channels, *space = shape
    some = st.lists(st.integers(0, channels - 1), min_size=1, max_size=channels + 1)
    return st.tuples(
        st.integers(0, samples - 1),
        st.none() | some.map(tuple),
        st.tuples(*(st.integers(-2 * beyond, length + beyond) for length in space)),
        st.tuples(*(st.integers(1, length + beyond) for length in space)),
    )


@st.composite
def images(
    draw: st.DrawFn, min_side: int = 1, max_side: int = 5, dtype: str = "uint16"
) -> tuple[Array, str]:
    """Small images in any order of any of the axes, every pixel with a value of its own."""
    extra = draw(st.sets(st.sampled_from("STCZ")))
    axes = "".join(draw(st.permutations(sorted(extra | set("YX")))))
    shape = [draw(st.integers(min_side, max_side)) for _ in axes]
    return np.arange(1, np.prod(shape) + 1).reshape(shape).astype(dtype), axes


def check_image_stack(stack: ImageStack, reference: Array, axes: str, seed: int = 0) -> None:
    """Check a stack against the array that holds its pixels, in the image's own axes."""
    image = as_sczyx(reference, axes)
    assert isinstance(stack, ImageStack)
    assert isinstance(stack.source, str)
    assert stack.source
    assert stack.original_axes == axes
    assert tuple(stack.original_data_shape) == reference.shape
    assert tuple(stack.data_shape) == image.shape
    assert stack.data_dtype == reference.dtype.newbyteorder("=")
    _check_patches(stack, reference, axes, seed)
    _check_refusals(stack)


def _check_patches(stack: ImageStack, reference: Array, axes: str, seed: int) -> None:
    image = as_sczyx(reference, axes)
    space = image.shape[2:]
    rng = np.random.default_rng(seed)
    wanted: list[Patch] = [
        (sample, None, (0,) * len(space), space) for sample in range(min(image.shape[0], 3))
    ]
    for _ in range(24):
        size = tuple(int(rng.integers(1, min(length, 24) + 3)) for length in space)
        bounds = zip(space, size, strict=True)
        coords = tuple(int(rng.integers(-n - 1, length + 2)) for length, n in bounds)
        count = int(rng.integers(1, image.shape[1] + 1))
        channels = tuple(int(c) for c in rng.permutation(image.shape[1])[:count])
        sample = int(rng.integers(image.shape[0]))
        wanted.append((sample, None if rng.random() < 0.3 else channels, coords, size))
    for patch in wanted:
        check_patch_equals(stack, reference, axes, patch)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda patch: stack.extract_patch(*patch), wanted * 2))
    for patch, block in zip(wanted * 2, found, strict=True):
        np.testing.assert_array_equal(block, expected_patch(reference, axes, patch))


def check_patch_equals(stack: ImageStack, reference: Array, axes: str, patch: Patch) -> None:
    """Check one patch: values, type, and that it is the caller's own."""
    found = stack.extract_patch(*patch)
    np.testing.assert_array_equal(found, expected_patch(reference, axes, patch))
    assert found.dtype == stack.data_dtype
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert not np.shares_memory(found, reference)


def _check_refusals(stack: ImageStack) -> None:
    samples, channels, *space = stack.data_shape
    origin, one = (0,) * len(space), (1,) * len(space)
    for sample in (-1, samples):
        with pytest.raises(IndexError, match=f"sample {sample} is outside 0…{samples - 1}"):
            stack.extract_patch(sample, None, origin, one)
    for channel in (-1, channels):
        with pytest.raises(IndexError, match=f"channel {channel} is outside 0…{channels - 1}"):
            stack.extract_patch(0, [channel], origin, one)
    with pytest.raises(ValueError, match="need one number for each of"):
        stack.extract_patch(0, None, (*origin, 0), (*one, 1))
    with pytest.raises(ValueError, match="every size must be at least 1"):
        stack.extract_patch(0, None, origin, (*one[:-1], 0))
