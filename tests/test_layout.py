"""Folding Z and C into samples, and placing cores in the output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.axes import get_patch_slices, reshape_patch
from napari_tessera.layout import FOLDS, Layout

ORDERS = st.permutations("STCZYX").flatmap(
    lambda letters: st.sets(st.sampled_from("STCZ")).map(
        lambda kept: "".join(a for a in letters if a in kept or a in "YX")
    )
)


@st.composite
def images(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    axes = draw(ORDERS)
    shape = tuple(draw(st.integers(1, 4)) for _ in axes)
    return axes, np.arange(np.prod(shape)).reshape(shape)


@given(images(), st.sampled_from(FOLDS))
def test_every_sample_of_a_folded_image_goes_back_to_its_place(
    image: tuple[str, np.ndarray], fold: str
) -> None:
    axes, array = image
    layout = Layout(axes, array.shape, fold)
    view = np.empty(layout.view_shape, array.dtype)
    output = np.full(layout.output_shape, -1)
    whole = layout.base.transformed_shape[2:]
    for sample in range(layout.view_shape[0]):
        base, plane, channel = layout.base_sample(sample)
        start, size = [0] * len(whole), list(whole)
        if plane is not None:
            start[0], size[0] = plane, 1
        channels = None if channel is None else [channel]
        patch = reshape_patch(
            array[get_patch_slices(axes, array.shape, base, channels, start, size)], axes
        )
        view[sample] = patch if plane is None else patch[:, 0]
        block = layout.output_index(sample, [0] * len(layout.spatial_axes), layout.view_shape[2:])
        output[block] = layout.to_output(view[sample])
        assert layout.sample_index(layout.unfold(sample)) == sample
    assert np.array_equal(output, array)
    assert np.array_equal(layout.restore(view), array)


def test_order_of_folded_samples_is_s_t_z_c() -> None:
    layout = Layout("CZTSYX", (2, 3, 4, 5, 8, 8), "ZC")
    assert list(layout.sample_sizes) == ["S", "T", "Z", "C"]
    assert layout.unfold(1) == {"S": 0, "T": 0, "Z": 0, "C": 1}
    assert layout.unfold(2) == {"S": 0, "T": 0, "Z": 1, "C": 0}
    assert layout.base_sample(2 * 3) == (1, 0, 0)


def test_a_model_that_makes_channels_changes_the_output() -> None:
    layout = Layout("ZYX", (3, 8, 8), "Z", channels=2)
    assert layout.output_axes == "CZYX"
    assert layout.output_shape == (2, 3, 8, 8)
    core = np.arange(2 * 4 * 5).reshape(2, 4, 5)
    block = layout.output_index(1, (2, 3), (4, 5))
    assert block == (slice(0, 2), slice(1, 2), slice(2, 6), slice(3, 8))
    assert layout.to_output(core).shape == (2, 1, 4, 5)


def test_channels_cannot_be_folded_and_changed() -> None:
    with pytest.raises(ValueError, match="choose one channel"):
        Layout("CYX", (3, 8, 8), "C", channels=2)
