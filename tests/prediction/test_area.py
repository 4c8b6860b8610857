"""Tiles of a region by arithmetic, and their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import Schedule, TileArea
from napari_tessera.region import Region


def make(axes: str, shape: tuple[int, ...], fold: str, selection: dict, patch: int) -> TileArea:
    layout = Layout(axes, shape, fold)
    region = Region.from_selection(layout.output_axes, layout.output_shape, selection)
    n = len(layout.spatial_axes)
    return TileArea(layout, region, TiledPatching([layout.view_shape], (patch,) * n, (4,) * n, 2))


@st.composite
def areas(draw: st.DrawFn) -> TileArea:
    axes, fold = draw(st.sampled_from([("TZCYX", "ZC"), ("CTZYX", "Z"), ("ZYXC", ""), ("YX", "")]))
    shape = tuple(draw(st.integers(1, 40 if a in "YX" else 4)) for a in axes)
    selection: dict = {}
    for letter, size in zip(axes, shape, strict=True):
        if letter in "TC" and (letter != "C" or "C" in fold) and draw(st.booleans()):
            selection[letter] = sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))
        elif letter in "ZYX" and draw(st.booleans()):
            start = draw(st.integers(0, size - 1))
            selection[letter] = slice(start, draw(st.integers(start + 1, size)))
    return make(axes, shape, fold, selection, draw(st.sampled_from([6, 8, 16])))


@given(areas())
def test_blocks_cover_the_region_once_and_touch_it_all(area: TileArea) -> None:
    count = np.zeros(area.region.selected_shape, int)
    for index in range(area.n_tiles):
        block = area.block(index)
        placed = area.region.place(block)
        assert placed is not None, "a tile that the region does not meet"
        count[placed[1]] += 1
        spec = area.spec(index)
        assert spec["total_tiles"] == area.n_tiles
        assert block == area.layout.output_index(
            spec["sample_idx"], spec["stitch_coords"], spec["crop_size"]
        )
        assert tuple(spec["patch_size"]) == area.tile_size
    assert (count == 1).all()


@given(areas(), st.data())
def test_tiles_that_meet_a_selection(area: TileArea, data: st.DataObject) -> None:
    axes, shape = area.region.axes, area.region.shape
    pixel = {
        letter: data.draw(st.integers(0, s - 1)) for letter, s in zip(axes, shape, strict=True)
    }
    met = list(area.meeting(pixel))
    at = tuple(slice(pixel[letter], pixel[letter] + 1) for letter in axes)
    expected = [
        i
        for i in range(area.n_tiles)
        if all(
            b.start < a.stop and a.start < b.stop for a, b in zip(at, area.block(i), strict=True)
        )
    ]
    # A pixel of no chosen slice may still lie in a tile of the region's edge.
    assert met == expected


def test_outside_is_an_index_error() -> None:
    area = make("YX", (20, 20), "", {}, 16)
    for index in (-1, area.n_tiles):
        with pytest.raises(IndexError, match="outside 0"):
            area.spec(index)


def test_a_schedule_hands_out_each_tile_once() -> None:
    area = make("TYX", (3, 40, 40), "", {}, 16)
    schedule = Schedule(area, done=[0, 5])
    assert schedule.n_done == 2
    first = schedule.next(2)
    assert first == [1, 2]
    schedule.prioritize({"T": 2})
    per_sample = area.tiles_per_sample
    front = schedule.next(per_sample)
    assert all(index >= 2 * per_sample for index in front)
    rest = []
    while batch := schedule.next(4):
        rest += batch
    assert sorted([0, 5, *first, *front, *rest]) == list(range(area.n_tiles))
    for index in range(area.n_tiles):
        schedule.finish(index)
    assert schedule.n_done == schedule.n_tiles
    assert schedule.done() == list(range(area.n_tiles))
    assert schedule.done_mask() == bytearray(b"\1" * area.n_tiles)
