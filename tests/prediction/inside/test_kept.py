"""Tiles that are predicted, stored as runs."""

from __future__ import annotations

import json
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_tessera.prediction.inside.kept import KeptTiles


@st.composite
def grids(draw: st.DrawFn) -> np.ndarray:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=5))
    axis = draw(st.integers(0, len(shape) - 1))
    kept = draw(hnp.arrays(bool, shape))
    if draw(st.booleans()):
        kept = np.broadcast_to(kept.take([0], axis), shape)
    return kept


@given(grids())
def test_what_is_stored_is_what_was_kept(kept: np.ndarray) -> None:
    axes = "TZYX"[-kept.ndim :]
    if not kept.any():
        with pytest.raises(ValueError, match="no tile is kept"):
            KeptTiles.of(axes, kept)
        return
    stored = KeptTiles.of(axes, kept)
    assert np.array_equal(np.broadcast_to(stored.over(axes), kept.shape), kept)
    assert stored.share_of(kept.size) == np.count_nonzero(kept)
    assert stored.keeps_all == kept.all()
    stored.check(axes, kept.shape)
    assert KeptTiles.from_json(json.loads(json.dumps(stored.to_json()))) == stored
    for letter in stored.axes:
        axis = axes.index(letter)
        assert not (kept == kept.take([0], axis)).all(), "an axis is stored that needs not be"


def test_a_mask_of_the_plane_is_stored_once() -> None:
    plane = np.zeros((400, 400), bool)
    plane[100:110, 20:30] = True
    stored = KeptTiles.of("TZYX", np.broadcast_to(plane, (50, 200, 400, 400)))
    assert (stored.axes, stored.shape) == ("YX", (400, 400))
    assert len(json.dumps(stored.to_json())) < 300
    assert stored.share_of(50 * 200 * 400 * 400) == 50 * 200 * 100


@pytest.mark.parametrize(
    ("axes", "shape", "runs", "message"),
    [
        ("YX", (2, 3), (1, 2, 2), "do not fill"),
        ("YX", (2, 3), (1, 0, 5), "a run of tiles is empty"),
        ("YX", (2, 3), (-1, 7), "a run of tiles is empty"),
        ("YX", (0, 3), (0,), "a run of tiles is empty"),
        ("YX", (2, 3), (6,), "no tile is kept"),
        ("YX", (2, 3), (), "do not fill"),
        ("YX", (2, 3), (1.0, 5), "whole numbers"),
        ("YX", (2, 3), (True, 5), "whole numbers"),
        ("Y", (2, 3), (0, 6), "does not name the axes"),
        ("YY", (2, 3), (0, 6), "does not name the axes"),
    ],
)
def test_what_cannot_be_is_refused(
    axes: str, shape: tuple[int, ...], runs: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        KeptTiles(axes, shape, runs)


def test_another_grid_is_refused() -> None:
    stored = KeptTiles("YX", (2, 3), (1, prod((2, 3)) - 1))
    stored.check("TYX", (9, 2, 3))
    for axes, shape in [("TYX", (9, 3, 3)), ("XY", (3, 2)), ("TY", (9, 2))]:
        with pytest.raises(ValueError, match="of a grid"):
            stored.check(axes, shape)


def test_what_it_does_not_know_is_refused() -> None:
    data = {**KeptTiles("Y", (2,), (1, 1)).to_json(), "holes": 3}
    with pytest.raises(ValueError, match="unknown: holes"):
        KeptTiles.from_json(data)


@given(grids(), st.integers(0, 2**31))
def test_of_a_part_of_the_grid_the_same_is_kept(kept: np.ndarray, seed: int) -> None:
    if not kept.any():
        return
    axes = "TZYX"[-kept.ndim :]
    rng = np.random.default_rng(seed)
    positions = {
        letter: np.flatnonzero(np.append(rng.random(size - 1) < 0.6, True))
        for letter, size in zip(axes, kept.shape, strict=True)
    }
    part = kept[np.ix_(*positions.values())]
    among = KeptTiles.of(axes, kept).among(positions)
    if not part.any():
        assert among is None
        return
    assert among is not None
    assert np.array_equal(np.broadcast_to(among.over(axes), part.shape), part)
