"""What is seen comes first, from its middle outwards."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import Schedule, TileArea, order
from napari_tessera.prediction.order import visible_first
from napari_tessera.region import Region

AXES = ("YX", "TYX", "ZYX", "TZYX", "CYX", "TCZYX", "XYC")


def make(
    axes: str, shape: tuple[int, ...], fold: str, selection: Any, patch: int, overlap: int = 0
) -> TileArea:
    layout = Layout(axes, shape, fold)
    region = Region.from_selection(axes, shape, selection)
    n = len(layout.spatial_axes)
    grid = TiledPatching([layout.view_shape], (patch,) * n, (overlap,) * n)
    return TileArea(layout, region, grid)


@st.composite
def parts(draw: st.DrawFn, size: int, beyond: int = 0) -> slice:
    start = draw(st.integers(0, size - 1 + beyond))
    return slice(start, draw(st.integers(start + 1, size + 1 + beyond)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[TileArea, dict[str, Any], dict[str, float]]:
    axes = draw(st.sampled_from(AXES))
    shape = tuple(draw(st.integers(1, 40 if letter in "YX" else 5)) for letter in axes)
    fold = draw(st.sampled_from(("", "Z", "C", "ZC")))
    region = {
        letter: draw(parts(size))
        for letter, size in zip(axes, shape, strict=True)
        if draw(st.booleans())
    }
    area = make(axes, shape, fold, region, 8, draw(st.sampled_from((0, 4))))
    selection: dict[str, Any] = {}
    for letter, size in zip(axes, shape, strict=True):
        kind = draw(st.sampled_from(("whole", "slice", "index")))
        if kind == "slice":
            selection[letter] = draw(parts(size, beyond=3))
        elif kind == "index":
            selection[letter] = draw(st.integers(0, size + 1))
    position = {letter: draw(st.floats(-5, 50)) for letter in axes if draw(st.booleans())}
    return area, selection, position


def covers(part: slice, wanted: Any, within: range | tuple[int, ...]) -> bool:
    """Whether a block meets what is wanted, of what the region has."""
    if wanted is None:
        wanted = slice(0, 10_000)
    elif not isinstance(wanted, slice):
        wanted = slice(wanted, wanted + 1)
    return any(
        wanted.start <= i < wanted.stop and i in within for i in range(part.start, part.stop)
    )


@given(cases())
def test_tiles_that_are_seen_nearest_first(
    case: tuple[TileArea, dict[str, Any], dict[str, float]],
) -> None:
    area, selection, position = case
    axes = area.region.axes
    folded_c = "C" in area.layout.sample_sizes
    expected = [
        index
        for index in range(area.n_tiles)
        if all(
            covers(part, selection.get(letter), area.region.along(letter))
            for letter, part in zip(axes, area.block(index), strict=True)
            if letter != "C" or folded_c
        )
    ]

    def distance(index: int) -> float:
        block = area.block(index)
        return sum(
            ((part.start + part.stop - 1) / 2 - position[letter]) ** 2
            for letter, part in zip(axes, block, strict=True)
            if letter in position and (letter != "C" or folded_c)
        )

    found = visible_first(area, selection, position)
    assert len(found) == len(expected)
    listed = list(found)
    assert sorted(listed) == expected
    away = [distance(index) for index in listed]
    np.testing.assert_allclose(away, sorted(away), atol=1e-6)
    # as blocks, and where so many are looked at part by part, they are the same
    assert np.concatenate([*found.blocks(), np.zeros(0, np.int64)]).tolist() == listed


@given(cases())
def test_many_tiles_are_looked_at_part_by_part(
    case: tuple[TileArea, dict[str, Any], dict[str, float]],
) -> None:
    whole = list(visible_first(*case))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "FIRST", 3)
        assert list(visible_first(*case)) == whole
        patch.setattr(order, "MOST_AT_ONCE", 10)
        assert sorted(visible_first(*case)) == sorted(whole)


def test_planes_of_a_volume_come_from_the_middle_outwards() -> None:
    area = make("TZYX", (2, 5, 16, 16), "Z", {}, 16)
    found = list(visible_first(area, {"T": 1}, {"Z": 3, "Y": 8, "X": 8}))
    assert found == [5 + z for z in (3, 2, 4, 1, 0)]


def test_nothing_in_view_is_nothing() -> None:
    area = make("TYX", (3, 40, 40), "", {"T": 1}, 16)
    assert list(visible_first(area, {"T": 0}, {})) == []
    assert list(visible_first(area, {"X": slice(90, 99)}, {})) == []
    assert list(visible_first(area, {}, {})) == list(range(area.n_tiles))


def test_axes_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="axis 'Z', the output has TYX"):
        visible_first(make("TYX", (3, 40, 40), "", {}, 16), {"Z": 1}, {})


def test_no_list_is_made_of_the_tiles_of_a_huge_grid() -> None:
    area = make("TZYX", (10, 1000, 25_600, 25_600), "Z", {}, 256)
    assert area.n_tiles == 10**8
    tracemalloc.start()
    found = visible_first(area, {}, {"T": 5, "Z": 500, "Y": 12_800, "X": 100})
    schedule = Schedule(area)
    schedule.reorder(found)
    first = area.block(schedule.next(1)[0])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [part.start for part in first] == [5, 500, 12_800, 0]
    # the schedule's own byte a tile, and no more than one plane's worth of numbers beside it
    assert most < 1.2 * area.n_tiles + 2**27
