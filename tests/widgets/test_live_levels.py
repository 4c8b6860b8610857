"""Smaller levels of outputs with large planes, filled as tiles come."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.widgets.conftest import make_plan, noisy, run_into

from napari_tessera.region import Region
from napari_tessera.widgets import levels_beside, live_levels
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.file_array import FileArray
from napari_tessera.widgets.live_levels import (
    LevelsInMemory,
    PickedLevel,
    kept_bytes,
    level_steps,
    levels_within,
    thinned_shape,
    wants_levels,
)
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget

pytestmark = pytest.mark.slow


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
    level = PickedLevel(steps, np.zeros(thinned_shape(image.shape, steps), np.float32))
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
    everything = levels_within("TYX", shape, dtype, 2**28)
    assert [level.factor for level in everything] == [2, 4, 8]
    sizes = [np.asarray(level.array).nbytes for level in everything]
    two = levels_within("TYX", shape, dtype, sizes[1] + sizes[2])
    assert [level.factor for level in two] == [4, 8]
    less = levels_within("TYX", shape, dtype, sizes[2] // 5)
    assert [level.factor for level in less] == [32]
    assert levels_within("TYX", shape, dtype, 1)[0].array.shape == (10, 1, 1)


def test_what_memory_has_no_room_for_is_in_files_as_far_as_these_have() -> None:
    dtype, shape = np.dtype(np.float32), (10, 8192, 400)
    sizes = [prod(thinned_shape(shape, steps)) * 4 for steps in level_steps("TYX", shape)]
    for in_memory, in_files, kinds in (
        (sizes[2], sum(sizes), [FileArray, FileArray, np.ndarray]),
        (sizes[2], sizes[1], [FileArray, np.ndarray]),
        (0, sum(sizes), [FileArray] * 3),
        (sum(sizes), sum(sizes), [np.ndarray] * 3),
    ):
        levels = levels_within("TYX", shape, dtype, in_memory, in_files)
        assert [type(level.array) for level in levels] == kinds
        part = (slice(1, 2), slice(13, 400), slice(3, 50))
        for level in levels:
            level.put(part, np.full((1, 387, 47), 7, np.float32))
            expected = np.full(shape, np.nan, np.float32)
            expected[part] = 7
            f = level.factor
            np.testing.assert_array_equal(np.asarray(level.array), expected[:, ::f, ::f])


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
@pytest.mark.parametrize(
    ("axes", "colours", "in_memory"),
    [
        ("YX", False, 2**28),
        ("YX", False, 700 * 1300 // 16 * 4),
        ("TYX", False, 2**28),
        ("TYX", False, 0),
        ("YXC", True, 2**28),
        ("YXC", True, 0),
    ],
)
def test_a_large_plane_on_disk_is_shown_by_levels_as_it_comes_and_at_the_end(
    axes: str, colours: bool, in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels_beside, "LEVELS_BYTES", in_memory)
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
            whole, *levels = store.data()
            for level in levels[:1]:
                # No tile waits for its chunk, at full size neither.
                half = (*(slice(None),) * at, *(slice(None, None, 2),) * 2)
                np.testing.assert_array_equal(np.asarray(whole)[half], np.asarray(level))
            assert [level.shape[at] for level in levels] == [350, 175]
            if axes == "YX":
                # napari reads the smallest level of a plane once and keeps what it got.
                assert type(levels[-1]) is np.ndarray
            if not colours:
                seen.append(bool(np.isnan(np.asarray(levels[-1])).any()))

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
