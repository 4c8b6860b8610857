"""What comes, seen from arrays that hold more than the region, or have OME's order of axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.region import Region
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.coming import in_larger, on_disk


def pixels_of(coverage: Coverage) -> np.ndarray:
    pixels = coverage.comes
    for axis, cuts in enumerate(coverage.cuts):
        if pixels.shape[axis] == 1:
            pixels = np.repeat(pixels, len(cuts) - 1, axis)
        pixels = np.repeat(pixels, np.diff(cuts), axis)
    return pixels


@st.composite
def regions(draw: st.DrawFn) -> tuple[Region, Region, Coverage]:
    """A region, a larger one, and what comes of the first."""
    axes = "".join(draw(st.permutations(draw(st.sampled_from(["STCYX", "TYX", "CZYX", "SYX"])))))
    shape = tuple(draw(st.integers(2, 7)) for _ in axes)
    inner: dict[str, Any] = {}
    outer: dict[str, Any] = {}
    for letter, size in zip(axes, shape, strict=True):
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start + 1, size))
        inner[letter] = slice(start, stop)
        if letter in "STC" and draw(st.booleans()):
            inner[letter] = sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))
        outer[letter] = draw(st.sampled_from([inner[letter], slice(0, size)]))
    region, larger = (Region.from_selection(axes, shape, each) for each in (inner, outer))
    cuts, cells = [], []
    for letter, size in zip(axes, region.selected_shape, strict=True):
        own = range(size + 1)
        if letter in "ZYX":
            own = sorted(draw(st.sets(st.integers(1, size), max_size=2)) | {0, size})
        cuts.append(np.array(own))
        cells.append(draw(st.sampled_from([1, len(own) - 1])))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return region, larger, Coverage(tuple(cuts), rng.random(cells) < 0.5)


@settings(max_examples=60, deadline=None)
@given(regions())
def test_what_an_array_holds_besides_is_taken_to_come(
    given_: tuple[Region, Region, Coverage],
) -> None:
    region, larger, coverage = given_
    expected = np.ones(larger.selected_shape, bool)
    at = [
        np.searchsorted(many, own) for many, own in zip(larger.indices, region.indices, strict=True)
    ]
    expected[np.ix_(*at)] = pixels_of(coverage)
    assert np.array_equal(pixels_of(in_larger(coverage, region, larger)), expected)


@settings(max_examples=60, deadline=None)
@given(regions())
def test_axes_on_disk_are_in_omes_order(given_: tuple[Region, Region, Coverage]) -> None:
    region, _, coverage = given_
    order = OmeOrder(region.axes, region.selected_shape)
    disk = on_disk(coverage, order)
    assert np.array_equal(pixels_of(disk), order.to_disk(pixels_of(coverage)))
