"""Weights of blended tiles: never negative, 1 in sum, 0 where a tile is not to be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.patching import TiledAxis
from napari_tessera.patching.windows import WINDOW_KINDS, AxisWindows, blending_insets


@st.composite
def tiled_axes(draw: st.DrawFn) -> TiledAxis:
    """Any axis: overlaps of nearly the whole tile, one tile only, tiles larger than the image."""
    k = draw(st.integers(1, 8))
    even = k if k % 2 == 0 else 2 * k
    overlap = even * draw(st.integers(0, 8))
    patch = k * draw(st.integers(overlap // k + 1, overlap // k + 20))
    size = draw(st.integers(1, patch + 12 * (patch - overlap)))
    padded = -(-size // k) * k
    if k > 1 and patch >= padded:
        return TiledAxis(size, padded, 0, k)
    return TiledAxis(size, patch, overlap, k)


@st.composite
def windows(draw: st.DrawFn) -> AxisWindows:
    axis = draw(tiled_axes())
    inset = draw(st.integers(0, axis.overlap // 2))
    return AxisWindows(axis, inset, draw(st.sampled_from(WINDOW_KINDS)))


def table(window: AxisWindows) -> np.ndarray:
    """Weights of all tiles (rows) over the whole axis; a tile's outside its support are 0."""
    axis = window.axis
    weights = np.zeros((axis.n, axis.size))
    for tile in range(axis.n):
        # a pixel more at each side, to see that it gets nothing
        start, stop = window.support(tile)
        around = slice(max(0, start - 1), min(axis.size, stop + 1))
        weights[tile, around] = window.weights(tile, around.start, around.stop)
    return weights


@settings(max_examples=400)
@given(windows())
def test_a_partition_of_unity_inside_the_supports(window: AxisWindows) -> None:
    axis, weights = window.axis, table(window)
    assert weights.min() >= 0
    assert np.abs(weights.sum(axis=0) - 1).max() <= 1e-12
    for tile in range(axis.n):
        start, stop = window.support(tile)
        coord, crop, size, stitch = axis.tile(tile)
        # the support has all of the core and lies inside the tile and inside the image
        assert 0 <= start <= stitch
        assert stitch + size <= stop <= axis.size
        assert coord <= start
        assert stop <= coord + axis.patch
        assert crop >= 0
        inside = np.zeros(axis.size, bool)
        inside[start:stop] = True
        assert np.array_equal(weights[tile] > 0, inside)
        # nothing within the inset of an end that is not the image's
        if tile > 0:
            assert start >= coord + window.inset
        if tile < axis.n - 1:
            assert stop <= coord + axis.patch - window.inset


@settings(max_examples=150)
@given(windows(), st.data())
def test_a_part_has_the_weights_of_the_whole(window: AxisWindows, data: st.DataObject) -> None:
    axis = window.axis
    start = data.draw(st.integers(0, axis.size - 1))
    stop = data.draw(st.integers(start + 1, axis.size))
    weights = table(window)
    met = [i for i in range(axis.n) if (weights[i, start:stop] > 0).any()]
    assert list(window.meeting(start, stop)) == met
    for tile in met:
        assert np.array_equal(window.weights(tile, start, stop), weights[tile, start:stop])


@settings(max_examples=150)
@given(tiled_axes(), st.sampled_from(WINDOW_KINDS))
def test_without_room_to_fade_the_weights_are_the_cores(axis: TiledAxis, kind: str) -> None:
    weights = table(AxisWindows(axis, axis.overlap // 2, kind))
    for tile in range(axis.n):
        *_, size, stitch = axis.tile(tile)
        expected = np.zeros(axis.size)
        expected[stitch : stitch + size] = 1
        assert np.array_equal(weights[tile], expected)


@settings(max_examples=200)
@given(windows())
def test_weights_are_continuous(window: AxisWindows) -> None:
    """No step from pixel to pixel is larger than the ramp's slope allows."""
    axis, weights = window.axis, table(window)
    if axis.n == 1 or axis.size == 1:
        assert (weights == 1).all()
        return
    ramp = axis.overlap - 2 * window.inset
    steps = np.abs(np.diff(weights, axis=1)).max()
    # (1 where there is no ramp.) Where many tiles share a pixel, which near the image's ends do not
    # all fade, it is up to 2.3 times that with 17 of them.
    slope = 1 / max(ramp, 1)
    if window.kind == "gaussian":
        # a logistic curve in the middle of the ramp: slope 16·step/width² (see the test below)
        width = axis.patch - 2 * window.inset
        slope = max(slope, min(1.0, 17 * axis.step / width**2 + 4 / max(ramp, 1)))
    else:
        slope *= 2.5 if 2 * ramp > axis.patch - 2 * window.inset else 1
    assert steps <= slope + 1e-12


def test_two_tiles_fade_in_a_straight_line() -> None:
    window = AxisWindows(TiledAxis(100, 64, 24, 4), 2)
    ramp = np.arange(40 + 2, 64 - 2)
    expected = (ramp + 0.5 - 42) / 20
    assert np.allclose(window.weights(1, 42, 62), expected, atol=1e-15)
    assert np.allclose(window.weights(0, 42, 62), 1 - expected, atol=1e-15)
    assert window.support(0) == (0, 62)
    assert window.support(1) == (42, 100)


def test_two_tiles_fade_by_the_gaussian() -> None:
    axis = TiledAxis(1000, 64, 24, 4)
    window = AxisWindows(axis, 0, "gaussian")
    pixels = np.arange(80, 104) + 0.5
    heights = [
        np.exp(-((pixels - centre) ** 2) / (2 * (64 / 8) ** 2)) - np.exp(-8) for centre in (72, 112)
    ]
    assert np.allclose(window.weights(1, 80, 104), heights[0] / sum(heights), atol=1e-12)
    assert np.allclose(window.weights(2, 80, 104), heights[1] / sum(heights), atol=1e-12)


def test_the_image_s_ends_are_not_faded() -> None:
    for kind in WINDOW_KINDS:
        window = AxisWindows(TiledAxis(200, 64, 16, 4), 0, kind)
        last = window.axis.n - 1
        assert (window.weights(0, 0, 40) == 1).all()
        assert (window.weights(last, 190, 200) == 1).all()


def test_more_than_two_tiles_over_one_pixel() -> None:
    window = AxisWindows(TiledAxis(400, 64, 48, 4), 0)
    assert len(window.meeting(200, 201)) == 4
    total = sum(window.weights(i, 200, 201) for i in window.meeting(200, 201))
    assert abs(total[0] - 1) < 1e-15


def test_a_tile_larger_than_the_image() -> None:
    window = AxisWindows(TiledAxis(30, 64, 16), 4)
    assert list(window.meeting(0, 30)) == [0]
    assert (window.weights(0, 0, 30) == 1).all()


def test_what_is_left_out_at_a_tile_s_end() -> None:
    assert blending_insets((56, 52, 50, 0, 8), (26, 26, 26, 26, 0)) == (26, 26, 18, 0, 0)
    assert blending_insets((64, 30), None) == (16, 7)


def test_wrong_windows_are_refused() -> None:
    axis = TiledAxis(100, 64, 16)
    with pytest.raises(ValueError, match="inset 9 is outside 0…8, half the overlap 16"):
        AxisWindows(axis, 9)
    with pytest.raises(ValueError, match="window 'crop' is none of linear, gaussian"):
        AxisWindows(axis, 0, "crop")
