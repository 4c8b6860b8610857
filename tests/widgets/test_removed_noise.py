"""Input minus output, on demand."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.region import Region
from napari_tessera.widgets.lazy_array import KeptArray
from napari_tessera.widgets.live_layer import LiveLayer
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.removed_noise import (
    DifferenceArray,
    add_removed_noise,
    difference_levels,
    find_removed_noise,
)


def test_is_the_difference_where_the_output_is_finished() -> None:
    before = noisy((3, 20, 30), dtype=np.uint16)
    after = before * np.float32(0.9)
    after[:, :5] = np.nan
    removed = DifferenceArray(before, after)
    assert (removed.shape, removed.dtype) == (before.shape, np.float32)
    np.testing.assert_allclose(removed[1, 5:], before[1, 5:] - after[1, 5:])
    assert np.isnan(removed[1, :5]).all()
    np.testing.assert_array_equal(np.asarray(removed), before - after)


def test_follows_what_is_written_later() -> None:
    before, after = noisy((20, 30)), np.full((20, 30), np.nan, np.float32)
    removed = DifferenceArray(before, after)
    assert np.isnan(removed[...]).all()
    after[:10] = 0
    np.testing.assert_array_equal(removed[:10], before[:10])


def test_reads_no_more_of_a_lazy_input_than_is_looked_at() -> None:
    read: list[Any] = []

    def block(block_info: Any = None) -> Any:
        read.append(block_info)
        return np.ones((1, 20, 30))

    before = da.map_blocks(block, chunks=((1,) * 5, (20,), (30,)), dtype=float, meta=np.empty(0))
    removed = DifferenceArray(before, np.zeros((5, 20, 30), np.float32))
    assert removed[2].max() == 1
    assert len(read) == 1


def test_a_part_is_compared_where_it_was_cut_out() -> None:
    before = noisy((5, 20, 30))
    removed = DifferenceArray(before, np.zeros((1, 4, 30), np.float32), (3, 10, 0))
    np.testing.assert_array_equal(removed[0], before[3, 10:14])


def test_integers_have_0_for_unfinished() -> None:
    before = np.full((4, 4), 7, np.uint16)
    after = np.zeros((4, 4), np.uint16)
    after[0] = 9
    removed = DifferenceArray(before, after)
    assert removed[0].tolist() == [-2] * 4
    assert np.isnan(removed[1:]).all()


def test_colours_are_averaged() -> None:
    before = np.zeros((4, 5, 4), np.uint8)
    before[..., :3] = (10, 20, 60)
    after = np.zeros((4, 5, 4), np.uint8)
    after[0, :, :3] = (0, 20, 40)
    removed = DifferenceArray(before, after, rgb=True)
    assert removed.shape == (4, 5)
    assert removed[0].tolist() == [10] * 5
    assert np.isnan(removed[1:]).all()


def test_other_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        DifferenceArray(noisy((20, 30)), np.zeros((2, 20, 30), np.float32))
    with pytest.raises(ValueError, match="cannot be compared"):
        DifferenceArray(noisy((20, 30)), np.zeros((20, 30), np.float32), (1, 0))


def live_layer(viewer: ViewerModel, network: Any = None) -> LiveLayer:
    image = noisy((4, 64, 64))
    layer = viewer.add_image(image, scale=(2, 0.5, 0.5), name="cells", contrast_limits=(50, 150))
    plan = make_plan(image, "ZYX", network)
    held = Region.from_selection(plan.layout.output_axes, plan.layout.output_shape)
    return LiveLayer(viewer, layer, "ZYX", MemoryStore(plan, held, "ZYX"))


def test_the_layer_lies_on_its_input_with_limits_around_0() -> None:
    viewer = ViewerModel()
    live = live_layer(viewer)
    source = viewer.layers["cells"]
    assert live.layer is not None
    live.layer.data[:] = source.data - noisy((4, 64, 64), seed=1) + 100
    layer = add_removed_noise(viewer, source, "ZYX", live)
    assert layer is not None
    assert layer.name == "cells_removed_noise"
    np.testing.assert_allclose(layer.scale, source.scale)
    low, high = layer.contrast_limits
    assert low == -high
    assert high == pytest.approx(30, rel=0.1)
    assert viewer.layers.selection == {source}
    assert live.companions == [layer]


def test_asked_for_again_it_is_the_same_and_visible() -> None:
    viewer = ViewerModel()
    live = live_layer(viewer)
    source = viewer.layers["cells"]
    layer = add_removed_noise(viewer, source, "ZYX", live)
    assert layer is not None
    layer.visible = False
    assert add_removed_noise(viewer, source, "ZYX", live) is layer
    assert layer.visible
    assert live.layer is not None
    assert find_removed_noise(viewer, live.layer) is layer
    viewer.layers.remove(layer)
    assert find_removed_noise(viewer, live.layer) is None


def test_nothing_finished_yet_still_gives_limits() -> None:
    viewer = ViewerModel()
    live = live_layer(viewer)
    layer = add_removed_noise(viewer, viewer.layers["cells"], "ZYX", live)
    assert layer is not None
    assert layer.contrast_limits == [-10, 10]


def test_a_model_with_other_channels_has_none() -> None:
    class Two(Blur):
        def forward(self, x: Any) -> Any:
            return super().forward(x).repeat(1, 2, 1, 1)

    viewer = ViewerModel()
    live = live_layer(viewer, Two())
    with pytest.raises(ValueError, match="cells_denoised has other channels than cells"):
        add_removed_noise(viewer, viewer.layers["cells"], "ZYX", live)


@pytest.mark.parametrize("rgb", [False, True])
def test_at_each_level_as_many_pixels_of_the_input_as_the_output_has(rgb: bool) -> None:
    shape = (41, 100, 3) if rgb else (41, 100)
    before = noisy((50, 120, *shape[2:]))
    after = noisy(shape, seed=1)
    after[:10] = np.nan
    levels = difference_levels(before, [after, after[::2, ::2], after[::4, ::4]], (3, 5), rgb)
    whole = (before[3:44, 5:105] - after) if not rgb else (before[3:44, 5:105] - after).mean(axis=2)
    for level, step in zip(levels, (1, 2, 4), strict=True):
        np.testing.assert_allclose(np.asarray(level), whole[::step, ::step], atol=1e-4)
    after[:] = before[3:44, 5:105]
    assert np.isnan(np.asarray(levels[-1])).any()
    assert isinstance(levels[-1], KeptArray)
    levels[-1].renew()
    assert not np.asarray(levels[-1]).any()
