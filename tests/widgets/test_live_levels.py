"""Smaller levels of outputs with large planes, filled as tiles come."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.widgets.conftest import make_plan, noisy, run_into

from napari_tessera.region import Region
from napari_tessera.widgets import live_levels
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.live_levels import (
    LevelsInMemory,
    PickedLevel,
    kept_bytes,
    level_steps,
    levels_within,
    wants_levels,
)
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=4),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 70)),
)
def test_blocks_of_any_cut_make_every_nth_pixel(
    height: int,
    width: int,
    cuts: list[tuple[int, int]],
    steps: tuple[int, int, int],
) -> None:
    image = np.random.default_rng(0).random((2, height, width)).astype(np.float32)
    level = PickedLevel.empty(image.shape, image.dtype, steps)
    rows = sorted({0, height, *(y for y, _ in cuts if y < height)})
    columns = sorted({0, width, *(x for _, x in cuts if x < width)})
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = (slice(0, 2), slice(top, bottom), slice(left, right))
            level.put(part, image[part])
    z, y, x = steps
    np.testing.assert_array_equal(level.array, image[::z, ::y, ::x])


@pytest.mark.parametrize(
    ("axes", "shape", "steps"),
    [
        ("YX", (2048, 100), ((2, 2),)),
        ("YX", (2049, 100), ((2, 2), (4, 4))),
        ("TCYX", (9, 2, 4096, 4096), ((1, 1, 2, 2), (1, 1, 4, 4))),
        ("YXC", (2048, 2048, 3), ((2, 2, 1),)),
        ("ZYX", (2048, 2048, 2048), ((1, 2, 2),)),
        ("ZYX", (5000, 2048, 2048), ((1, 2, 2), (3, 4, 4))),
    ],
)
def test_levels_are_halves_until_one_fits_a_small_canvas(
    axes: str, shape: tuple[int, ...], steps: Any
) -> None:
    assert wants_levels(axes, shape)
    assert level_steps(axes, shape) == steps


def test_planes_from_2048_pixels_have_levels() -> None:
    assert wants_levels("ZYX", (5, 64, 2048))
    assert not wants_levels("ZYX", (5000, 2047, 2047))


def test_levels_in_memory_follow_their_array_and_cost_a_twelfth() -> None:
    array = np.full((2, 4100, 64), np.nan, np.float32)
    levels = LevelsInMemory("TYX", array)
    assert np.shares_memory(levels.arrays[0], array)
    part = (slice(1, 2), slice(13, 400), slice(3, 50))
    array[part] = 7
    levels.put(part, array[part])
    for level, factor in zip(levels.arrays, (2, 4, 8), strict=True):
        np.testing.assert_array_equal(level, array[:, ::factor, ::factor])
    array.fill(np.nan)
    levels.clear()
    assert all(np.isnan(level).all() for level in levels.arrays)
    own = sum(a.nbytes for a in levels.arrays[1:])
    assert kept_bytes("TYX", array.shape, 4) == own < array.nbytes / 11
    assert kept_bytes("TYX", (2, 2000, 64), 4) == 0


def test_levels_beside_a_disk_are_as_many_as_memory_may_hold() -> None:
    dtype = np.dtype(np.float32)
    shape = (10, 8192, 400)
    everything = levels_within("TYX", shape, dtype)
    assert [level.factor for level in everything] == [2, 4, 8]
    sizes = [level.array.nbytes for level in everything]
    two = levels_within("TYX", shape, dtype, sizes[1] + sizes[2])
    assert [level.factor for level in two] == [4, 8]
    less = levels_within("TYX", shape, dtype, sizes[2] // 5)
    assert [level.factor for level in less] == [32]
    assert levels_within("TYX", shape, dtype, 1)[0].array.shape == (10, 1, 1)


def _picture() -> Any:
    return np.random.default_rng(0).integers(0, 256, (700, 1300, 4), np.uint8)


@pytest.fixture
def small_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planes have levels from 500 pixels."""
    monkeypatch.setattr(live_levels, "LEVELS_FROM", 500)
    monkeypatch.setattr(live_levels, "SMALLEST_SIDE", 400)


@pytest.mark.usefixtures("small_planes")
@pytest.mark.parametrize(
    ("axes", "letters", "colours"),
    [("YX", "YX", 0), ("TXY", "TXY", 0), ("CYX", "CYX", 0), ("YXC", "YX", 3), ("YXC", "YX", 4)],
)
def test_a_run_in_memory_shows_every_nth_pixel_of_what_it_made(
    axes: str, letters: str, colours: int
) -> None:
    sizes = {"T": 2, "C": 2, "Y": 700, "X": 1300}
    image = _picture()[..., :colours] if colours else noisy(tuple(sizes[a] for a in axes))
    plan = make_plan(image[..., :3] if colours else image, axes, patch_size=(256, 256))
    held = Region.from_selection(plan.layout.output_axes, plan.layout.output_shape)
    store = MemoryStore(plan, held, letters, Colours("uint8", image) if colours else None)
    assert store.by_levels
    run_into(store, plan, image[..., :3] if colours else image, axes)
    whole, *smaller = store.data()
    assert whole.shape == image.shape
    y, x = axes.index("Y"), axes.index("X")
    assert [level.shape[x] for level in smaller] == [650, 325]
    for level, factor in zip(smaller, (2, 4), strict=True):
        part = tuple(slice(None, None, factor if d in (y, x) else 1) for d in range(whole.ndim))
        np.testing.assert_array_equal(level, whole[part])
    if colours == 4:
        np.testing.assert_array_equal(whole[..., 3], image[..., 3])
        np.testing.assert_array_equal(smaller[-1][..., 3], image[::4, ::4, 3])


@pytest.mark.usefixtures("small_planes")
def test_a_preview_that_adds_to_another_empties_its_own_tiles_at_all_levels() -> None:
    image = noisy((600, 600))
    here = make_plan(image, "YX", patch_size=(128, 128), region={"Y": slice(0, 100)})
    there = make_plan(image, "YX", patch_size=(128, 128), region={"Y": slice(400, 500)})
    held = Region.from_selection("YX", image.shape)
    store = MemoryStore(here, held, "YX")
    run_into(store, here, image, "YX")
    assert store.take(there)
    run_into(store, there, image, "YX")
    assert store.take(here)
    whole, *smaller = store.data()
    assert np.isnan(whole[:100]).all()
    assert np.isfinite(whole[400:500]).all()
    for level, factor in zip(smaller, (2,), strict=True):
        np.testing.assert_array_equal(level, whole[::factor, ::factor])
    assert store.take(make_plan(image, "YX", patch_size=(128, 128)))
    assert all(np.isnan(level).all() for level in store.data())


@pytest.mark.usefixtures("small_planes")
@pytest.mark.parametrize(("axes", "colours"), [("YX", False), ("TYX", False), ("YXC", True)])
def test_a_large_plane_on_disk_is_shown_by_levels_as_it_comes_and_at_the_end(
    axes: str, colours: bool, tmp_path: Path
) -> None:
    sizes = {"T": 2, "Y": 700, "X": 1300, "C": 3}
    image = _picture()[..., :3] if colours else noisy(tuple(sizes[a] for a in axes))
    plan = make_plan(image, axes, patch_size=(256, 256))
    shown_as = Colours("uint8", image) if colours else None
    letters = "YX" if colours else axes
    store = DiskStore(plan, letters, shown_as, save=ResolvedTarget(tmp_path / "a.ome.zarr"))
    at = letters.index("Y")
    seen: list[bool] = []

    class Watching:
        """Looks at the levels while tiles come."""

        def open(self, run: Any) -> None:
            store.open(run)

        def write_batch(self, dirpath: Path, predictions: list[Any]) -> None:
            store.write_batch(dirpath, predictions)
            _, *levels = store.data()
            assert [level.shape[at] for level in levels] == [350, 175]
            # Plain arrays: napari reads the smallest level once and keeps what it got.
            assert all(type(level) is np.ndarray for level in levels)
            if not colours:
                seen.append(bool(np.isnan(levels[-1]).any()))

        def close(self, completed: bool) -> None:
            store.flush()
            whole, *levels = map(np.asarray, store.data())
            for level, factor in zip(levels, (2, 4), strict=True):
                part = (*(slice(None),) * at, *(slice(None, None, factor),) * 2)
                np.testing.assert_array_equal(level, whole[part])
            store.close(completed)

    run_into(Watching(), plan, image, axes)
    if not colours:
        assert seen[0]
        assert not seen[-1]
    assert store.by_levels
    levels = store.data()
    assert [level.shape[at + 1] for level in levels] == [1300, 650, 325]
    whole = np.asarray(levels[0]).astype(np.float64)
    half = np.asarray(levels[1]).astype(np.float64)
    in_fours = whole.reshape(*whole.shape[:at], 350, 2, 650, 2, *whole.shape[at + 2 :])
    means = in_fours.mean(axis=(at + 1, at + 3))
    np.testing.assert_allclose(half, means, atol=1 if colours else 1e-3)


def test_a_plane_that_is_not_large_is_shown_alone_and_live(tmp_path: Path) -> None:
    image = noisy((40, 50))
    plan = make_plan(image, "YX")
    store = DiskStore(plan, "YX", save=ResolvedTarget(tmp_path / "a.ome.zarr"))
    run_into(store, plan, image, "YX")
    assert not store.by_levels
    assert store.data() is store.array
