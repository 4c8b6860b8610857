"""Outputs whose plane is too large to be shown whole."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.widgets.conftest import make_plan, noisy, run_into

from napari_tessera.widgets import disk_store as disk_store_module
from napari_tessera.widgets import live_levels
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.live_levels import Overview
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=4),
    st.integers(0, 5),
)
def test_blocks_of_any_cut_make_every_nth_pixel(
    height: int, width: int, cuts: list[tuple[int, int]], seed: int
) -> None:
    image = np.random.default_rng(seed).random((2, height, width)).astype(np.float32)
    overview = Overview("CYX", image.shape, image.dtype)
    rows = sorted({0, height, *(y for y, _ in cuts if y < height)})
    columns = sorted({0, width, *(x for _, x in cuts if x < width)})
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = (slice(0, 2), slice(top, bottom), slice(left, right))
            overview.put(part, image[part])
    step = overview.factor
    np.testing.assert_array_equal(overview.array, image[:, ::step, ::step])


def test_the_overview_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_levels, "OVERVIEW_SIDE", 100)
    assert Overview("YX", (1000, 400), np.dtype("uint8")).array.shape == (63, 25)
    monkeypatch.setattr(live_levels, "OVERVIEW_BYTES", 1000)
    assert Overview("TYX", (10, 1000, 400), np.dtype("float32")).array.nbytes <= 1000


@pytest.mark.parametrize(("axes", "colours"), [("YX", False), ("TYX", False), ("YXC", True)])
def test_a_large_plane_is_shown_by_levels_as_it_comes_and_at_the_end(
    axes: str, colours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_levels, "LARGEST_PLANE", 1000)
    monkeypatch.setattr(live_levels, "OVERVIEW_SIDE", 400)
    sizes = {"T": 2, "Y": 700, "X": 1300, "C": 3}
    image = noisy(tuple(sizes[a] for a in axes)) if not colours else _picture()
    plan = make_plan(image, axes, patch_size=(256, 256))
    shown_as = Colours("uint8", image) if colours else None
    letters = "YX" if colours else axes
    store = DiskStore(plan, letters, shown_as, save=ResolvedTarget(tmp_path / "a.ome.zarr"))
    seen: list[Any] = []

    class Watching:
        """Looks at the levels while tiles come."""

        def open(self, run: Any) -> None:
            store.open(run)

        def write_batch(self, dirpath: Path, predictions: list[Any]) -> None:
            store.write_batch(dirpath, predictions)
            levels = store.data()
            seen.append([np.asarray(level).shape for level in levels])
            if not colours:
                assert np.isfinite(np.asarray(levels[-1])).any()

        def close(self, completed: bool) -> None:
            store.close(completed)

    run_into(Watching(), plan, image, axes)
    assert store.by_levels
    levels = store.data()
    assert len(levels) == 3
    assert [level.shape[letters.index("X")] for level in levels] == [1300, 650, 325]
    assert seen[0][-1][letters.index("X")] == 325
    whole = np.asarray(levels[0]).astype(np.float64)
    half = np.asarray(levels[1]).astype(np.float64)
    at = letters.index("Y")
    in_fours = whole.reshape(*whole.shape[:at], 350, 2, 650, 2, *whole.shape[at + 2 :])
    means = in_fours.mean(axis=(at + 1, at + 3))
    np.testing.assert_allclose(half, means, atol=1 if colours else 1e-3)


def _picture() -> Any:
    return np.random.default_rng(0).integers(0, 256, (700, 1300, 3), np.uint8)


def test_a_plane_that_fits_is_shown_alone_and_live(tmp_path: Path) -> None:
    image = noisy((40, 50))
    plan = make_plan(image, "YX")
    store = DiskStore(plan, "YX", save=ResolvedTarget(tmp_path / "a.ome.zarr"))
    run_into(store, plan, image, "YX")
    assert not store.by_levels
    assert store.data() is store.array
    assert disk_store_module.wants_levels("ZYX", (5, 8192, 8193))
