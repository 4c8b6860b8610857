"""Statistics of every pixel, against NumPy on the whole array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera import open_stack
from napari_tessera.models.processing import MEAN, STD, Statistic, quantile
from napari_tessera.prediction import exact_statistics
from napari_tessera.prediction.exact_statistics import blocks, measure_exactly
from napari_tessera.stacks import ArrayStack

POOLED = (Statistic("mean", pooled=True), Statistic("std", pooled=True), quantile(0.3, True))


def exactly(
    image: object, axes: str, kind: str, statistics: Sequence[Statistic], samples: Sequence[int]
) -> np.ndarray:
    """Values by row, statistic and channel."""
    found = measure_exactly(open_stack(image, axes), samples, None, kind, statistics)
    assert found.measured == "exact"
    assert found.quantile_error == 0
    return np.array(found.values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_time_points_and_channels(dtype: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 200, (3, 5, 2, 40, 50)).astype(dtype)
    image[:, :, 1] += 40
    wanted = (MEAN, STD, quantile(0.02), *POOLED)
    values = exactly(image, "TZCYX", "time_point", wanted, [0, 1, 2])
    wide = image.astype(np.float64)
    assert np.allclose(values[:, 0], wide.mean(axis=(1, 3, 4)), rtol=1e-14)
    assert np.allclose(values[:, 1], wide.std(axis=(1, 3, 4)), rtol=1e-13)
    assert np.allclose(values[:, 2], np.quantile(wide, 0.02, axis=(1, 3, 4)))
    for at, expected in (
        (3, wide.mean(axis=(1, 2, 3, 4))),
        (4, wide.std(axis=(1, 2, 3, 4))),
        (5, np.quantile(wide, 0.3, axis=(1, 2, 3, 4))),
    ):
        assert np.allclose(values[:, at], expected[:, None], rtol=1e-12)


def test_what_goes_to_the_model_channel_by_channel_is_not_pooled() -> None:
    image = np.random.default_rng(0).integers(0, 200, (2, 30, 30)).astype(np.uint8)
    image[1] //= 4
    for kind in (np.uint8, np.float32):
        found = measure_exactly(
            open_stack(image.astype(kind), "CYX"), [0], None, "series", POOLED, apart=True
        )
        assert np.allclose(found.values[0][0], image.mean(axis=(1, 2)))
        assert np.allclose(found.values[0][2], np.quantile(image, 0.3, axis=(1, 2)))


def test_a_series_is_measured_whole_whatever_is_wanted() -> None:
    image = np.random.default_rng(0).normal(10, 2, (4, 30, 30))
    one = exactly(image, "TYX", "series", (MEAN, STD, quantile(0.9)), [2])
    assert np.allclose(one[0, :, 0], [image.mean(), image.std(), np.quantile(image, 0.9)])


def small_noise() -> np.ndarray:
    return 1e9 + np.random.default_rng(0).normal(0, 1e-3, (200, 300))


def huge() -> np.ndarray:
    return np.random.default_rng(0).choice([3e38, -3e38, 1e-30], (200, 300))


def drifting() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.linspace(0, 1e12, 200)[:, None] + rng.normal(0, 1e-3, (200, 300))


def full_range() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (200, 300)).astype(np.uint16)


@pytest.mark.parametrize("make", [small_noise, huge, drifting, full_range])
@pytest.mark.parametrize("block", [512, 5000, 2**22])
def test_adversarial_pixels(make, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make()
    monkeypatch.setattr(exact_statistics, "BLOCK_PIXELS", block)
    values = exactly(image, "YX", "time_point", (MEAN, STD), [0])
    exact = image.astype(np.longdouble)
    mean = exact.mean()
    rounding = 2e-16 * float(np.abs(exact).mean())
    assert values[0, 0, 0] == pytest.approx(float(mean), rel=0, abs=rounding)
    std = np.sqrt(((exact - mean) ** 2).mean())
    assert values[0, 1, 0] == pytest.approx(float(std), rel=1e-14)


def test_what_is_not_finite_is_left_out() -> None:
    image = np.random.default_rng(0).normal(10, 2, (60, 60))
    image[:10] = np.nan
    image[3] = np.inf
    image[5, 5] = 1e300
    values = exactly(image, "YX", "time_point", (MEAN, STD, quantile(1.0)), [0])
    kept = image[10:]
    assert np.allclose(values[0, :, 0], [kept.mean(), kept.std(), kept.max()])
    nothing = np.full((8, 8), np.nan)
    assert not exactly(nothing, "YX", "series", (MEAN, STD, quantile(0.5)), [0]).any()


def test_a_very_long_series_shares_rows_among_neighbours() -> None:
    frames = np.arange(5000, dtype=np.float32)[:, None, None] * np.ones((2, 2), np.float32)
    found = measure_exactly(open_stack(frames, "TYX"), [0, 4, 4999], None, "time_point", (MEAN,))
    assert found.samples == (0, 3, 4998)
    assert found.values == (((1.0,),), ((4.0,),), ((4998.5,),))
    assert found.of_sample(5)[MEAN] == [4.0]


def test_more_than_fits_is_drawn_and_says_how_far_off_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exact_statistics, "MOST_EXACT", 10_000)
    monkeypatch.setattr(exact_statistics, "DRAWN", 4000)
    monkeypatch.setattr(exact_statistics, "LEAST_DRAWN", 1000)
    image = np.random.default_rng(0).normal(size=(200, 300)).astype(np.float32)
    found = measure_exactly(open_stack(image, "YX"), [0], None, "time_point", (MEAN, quantile(0.5)))
    assert found.quantile_error is not None
    assert 0 < found.quantile_error < 0.05
    (mean,), (median,) = found.values[0]
    assert mean == pytest.approx(image.mean(dtype=np.float64), rel=1e-12)
    assert abs((image < median).mean() - 0.5) <= found.quantile_error
    again = measure_exactly(open_stack(image, "YX"), [0], None, "time_point", (MEAN, quantile(0.5)))
    assert again == found


class Counting(ArrayStack):
    """Notes how large its patches are."""

    def extract_patch(self, sample_idx, channels, coords, patch_size):
        self.largest = max(getattr(self, "largest", 0), int(np.prod(patch_size)))
        return super().extract_patch(sample_idx, channels, coords, patch_size)


@pytest.mark.parametrize("chunks", [(1, 64, 64), (8, 16, 16), (40, 100, 7), (40, 100, 120)])
def test_each_chunk_is_decoded_once(chunks: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 99, (40, 100, 120)).astype(np.int32)
    decoded: list[object] = []

    def chunk(block: np.ndarray) -> np.ndarray:
        decoded.append(block.shape)
        return block

    lazy = da.from_array(image, chunks=chunks).map_blocks(chunk, dtype=image.dtype, meta=image[:0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_statistics, "BLOCK_PIXELS", 30_000)
        values = exactly(lazy, "ZYX", "time_point", (MEAN,), [0])
    assert values[0, 0, 0] == pytest.approx(image.mean())
    assert len(decoded) == np.prod([-(-s // c) for s, c in zip(image.shape, chunks, strict=True)])


def test_no_more_is_read_at_once_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_statistics, "BLOCK_PIXELS", 1000)
    monkeypatch.setattr(exact_statistics, "LARGEST_BLOCK", 2000)
    stack = Counting(np.zeros((40, 100, 120), np.float32), "ZYX")
    measure_exactly(stack, [0], None, "series", (MEAN, STD))
    assert stack.largest <= 1000


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=3),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
    st.integers(1, 5000),
    st.integers(1, 4),
)
def test_blocks_cover_each_pixel_once(
    shape: list[int], chunks: list[int], most: int, channels: int
) -> None:
    class Chunked(ArrayStack):
        @property
        def chunks(self) -> tuple[int, ...]:
            return tuple(chunks[: len(shape)])

    stack = Chunked(np.zeros(shape, np.uint8), "ZYX"[-len(shape) :])
    seen = np.zeros(shape, int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_statistics, "BLOCK_PIXELS", most)
        patch.setattr(exact_statistics, "LARGEST_BLOCK", 4 * most)
        for coords, size in blocks(stack, channels):
            assert np.prod(size) * channels <= max(4 * most, channels)
            seen[tuple(slice(c, c + n) for c, n in zip(coords, size, strict=True))] += 1
    assert (seen == 1).all()


def test_a_zarr_array_is_measured_along_its_chunks(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (6, 70, 90)).astype(np.uint16)
    array = zarr.create_array(tmp_path / "a.zarr", data=image, chunks=(3, 32, 32))
    stack = open_stack(array, "ZYX")
    assert next(iter(blocks(stack, 1)))[0] == (0, 0, 0)
    found = measure_exactly(stack, [0], None, "time_point", (MEAN, quantile(0.25)))
    assert np.allclose([v for (v,) in found.values[0]], [image.mean(), np.quantile(image, 0.25)])
