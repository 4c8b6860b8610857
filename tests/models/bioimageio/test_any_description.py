"""Whatever stands in a description: it is read, or refused in one line."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.models.bioimageio.description import read_description
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.process import read_processing

from . import packages

ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, float("inf"), float("nan"), 1e-320),
    *("", "x", "batch", "raw", "..", [], {}, [None], [[]], {"a": 1}, [1, 2, 3], [0.0], ["y", "x"]),
]

PRE = [
    {"id": "scale_linear", "kwargs": {"axis": "channel", "gain": [1, 2], "offset": 1}},
    {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": 1e-6}},
    {"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"], "min_percentile": 1}},
]
POST = [
    {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 1, "std": 2}},
    {"id": "scale_mean_variance", "kwargs": {"reference_tensor": "raw", "axes": ["y", "x"]}},
    {"id": "clip", "kwargs": {"min": 0, "max": 1}},
    {"id": "binarize", "kwargs": {"threshold": 0.5}},
]
OLD = [
    {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "yx"}},
    {"name": "scale_linear", "kwargs": {"gain": [1, 2], "axes": "yx"}},
]
CONFIG = {
    "bioimageio": {
        "test_kwargs": {"torchscript": {"decimal": 3}},
        "reproducibility_tolerance": [{"output_ids": ["clean"], "absolute_tolerance": 1}],
    }
}


def wholes() -> list[Any]:
    found = [
        packages.description_05(PRE[:1], POST, channels=2, config=CONFIG),
        packages.description_05(PRE[1:2], [], channels=2),
        packages.description_05(PRE[2:], [], channels=2, axes="bzyxc"),
        packages.description_04(OLD[:1], [], channels=2, config=CONFIG),
        packages.description_04(OLD[1:], [], channels=2),
    ]
    return copy.deepcopy(found)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every place of a description that something else can be put in."""
    keys = list(node) if isinstance(node, dict) else range(len(node))
    found = [(node, key) for key in keys]
    for key in keys:
        if isinstance(node[key], dict | list):
            found += places(node[key])
    return found


@settings(max_examples=300)
@given(st.data())
def test_any_description(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(wholes()))
    for _ in range(data.draw(st.integers(1, 3))):
        node, key = data.draw(st.sampled_from(places(whole)))
        node[key] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    try_to_read(whole)


def try_to_read(whole: Any) -> None:
    """Only DescriptionError may come out."""
    try:
        description = read_description(whole)
        read_processing(description)
        description.tolerance("torchscript")
    except DescriptionError:
        pass


@pytest.fixture(autouse=True)
def _without_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_tessera.models.bioimageio.description.read_yaml", lambda content: content
    )
