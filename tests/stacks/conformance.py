"""Images, patches of them, and stacks beside arrays: what property-based tests of stacks share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera import testing
from napari_tessera.stacks import ImageStack
from napari_tessera.testing import Reference

Array = NDArray[Any]
Patch = tuple[int, tuple[int, ...] | None, tuple[int, ...], tuple[int, ...]]
"""Arguments of ``extract_patch``."""


def expected_patch(array: Array, axes: str, patch: Patch) -> Array:
    """What a patch must be: the image's own pixels, zero elsewhere."""
    return Reference(array, axes).patch(patch)


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


def check_image_stack(stack: ImageStack, reference: Array, axes: str) -> None:
    """Check a stack, and that its axes are these."""
    assert stack.original_axes == axes
    testing.check_image_stack(stack, reference)


def check_patch_equals(stack: ImageStack, array: Array, axes: str, patch: Patch) -> None:
    """Check one patch of a stack, and that its axes are these."""
    assert stack.original_axes == axes
    testing.check_patch(stack, array, patch)
