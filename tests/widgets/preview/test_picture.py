"""What a preview's layer shows, put together from tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.widgets.conftest import Blur, noisy
from tests.widgets.preview.conftest import filled
from torch import nn

from napari_tessera.widgets.lazy_array import KeptArray
from napari_tessera.widgets.preview.picture import Level, Picture, Shown
from napari_tessera.widgets.preview.tile_cache import TileCache
from napari_tessera.widgets.rgb import Colours


class TwoOfOne(nn.Module):
    """Makes two channels of one: as it is, and blurred."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = Blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.blur(x)], dim=1)


SIZES = {"S": 2, "T": 3, "C": 2, "Z": 2, "Y": 47, "X": 59}


@settings(max_examples=15, deadline=None)
@given(
    extra=st.lists(st.sampled_from("STCZ"), unique=True, max_size=2),
    every=st.integers(1, 4),
    tile=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    data=st.data(),
)
def test_any_part_of_any_level_shows_the_tiles_that_are_there(
    extra: list[str], every: int, tile: tuple[int, int], data: st.DataObject
) -> None:
    axes = "".join(extra) + "YX"
    image = noisy(tuple(SIZES[letter] for letter in axes))
    cache, plan, name, expected = filled(image, axes, every, patch_size=tile)
    picture = Picture(cache, Shown(plan, name), axes)
    shown: Any = picture.data()
    assert np.array_equal(np.asarray(shown), expected, equal_nan=True)
    steps = {a: data.draw(st.integers(1, 9 if a in "YX" else 2), label=a) for a in axes}
    level = Level(picture, steps)
    picked = expected[tuple(slice(None, None, steps[a]) for a in axes)]
    assert level.shape == picked.shape
    part = tuple(
        slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))))
        for n in level.shape
    )
    assert np.array_equal(level[part], picked[part], equal_nan=True)


def test_a_model_for_volumes() -> None:
    image = noisy((20, 50, 60))
    cache, plan, name, expected = filled(
        image, "ZYX", 2, Blur(3), patch_size=(8, 16, 24), overlaps=(2, 2, 2)
    )
    shown: Any = Picture(cache, Shown(plan, name), "ZYX").data()
    assert np.array_equal(np.asarray(shown), expected, equal_nan=True)
    assert np.array_equal(shown[7, 3:40, 5], expected[7, 3:40, 5], equal_nan=True)


def test_channels_that_the_model_makes_come_first() -> None:
    cache, plan, name, expected = filled(noisy((60, 70)), "YX", 1, TwoOfOne(), patch_size=(32, 32))
    picture = Picture(cache, Shown(plan, name), "YX")
    assert picture.axes == "CYX"
    assert np.array_equal(np.asarray(picture.data()), expected)


@pytest.mark.parametrize("n", [3, 4])
def test_colours_are_transparent_where_nothing_is_there(n: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 70, n), np.uint8)
    cache, plan, name, expected = filled(rgb[..., :3].copy(), "YXC", 2, patch_size=(32, 32))
    picture = Picture(cache, Shown(plan, name), "YX", Colours("uint8", rgb))
    assert picture.axes == "YX"
    shown = np.asarray(picture.data())
    assert (shown.shape, shown.dtype) == ((60, 70, 4), np.uint8)
    there = np.isfinite(expected).all(axis=-1)
    assert 0 < there.sum() < there.size
    alpha = rgb[..., 3] if n == 4 else np.full((60, 70), 255)
    assert np.array_equal(shown[..., 3], np.where(there, alpha, 0))
    assert np.array_equal(shown[there][:, :3], np.rint(expected[there]).astype(np.uint8))
    half = Level(picture, {"Y": 2, "X": 3, "C": 1})
    assert np.array_equal(half[3:9, ::-1], shown[::2, ::3][3:9, ::-1])


def test_a_large_plane_has_levels_and_the_smallest_is_renewed() -> None:
    image = noisy((2100, 300))
    cache, plan, name, expected = filled(image, "YX", patch_size=(512, 304))
    empty = TileCache(2**30)
    picture = Picture(empty, Shown(plan, name), "YX")
    levels = picture.data()
    assert [level.shape for level in levels] == [(2100, 300), (1050, 150), (525, 75)]
    assert isinstance(levels[-1], KeptArray)
    assert np.isnan(np.asarray(levels[-1])).all()
    for number, region in cache.tiles(name).items():
        empty.put(name, number, region)
    assert np.isnan(np.asarray(levels[-1])).all()
    picture.renew()
    for i, level in enumerate(levels):
        assert np.array_equal(np.asarray(level), expected[:: 2**i, :: 2**i])


def test_a_stack_of_large_planes_keeps_no_level_in_memory() -> None:
    image = np.broadcast_to(noisy((1, 2100, 64)), (3, 2100, 64))
    cache, plan, name, _ = filled(image, "TYX", patch_size=(512, 64))
    levels = Picture(cache, Shown(plan, name), "TYX").data()
    assert not any(isinstance(level, KeptArray) for level in levels)
    assert np.asarray(levels[-1][1]).shape == (525, 16)


def test_what_napari_cuts_of_all_planes_is_computed_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = noisy((5, 60, 70))
    cache, plan, name, expected = filled(image, "TYX", 2, patch_size=(32, 32))
    shown: Any = Picture(cache, Shown(plan, name), "TYX").data()
    asked = []
    compute = Level._compute

    def noted(self: Level, bounds: Any) -> Any:
        asked.append(bounds)
        return compute(self, bounds)

    monkeypatch.setattr(Level, "_compute", noted)
    cut = shown[:, 10:40, 5:60:1]
    assert cut.shape == (5, 30, 55)
    assert asked == []
    plane = np.asarray(cut[3])
    assert asked == [((3, 4), (10, 40), (5, 60))]
    assert np.array_equal(plane, expected[3, 10:40, 5:60], equal_nan=True)
    assert np.array_equal(np.asarray(cut), expected[:, 10:40, 5:60], equal_nan=True)


def test_other_settings_show_in_the_same_arrays() -> None:
    image = noisy((60, 70))
    cache, plan, name, expected = filled(image, "YX", patch_size=(32, 32))
    other, again, its_name, _ = filled(image, "YX", patch_size=(16, 16))
    for number, region in other.tiles(its_name).items():
        cache.put(its_name, number, region)
    picture = Picture(cache, Shown(plan, "nothing"), "YX")
    shown: Any = picture.data()
    assert np.isnan(shown[:]).all()
    for each, of in ((plan, name), (again, its_name)):
        assert picture.fits(each)
        picture.shown = Shown(each, of)
        assert np.allclose(shown[:], expected, rtol=1e-6)
    _, longer, *_ = filled(noisy((60, 71)), "YX", patch_size=(32, 32))
    assert not picture.fits(longer)
