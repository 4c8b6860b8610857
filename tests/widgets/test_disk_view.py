"""Axis orders between disk and layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.region import Region
from napari_tessera.widgets.disk_view import DiskView, display_axes
from napari_tessera.widgets.output_store import make_store
from napari_tessera.writing.ome.order import OmeOrder


def test_display_axes_put_a_new_channel_axis_first() -> None:
    class Two(Blur):
        def forward(self, x: Any) -> Any:
            return super().forward(x).repeat(1, 2, 1, 1)

    image = noisy((3, 40, 40))
    plan = make_plan(image, "TYX", Two())
    assert plan.layout.output_axes == "TCYX"
    assert display_axes(plan, "TYX", rgb=False) == "CTYX"
    store = make_store(plan, "TYX")
    assert store.data().shape == (2, 3, 40, 40)
    assert np.shares_memory(store.data(), store.array)  # type: ignore[union-attr]


@given(data=st.data())
def test_slices_as_the_output_would(data: st.DataObject) -> None:
    sizes = {"S": 2, "T": 3, "C": 2, "Z": 3, "Y": 5, "X": 4}
    axes = "".join(data.draw(st.permutations("STCZYX")))
    axes = "".join(a for a in axes if a in "YX" or data.draw(st.booleans()))
    output = np.arange(np.prod([sizes[a] for a in axes])).reshape([sizes[a] for a in axes])
    held = Region.from_selection(axes, output.shape)
    order = "".join(data.draw(st.permutations(axes)))
    view = DiskView(OmeOrder(axes, output.shape).to_disk(output), held, order)
    expected = output.transpose([axes.index(a) for a in order])
    np.testing.assert_array_equal(np.asarray(view), expected)
    index = data.draw(basic_indices(expected.shape, allow_newaxis=False))
    np.testing.assert_array_equal(view[index], expected[index])


def test_an_axis_of_length_1_may_be_left_out() -> None:
    output = np.arange(20).reshape(4, 5, 1)
    held = Region.from_selection("YXC", output.shape)
    view = DiskView(OmeOrder("YXC", output.shape).to_disk(output), held, "YX")
    np.testing.assert_array_equal(np.asarray(view), output[..., 0])
