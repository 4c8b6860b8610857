from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_tessera.models.bioimageio import axes_04, axes_05
from napari_tessera.models.bioimageio.axes import Layout
from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.operations import Chain, read_chain
from napari_tessera.models.processing import (
    Affine,
    Binarize,
    Clip,
    ClipOutput,
    EnsureDtype,
    MatchMeanVariance,
    Operation,
    Rescale,
    RescaleOutput,
    Sigmoid,
    Softmax,
    Standardize,
    StandardizeOutput,
)

Make = dict[str, Callable[..., Any]]
Yaml = dict[str, Any]


def layout_05(make: Make, channels: int = 2, axes: str = "bcyx") -> Layout:
    return axes_05.read_axes(Field("axes", make["axes_05"](axes, channels)), "raw", {})


def layout_04(channels: int = 2) -> Layout:
    return axes_04.read_axes(
        Field("inputs[0]", {"axes": "bcyx", "shape": [1, channels, 16, 16]}), {}
    )


def read(layout: Layout, *items: Yaml, out: bool = False) -> Chain:
    return read_chain(Field("inputs[0].preprocessing", list(items)), layout, "raw", is_output=out)


def op(name: str, key: str = "id", **kwargs: Any) -> Yaml:
    return {key: name, "kwargs": kwargs} if kwargs else {key: name}


CASES_05: list[tuple[Yaml, Operation, str | None]] = [
    (op("scale_linear", gain=2, offset=-1), Affine((2.0,), (-1.0,)), None),
    (
        op("scale_linear", axis="channel", gain=[1, 2], offset=3.5),
        Affine((1.0, 2.0), (3.5,)),
        None,
    ),
    (op("zero_mean_unit_variance"), Standardize(pooled=True), "series"),
    (
        op("zero_mean_unit_variance", axes=["y", "x"], eps=1e-4),
        Standardize(eps=1e-4),
        "time_point",
    ),
    (
        op("zero_mean_unit_variance", axes=["channel", "y", "x"]),
        Standardize(pooled=True),
        "time_point",
    ),
    (op("zero_mean_unit_variance", axes=["batch", "x", "y"]), Standardize(), "series"),
    (
        op("fixed_zero_mean_unit_variance", mean=103.5, std=13.7),
        Standardize((103.5,), (13.7,)),
        None,
    ),
    (
        op("fixed_zero_mean_unit_variance", axis="channel", mean=[1, 2], std=[3, 4]),
        Standardize((1.0, 2.0), (3.0, 4.0)),
        None,
    ),
    (
        op("scale_range", axes=["y", "x"], min_percentile=5, max_percentile=99.8),
        Rescale(None, None, 0.05, 0.998, 1e-6),
        "time_point",
    ),
    (
        op("scale_range"),
        Rescale(None, None, 0.0, 1.0, 1e-6, pooled=True),
        "series",
    ),
    (
        op("scale_range", axes=["y", "x"], reference_tensor="raw"),
        Rescale(None, None, 0.0, 1.0, 1e-6),
        "time_point",
    ),
    (op("clip", min=0, max=1.5), Clip(0.0, 1.5), None),
    (op("clip", min=0), Clip(0.0, None), None),
    (op("clip", max=2), Clip(None, 2.0), None),
    (op("clip", min=float("-inf"), max=2), Clip(None, 2.0), None),
    (
        op("clip", min_percentile=1, max=9, axes=["y", "x"]),
        Clip(None, 9.0, 0.01, None),
        "time_point",
    ),
    (op("sigmoid"), Sigmoid(), None),
    (op("softmax"), Softmax(), None),
    (op("softmax", axis="channel"), Softmax(), None),
    (op("binarize", threshold=0.5), Binarize((0.5,)), None),
    (op("binarize", axis="channel", threshold=[0.5, 1]), Binarize((0.5, 1.0)), None),
    (op("ensure_dtype", dtype="uint8"), EnsureDtype("uint8"), None),
]


@pytest.mark.parametrize(("item", "expected", "scope"), CASES_05)
def test_format_05(make: Make, item: Yaml, expected: Operation, scope: str | None) -> None:
    chain = read(layout_05(make), item)
    assert chain.operations == (expected,)
    assert chain.scope == scope


CASES_04: list[tuple[Yaml, Operation, str | None]] = [
    (op("scale_linear", "name", gain=2.0, offset=1.0), Affine((2.0,), (1.0,)), None),
    (
        op("scale_linear", "name", axes="yx", gain=[1, 2], offset=[0, 1]),
        Affine((1.0, 2.0), (0.0, 1.0)),
        None,
    ),
    (
        op("zero_mean_unit_variance", "name", mode="fixed", axes="yx", mean=[1, 2], std=[3, 4]),
        Standardize((1.0, 2.0), (3.0, 4.0)),
        None,
    ),
    (
        op("zero_mean_unit_variance", "name", axes="cyx", mean=1.5, std=2),
        Standardize((1.5,), (2.0,)),
        None,
    ),
    (
        op("zero_mean_unit_variance", "name", mode="per_sample", axes="yx"),
        Standardize(),
        "time_point",
    ),
    (
        op("zero_mean_unit_variance", "name", mode="per_sample", axes="cyx"),
        Standardize(pooled=True),
        "time_point",
    ),
    (
        op("zero_mean_unit_variance", "name", mode="per_dataset", axes="yx", eps=0.01),
        Standardize(eps=0.01),
        "series",
    ),
    (
        op("scale_range", "name", mode="per_sample", axes="cyx", min_percentile=1.0),
        Rescale(None, None, 0.01, 1.0, 1e-6, pooled=True),
        "time_point",
    ),
    (
        op("scale_range", "name", mode="per_dataset", axes="yx"),
        Rescale(None, None, 0.0, 1.0, 1e-6),
        "series",
    ),
    (op("clip", "name", min=0.0, max=1.0), Clip(0.0, 1.0), None),
    (op("sigmoid", "name"), Sigmoid(), None),
    (op("binarize", "name", threshold=0.3), Binarize((0.3,)), None),
]


@pytest.mark.parametrize(("item", "expected", "scope"), CASES_04)
def test_format_04(item: Yaml, expected: Operation, scope: str | None) -> None:
    chain = read(layout_04(), item)
    assert chain.operations == (expected,)
    assert chain.scope == scope


def test_after_the_network_the_prediction_itself_is_measured(make: Make) -> None:
    layout = layout_05(make)
    axes = ["channel", "y", "x"]
    cases: list[tuple[Yaml, Operation]] = [
        (op("zero_mean_unit_variance", axes=axes), StandardizeOutput(1e-6, pooled=True)),
        (op("scale_range", axes=["y", "x"], max_percentile=99), RescaleOutput(0.0, 0.99)),
        (
            op("scale_range", axes=["y", "x"], reference_tensor="raw"),
            Rescale(None, None, 0.0, 1.0, 1e-6),
        ),
        (
            op("scale_mean_variance", axes=["y", "x"], reference_tensor="raw", eps=1e-3),
            MatchMeanVariance(1e-3),
        ),
        (op("clip", max_percentile=99, axes=["y", "x"]), ClipOutput(None, None, None, 0.99)),
        (op("clip", max=99), Clip(None, 99.0)),
    ]
    for item, expected in cases:
        assert read(layout, item, out=True).operations == (expected,)
    old = op("scale_mean_variance", "name", mode="per_sample", reference_tensor="raw")
    assert read(layout_04(1), old, out=True).operations == (MatchMeanVariance(),)
    assert read(layout_04(1), old, out=True).scope == "time_point"


def test_one_channel_is_never_pooled(make: Make) -> None:
    """A one-channel network runs on each channel of an image apart."""
    for axes in ("bcyx", "byx", "yx"):
        assert read(layout_05(make, 1, axes), op("zero_mean_unit_variance")).operations == (
            Standardize(),
        )


def test_the_widest_scope_counts(make: Make) -> None:
    chain = read(
        layout_05(make),
        op("scale_range", axes=["y", "x"]),
        op("clip", min_percentile=1, axes=["batch", "y", "x"]),
    )
    assert chain.scope == "series"
    assert read(layout_05(make)) == Chain((), None)


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (op("blur"), r"preprocessing\[0\]\.id is 'blur', an unknown operation: known are binarize"),
        (op("custom"), "'custom', which is Python code of its own"),
        (op("stardist_postprocessing"), "turns an image into objects"),
        ({}, r"it has no inputs\[0\]\.preprocessing\[0\]\.name"),
        ({"id": "clip", "kwargs": [1]}, r"kwargs is \[1\], not a mapping"),
        (op("clip"), "kwargs is None, without min and max"),
        (op("clip", min=2, max=1), "its max is not more than its min"),
        (op("clip", min=2, min_percentile=1), "min_percentile is 1, and .*min is given too"),
        (op("clip", min="low"), "min is 'low', not a number"),
        (op("clip", min_percentile=101), "min_percentile is 101, not within 0…100"),
        (op("zero_mean_unit_variance", axes=["x"]), "and leaves out 'y': planes or rows"),
        (op("zero_mean_unit_variance", axes=["x", "z"]), "'z' is no axis of its tensor"),
        (op("zero_mean_unit_variance", axes=3), "axes is 3, not a list"),
        (op("zero_mean_unit_variance", eps=-1), "eps is -1, not within 0…1"),
        (op("zero_mean_unit_variance", mode="sometimes"), "'sometimes', none of fixed"),
        (op("fixed_zero_mean_unit_variance", mean=1), r"it has no .*kwargs\.std"),
        (op("fixed_zero_mean_unit_variance", mean=1, std=-1), "std is -1, not more than 0"),
        (
            op("fixed_zero_mean_unit_variance", axis="y", mean=[1, 2], std=[1, 2]),
            "axis is 'y', and numbers along another axis than the channels",
        ),
        (
            op("fixed_zero_mean_unit_variance", axis="channel", mean=[1] * 3, std=[1] * 3),
            "3 numbers for 2 channels",
        ),
        (op("scale_linear", gain=[1, 2, 3]), "gain is .*3 numbers for 2 channels"),
        (op("scale_linear", axes="x", gain=[1, 2]), "leaves out 'y': numbers along another"),
        (op("scale_range", min_percentile=50, max_percentile=40), "max_percentile 40 is not more"),
        (op("scale_range", reference_tensor="other"), "'other', and only the input 'raw'"),
        (op("scale_mean_variance", reference_tensor="raw"), "only 'raw' can be matched"),
        (op("softmax", axis="x"), "numbers along another axis"),
        (op("binarize"), r"it has no .*kwargs\.threshold"),
        (op("binarize", threshold=[]), "empty"),
        (op("ensure_dtype", dtype="complex64"), "'complex64', none of float32"),
        (op("ensure_dtype"), r"it has no .*kwargs\.dtype"),
    ],
)
def test_operations_that_are_refused(make: Make, item: Yaml, says: str) -> None:
    with pytest.raises(DescriptionError, match=says) as raised:
        read(layout_05(make), item)
    assert "\n" not in str(raised.value)
    assert raised.value.way_out


def test_the_unprocessed_input_as_reference_after_another_operation(make: Make) -> None:
    reference = op("scale_range", axes=["y", "x"], reference_tensor="raw")
    first = op("ensure_dtype", dtype="float32")
    assert len(read(layout_05(make), first, reference).operations) == 2
    with pytest.raises(DescriptionError, match="the input as it was before"):
        read(layout_05(make), op("clip", min=0), reference)


def test_planes_of_a_volume_are_not_measured_one_by_one(make: Make) -> None:
    layout = layout_05(make, 1, "bczyx")
    with pytest.raises(DescriptionError, match="leaves out 'z': planes or rows"):
        read(layout, op("zero_mean_unit_variance", axes=["y", "x"]))
    assert read(layout, op("zero_mean_unit_variance", axes=["z", "y", "x"])).operations
