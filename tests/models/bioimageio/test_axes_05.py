from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_tessera.models.bioimageio.axes import AxisSize, Layout
from napari_tessera.models.bioimageio.axes_05 import read_axes
from napari_tessera.models.bioimageio.fields import DescriptionError, Field

Make = dict[str, Callable[..., Any]]


def read(axes: list[dict[str, Any]]) -> Layout:
    return read_axes(Field("inputs[0].axes", axes), "raw", {})


@pytest.mark.parametrize(
    ("order", "letters", "dims"),
    [
        ("bcyx", "NCYX", 2),
        ("bczyx", "NCZYX", 3),
        ("byxc", "NYXC", 2),
        ("yx", "YX", 2),
        ("zyx", "ZYX", 3),
        ("xyb", "XYN", 2),
        ("btcyx", "N1CYX", 2),
        ("bczyxi", "NCZYX1", 3),
    ],
)
def test_orders(make: Make, order: str, letters: str, dims: int) -> None:
    layout = read(make["axes_05"](order))
    assert layout.letters == letters
    assert layout.spatial_dims == dims
    assert layout.channels == 1
    assert [axis.name for axis in layout.spatial] == list("zyx"[-dims:])


def test_names_that_are_left_out() -> None:
    layout = read(
        [
            {"type": "batch", "size": 1},
            {"type": "channel", "channel_names": ["a", "b", "c"]},
            {"type": "space", "id": "y", "size": 64},
            {"type": "space", "size": 32, "halo": 4, "scale": 2.0},
        ]
    )
    assert layout.letters == "NCYX"
    assert layout.channels == 3
    y, x = layout.spatial
    assert (x.name, x.halo, x.scale) == ("x", 4, 2.0)
    assert y.size == AxisSize(64, 0)


def test_names_that_are_no_letters_go_by_their_order() -> None:
    axes = [
        {"type": "batch"},
        {"type": "channel", "channel_names": ["a"]},
        {"type": "space", "id": "h", "size": 8},
        {"type": "space", "id": "w", "size": 8},
    ]
    assert read(axes).letters == "NCYX"


def test_a_plane_axis_of_one_entry_is_no_third_dimension(make: Make) -> None:
    axes = make["axes_05"]("bczyx")
    axes[2]["size"] = 1
    layout = read(axes)
    assert layout.letters == "NC1YX"
    assert layout.spatial_dims == 2


def test_sizes() -> None:
    def size(value: Any) -> AxisSize | None:
        axes = [
            {"type": "space", "id": "y", "size": {"min": 16, "step": 8}},
            {"type": "space", "id": "x", "size": value},
        ]
        return read(axes).spatial[1].size

    assert size(512) == AxisSize(512, 0)
    assert size({"min": 32, "step": 4}) == AxisSize(32, 4)
    assert size({"tensor_id": "raw", "axis_id": "y"}) == AxisSize(16, 8)
    assert size({"tensor_id": "raw", "axis_id": "y", "offset": -4}) == AxisSize(12, 8)
    other = size({"tensor_id": "other", "axis_id": "y", "offset": 2})
    assert other == AxisSize(2, 1, ("other", "y"))
    assert size({"min": 3}) == AxisSize(3, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "space", "id": "x", "size": 0}, r"axes\[1\]\.size is 0, not a whole number"),
        ({"type": "space", "id": "x", "size": "big"}, "'big', not a number"),
        ({"type": "space", "id": "x"}, r"it has no inputs\[0\]\.axes\[1\]\.size"),
        ({"type": "space", "id": "x", "size": {"step": 0, "min": 2}}, r"size\.step is 0"),
        ({"type": "space", "id": "x", "size": {"step": 4}}, r"it has no .*size\.min"),
        ({"type": "space", "id": "x", "size": 8, "scale": 0}, "scale is 0, not more than 0"),
        ({"type": "space", "id": "x", "size": 8, "halo": -1}, "halo is -1"),
        ({"type": "space", "id": "y", "size": 8}, r"names an axis twice \(y, y\)"),
        ({"type": "angle", "size": 8}, "'angle', none of batch, channel, space, time, index"),
        ({"type": "time", "size": 3}, "time axis 'time' with more than one entry"),
        ({"type": "index", "size": {"min": 1, "step": 1}}, "index axis 'index' with more"),
        ({"type": "batch"}, "has 1 spatial axes, not 2 or 3"),
        (
            {"type": "space", "id": "x", "size": {"tensor_id": "raw", "axis_id": "q"}},
            "no other axis of this tensor",
        ),
        ({"type": "channel", "channel_names": []}, r"it has no .*axes\[1\]\.size"),
    ],
)
def test_axes_that_cannot_be_followed(change: dict[str, Any], says: str) -> None:
    with pytest.raises(DescriptionError, match=says):
        read([{"type": "space", "id": "y", "size": 8}, change])


def test_two_of_a_kind(make: Make) -> None:
    axes = make["axes_05"]("bcyx")
    with pytest.raises(DescriptionError, match="more than one channel axis"):
        read([*axes, {"type": "channel", "id": "more", "channel_names": ["a"]}])


@pytest.mark.parametrize(("scale", "other"), [(1e-308, 1e308), (5e-324, 2.0)])
def test_scales_that_make_a_size_infinite(make: Make, scale: float, other: float) -> None:
    axes = make["axes_05"]("bcyx")
    axes[2] |= {"scale": other}
    axes[3] |= {"scale": scale, "size": {"tensor_id": "raw", "axis_id": "y"}}
    with pytest.raises(DescriptionError, match=r"its axis 'x' has the scale .* 'y', which it foll"):
        read(axes)


def test_channels_beyond_number(make: Make) -> None:
    axes = make["axes_05"]("bcyx")
    axes[1] = {"type": "channel", "size": 2**40}
    with pytest.raises(DescriptionError, match="has 1,099,511,627,776 channels, more than 65,536"):
        read(axes)
