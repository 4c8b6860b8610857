from __future__ import annotations

from typing import Any

import pytest

from napari_tessera.models.bioimageio.axes import AxisSize, Layout
from napari_tessera.models.bioimageio.axes_04 import read_axes
from napari_tessera.models.bioimageio.fields import DescriptionError, Field


def tensor(axes: str, shape: Any, **more: Any) -> Field:
    return Field("inputs[0]", {"name": "raw", "axes": axes, "shape": shape} | more)


def read(field: Field) -> Layout:
    return read_axes(field, {})


def test_shapes() -> None:
    fixed = read(tensor("bcyx", [1, 3, 256, 128]))
    assert fixed.channels == 3
    assert [axis.size for axis in fixed.spatial] == [AxisSize(256, 0), AxisSize(128, 0)]
    steps = read(tensor("bzyxc", {"min": [1, 8, 32, 32, 2], "step": [0, 4, 16, 16, 0]}))
    assert steps.letters == "NZYXC"
    assert [axis.size for axis in steps.spatial] == [
        AxisSize(8, 4),
        AxisSize(32, 16),
        AxisSize(32, 16),
    ]
    assert steps.channels == 2
    # 0.4 always writes one sample
    assert fixed.axes[0].size is None


def test_outputs_follow_inputs() -> None:
    shape = {"reference_tensor": "raw", "scale": [1, None, 2, 0.5], "offset": [0, 1.5, 0, -8]}
    layout = read(tensor("bcyx", shape, halo=[0, 0, 16, 8]))
    assert layout.channels == 3
    y, x = layout.spatial
    assert (y.scale, y.halo, y.size) == (0.5, 16, AxisSize(0, 1, ("raw", "y")))
    assert (x.scale, x.halo, x.size) == (2.0, 8, AxisSize(-16, 1, ("raw", "x")))


def test_any_number_of_channels() -> None:
    layout = read(tensor("bcyx", {"min": [1, 1, 8, 8], "step": [0, 1, 8, 8]}))
    assert layout.channels is None


@pytest.mark.parametrize(
    ("field", "says"),
    [
        (tensor("bcqx", [1, 1, 8, 8]), r"inputs\[0\]\.axes is 'bcqx', and axes are letters"),
        (tensor("", [1]), "and axes are letters"),
        (tensor("bcyx", [1, 1, 8]), "not one entry for each of the axes bcyx"),
        (tensor("bcyx", {"min": [1, 1, 8, 8], "step": [0, 0, 8]}), "step is .*not one entry"),
        (tensor("bcyx", {"min": [1, 1, 8, 8]}), "it has no .*shape.step"),
        (tensor("bcyx", [1, 1, 8, 8], halo=[1]), "halo is .*not one number for each"),
        (tensor("bcyx", [1, 1, 8, -8]), r"shape\[3\] is -8"),
        (
            tensor("bcyx", {"reference_tensor": "r", "scale": [1, 1, -1, 1], "offset": [0] * 4}),
            r"scale\[2\] is -1, less than 0",
        ),
        (tensor("btyx", [1, 4, 8, 8]), "time axis 't' with more than one entry"),
        (tensor("bc", [1, 4]), "has 0 spatial axes"),
    ],
)
def test_axes_that_cannot_be_followed(field: Field, says: str) -> None:
    with pytest.raises(DescriptionError, match=says):
        read(field)


@pytest.mark.parametrize("scale", [None, 1])
def test_offsets_beyond_any_image(scale: int | None) -> None:
    shape = {"reference_tensor": "raw", "scale": [1, 1, 1, scale], "offset": [0, 0, 0, 1.7e308]}
    with pytest.raises(DescriptionError, match=r"offset\[3\] is 1.7e\+308, not within"):
        read(tensor("bcyx", shape))
