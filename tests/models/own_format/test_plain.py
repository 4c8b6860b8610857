"""Whatever describes a training becomes JSON."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.own_format.plain import MOST_ITEMS, plain_json


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (float("nan"), None),
        ((1, 2.5, None, True), [1, 2.5, None, True]),
        ({1: Path("/a/b")}, {"1": "/a/b"}),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.array([[1, 2]]), [[1, 2]]),
        (torch.tensor([1.5]), [1.5]),
        (Colour.RED, "Colour.RED"),
        ("x" * 3000, "x" * 2000),
        # a name of a file in the Latin-1 of an old disk
        ({"source": "caf\udce9.tif"}, {"source": "caf?.tif"}),
        ({"caf\udce9": Path("caf\udce9")}, {"caf?": "caf?"}),
    ],
)
def test_values_become_plain(value: Any, plain: Any) -> None:
    assert plain_json(value) == plain
    json.dumps(plain_json(value), allow_nan=False, ensure_ascii=False).encode()


def test_a_long_curve_keeps_its_ends() -> None:
    kept = plain_json(list(range(100_000)))
    assert len(kept) == MOST_ITEMS
    assert (kept[0], kept[-1]) == (0, 99_999)
    assert kept == sorted(set(kept))


def test_what_holds_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    json.dumps(plain_json(endless))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.integers(), inner),
    max_leaves=20,
)


@given(anything)
def test_anything_becomes_json(value: Any) -> None:
    json.dumps(plain_json(value), allow_nan=False)
