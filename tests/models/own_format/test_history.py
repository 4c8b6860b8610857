"""How a model was trained, in a line for people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.own_format.history import (
    citations_of,
    method_name,
    training_line,
    without_places,
)

from ..own_files import TRAINING


def test_all_that_is_known() -> None:
    assert training_line(TRAINING) == (
        "Noise2Void, 4,000 steps of 16 patches of 64 × 64 px, in 3 min 21 s, on cells.tif, "
        "loss 0.41 (validation 0.39), seed 3, napari-tessera 9.9"
    )


@pytest.mark.parametrize(
    ("training", "line"),
    [
        ({}, None),
        ({"method": "n2v2", "steps": 1}, "N2V2, 1 step"),
        ({"method": "supervised", "seconds": 7.2}, "supervised, in 7 s"),
        ({"seconds": 7322, "stopped": "early"}, "in 2 h 2 min, stopped early"),
        (
            {"data": {"source": "C:\\a\\noisy.tif", "target": "s3://b/clean.zarr/"}},
            "on noisy.tif towards clean.zarr",
        ),
        ({"losses": [[1, 0.5, 0.25], [2, 0.125, None]]}, "loss 0.125 (validation 0.25)"),
        ({"losses": [[1, None, None]]}, None),
        ({"method": "n2v", "settings": {"struct_axis": "x"}}, "structNoise2Void"),
        ({"method": "a\x1b[31m\nthing"}, "a [31m thing"),
    ],
)
def test_as_much_as_is_known(training: dict[str, Any], line: str | None) -> None:
    assert training_line(training) == line


@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: st.none()
            | st.integers()
            | st.floats()
            | st.text()
            | st.lists(st.integers() | st.lists(st.floats() | st.integers(), max_size=3))
            | st.dictionaries(st.sampled_from(["batch_size", "patch_size", "seed"]), st.integers())
            for key in TRAINING
        },
    )
)
def test_what_a_stranger_writes_is_one_line(training: dict[str, Any]) -> None:
    line = training_line(training)
    assert line is None or (line.isprintable() and len(line) <= 400)
    method_name(training)
    citations_of(training, n2v2=True)


@pytest.mark.parametrize(
    ("training", "n2v2", "cited"),
    [
        ({"method": "n2v"}, False, ["Noise2Void"]),
        ({"method": "n2v2"}, True, ["Noise2Void", "N2V2"]),
        ({"method": "n2v", "settings": {"struct_axis": "y"}}, False, ["Noise2Void", "structured"]),
        ({"method": "supervised"}, False, ["Content-aware"]),
        ({}, False, []),
    ],
)
def test_whom_to_cite(training: dict[str, Any], n2v2: bool, cited: list[str]) -> None:
    works = citations_of(training, n2v2)
    assert len(works) == len(cited)
    for work, word in zip(works, cited, strict=True):
        assert word in work.text
        assert work.link


def test_where_files_lay_is_nobodys_business() -> None:
    found = without_places(
        {
            "data": {"source": "/home/ada/cells.tif", "axes": "ZYX"},
            "more": ["C:\\Users\\ada\\b.tif", "https://lab.org/x/y.zarr", "N2V/CARE", 3, None],
        }
    )
    assert found == {
        "data": {"source": "cells.tif", "axes": "ZYX"},
        "more": ["b.tif", "y.zarr", "N2V/CARE", 3, None],
    }
