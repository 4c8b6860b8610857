"""The check strip's readings against denoisers that are known to be biased, blurry, timid, good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from tests.prediction.check_scenes import (
    BAD,
    Pixels,
    blobs,
    blurry,
    judged,
    median,
    photons,
    read,
    region,
    striped,
    tiles,
    timid,
)

from napari_tessera.prediction import CheckReadings, CheckWriter, predict
from napari_tessera.prediction.check_readings import (
    INTENSITY,
    NAMES,
    NOISE,
    SATURATED,
    STRIPED,
    STRUCTURE_LEFT,
    TIPS,
)
from napari_tessera.prediction.checks import PIECE, PIECES

CELLS = blobs(200, 6, 200, 100)
SPOTS = blobs(300, 1.2, 300, 20)
SCENES = {"cells": CELLS, "spots": SPOTS}


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_said_of_the_clean_image(scene: str) -> None:
    clean = SCENES[scene]
    readings = read(tiles(photons(clean), clean))
    assert not judged(readings)
    assert all(row.good for row in readings.rows())
    assert readings.noise_removed == pytest.approx(1, abs=0.05)
    assert readings.tiles == 16


def test_nothing_is_said_of_the_built_in_model() -> None:
    noisy = photons(CELLS)
    assert not judged(read(tiles(noisy, predict(noisy, "builtin:denoise2d"))))


def test_a_median_keeps_three_quarters_of_sparse_photons() -> None:
    # few photons in a few places: 5×5 pixels with less than 13 photons in them become 0
    clean = blobs(60, 5, 12.4, 0.0)
    noisy = photons(clean)
    readings = read(tiles(noisy, median(noisy)))
    assert readings.intensity_kept == pytest.approx(median(noisy).sum() / noisy.sum(), rel=1e-6)
    assert readings.intensity_kept == pytest.approx(0.77, abs=0.01)
    assert INTENSITY in judged(readings)
    assert dict(texts(readings))[INTENSITY].startswith("low 7")
    assert INTENSITY not in judged(read(tiles(noisy, clean)))


def test_a_median_keeps_three_quarters_of_a_real_image(shared: Path) -> None:
    noisy = tifffile.imread(shared / "data/pairs/fish_noisy.tif")
    readings = read(tiles(noisy, median(noisy), 128))
    assert readings.intensity_kept == pytest.approx(0.77, abs=0.005)
    assert INTENSITY in judged(readings)


@pytest.mark.parametrize("scene", SCENES)
def test_what_a_blur_removed_has_structure(scene: str) -> None:
    noisy = photons(SCENES[scene])
    readings = read(tiles(noisy, blurry(noisy)))
    assert judged(readings) == {STRUCTURE_LEFT}
    assert readings.residual_correlation > 0.1


@pytest.mark.parametrize("scene", SCENES)
def test_a_tenth_of_the_noise_is_too_little(scene: str) -> None:
    noisy = photons(SCENES[scene])
    readings = read(tiles(noisy, timid(noisy)))
    assert NOISE in judged(readings)
    assert readings.noise_removed == pytest.approx(0.1, abs=0.01)
    assert dict(texts(readings))[NOISE] == "only 10 %"


def test_an_output_that_is_the_input_is_timid_and_one_with_more_noise_says_so() -> None:
    noisy = photons(CELLS)
    same = read(tiles(noisy, noisy.astype(np.float32)))
    assert (same.noise_removed, judged(same)) == (0, {NOISE})
    sharper = read(tiles(noisy, 2.0 * noisy - blurry(noisy)))
    assert dict(texts(sharper))[NOISE] == "none, it grew"
    assert NOISE in judged(sharper)


def test_little_noise_is_no_reason_to_call_a_model_timid() -> None:
    smooth = blobs(200, 6, 200, 100)
    nearly = smooth + np.random.default_rng(0).normal(0, 0.5, smooth.shape)
    readings = read(tiles(nearly, nearly))
    assert readings.little_noise
    assert dict(texts(readings))[NOISE] == "little to remove"
    assert not judged(readings)


@pytest.mark.parametrize("denoiser", [median, blurry, timid, lambda image: CELLS])
def test_noise_in_rows_is_told_whatever_the_denoiser_does(
    denoiser: Callable[[Pixels], Pixels],
) -> None:
    for turned, lines in ((False, "rows"), (True, "columns")):
        noisy = striped(CELLS)
        before, after = (image.T if turned else image for image in (noisy, denoiser(noisy)))
        readings = read(tiles(before, after))
        assert STRIPED in judged(readings)
        assert dict(texts(readings))[STRIPED].startswith(lines)
        assert abs(readings.stripe_excess) > 0.4


def test_white_noise_on_structure_of_all_directions_has_no_stripes() -> None:
    yy, xx = np.mgrid[:256, :256]
    for structure in (SPOTS, 5 * SPOTS, 100 + 50 * np.sin(yy / 5) * np.cos(xx / 5)):
        readings = read(tiles(photons(structure), structure))
        assert STRIPED not in judged(readings)
        assert abs(readings.stripe_excess) < 0.1


@pytest.mark.parametrize("name", ["pairs/BPAE_B", "pairs/fish"])
def test_real_images(shared: Path, name: str) -> None:
    noisy = tifffile.imread(shared / f"data/{name}_noisy.tif")
    mean = tifffile.imread(shared / f"data/{name}_avg50.tif").astype(np.float32)
    good = read(tiles(noisy, predict(noisy, "builtin:denoise2d"), 128))
    assert not judged(good)
    for wrong, denoiser in BAD.items():
        assert judged(read(tiles(noisy, denoiser(noisy), 128))), wrong
    # the mean of 50 shots: what was removed is noise, and nearly all of it
    averaged = read(tiles(noisy, mean, 128))
    assert averaged.residual_ok
    assert averaged.noise_removed == pytest.approx(1, abs=0.05)


def test_saturation_at_the_end_of_the_dtype() -> None:
    image = np.full((100, 100), 7, np.uint8)
    image[0, :10] = 255
    assert SATURATED not in judged(read(tiles(image, image * 1.0, 32)))
    image[0, :11] = 255
    readings = read(tiles(image, image * 1.0, 32))
    assert readings.saturated == 11 / 10_000
    assert dict(texts(readings))[SATURATED] == "0.1 % top"


def test_a_camera_of_12_bits_ends_before_its_dtype() -> None:
    bright = photons(blobs(200, 6, 4000, 1000))
    assert SATURATED not in judged(read(tiles(bright, bright * 1.0)))
    clipped = np.minimum(bright, 3000)
    readings = read(tiles(clipped, clipped * 1.0))
    assert readings.saturated == np.count_nonzero(clipped == 3000) / clipped.size
    assert SATURATED in judged(readings)


def test_zeros_count_only_where_nothing_is_below() -> None:
    image = np.zeros((64, 64), np.int16)
    image[:32] = 50
    assert read(tiles(image, image * 1.0)).zeros == 0.5
    image[0, 0] = -1
    assert read(tiles(image, image * 1.0)).zeros == 0


@given(st.integers(0, 2**32 - 1), st.integers(7, 90), st.booleans())
def test_tiles_in_any_order_and_any_batches_are_the_same(seed: int, size: int, holes: bool) -> None:
    rng = np.random.default_rng(seed)
    before = rng.poisson(30, (80, 90)).astype(np.float32 if holes else np.uint16)
    if holes:
        before[rng.random(before.shape) < 0.05] = np.nan
    after = before * 0.9 + 2
    parts = tiles(before, after, size)
    one = read(parts)
    writer = CheckWriter()
    shuffled = [parts[i] for i in rng.permutation(len(parts))]
    cut = int(rng.integers(0, len(parts) + 1))
    for batch in (shuffled[:cut], shuffled[cut:]):
        writer.write_batch(Path(), batch)
    other = writer.readings()
    assert one.tiles == other.tiles
    for name in COUNTED:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-9), name
    assert [p.tobytes() for p in one.residuals] == [p.tobytes() for p in other.residuals]


@given(st.integers(0, 2**32 - 1), st.integers(16, 64))
def test_tile_by_tile_is_the_whole_image(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.poisson(5, (70, 80)).astype(np.uint8)
    after = rng.normal(5, 1, before.shape).astype(np.float32)
    whole, parts = read([region(before[None], after[None])]), read(tiles(before, after, size))
    # what is counted by pixel
    for name in ("intensity_kept", "saturated", "zeros"):
        assert getattr(whole, name) == pytest.approx(getattr(parts, name), rel=1e-12)
    # what is counted by neighbours lacks those across the edges of tiles, and each tile's mean
    for name in ("residual_correlation", "noise_removed", "row_correlation", "column_correlation"):
        assert getattr(whole, name) == pytest.approx(getattr(parts, name), abs=0.1)


COUNTED = (
    "intensity_kept",
    "residual_correlation",
    "noise_removed",
    "noise_share",
    "saturated",
    "zeros",
    "row_correlation",
    "column_correlation",
)


def test_pixels_that_are_not_finite_do_not_count() -> None:
    noisy = photons(CELLS).astype(np.float32)
    after = CELLS.astype(np.float32)
    holes = noisy.astype(np.float64)
    holes[10:200:7, 10:200:5] = np.nan
    holes[3, 3] = np.inf
    holes[4, 4] = 1e300
    readings = read(tiles(holes, after))
    whole = read(tiles(noisy, after))
    for name in COUNTED:
        assert getattr(readings, name) == pytest.approx(getattr(whole, name), abs=0.05), name


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((32, 32), np.uint8),
        np.full((32, 32), 255, np.uint8),
        np.full((32, 32), 1e30, np.float32),
        np.ones((32, 32), bool),
        np.full((1, 1), 5, np.int32),
        np.full((2, 3), 5, np.int32),
        np.full((32, 32), np.iinfo(np.uint64).max, np.uint64),
        np.full((32, 32), np.iinfo(np.int64).min, np.int64),
    ],
    ids=lambda image: f"{image.dtype}-{image.flat[0]}-{image.shape}",
)
def test_images_with_nothing_in_them(image: Pixels) -> None:
    after = image.astype(np.float32)
    readings = read([region(image[None], after[None])])
    assert readings.tiles == 1
    assert readings.intensity_kept == pytest.approx(1)
    assert readings.noise_removed is None
    assert (readings.residual_ok, readings.noise_ok, readings.stripes_ok) == (True, True, True)
    at_end = image.dtype.kind in "iu" and image.flat[0] in (0, np.iinfo(image.dtype).max)
    assert (SATURATED in judged(readings)) == at_end
    assert all(row.text for row in readings.rows())


def test_whole_numbers_do_not_overflow() -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.int8, np.uint16, np.int32, np.uint32):
        top = np.iinfo(dtype).max
        image = rng.integers(top // 2, top, (64, 64)).astype(dtype)
        readings = read(tiles(image, np.full(image.shape, image.mean(), np.float32)))
        assert readings.intensity_kept == pytest.approx(1, abs=1e-4)
        assert readings.noise_removed == pytest.approx(1, abs=1e-3)


def test_a_sum_that_cancels_out_tells_nothing() -> None:
    image = np.random.default_rng(0).normal(0, 1, (64, 64))
    readings = read(tiles(image, image * 0.1))
    assert np.isnan(readings.intensity_kept)
    assert readings.intensity_ok
    assert dict(texts(readings))[INTENSITY] == "sum is about 0"


def test_channels_and_planes_count_alike_and_have_means_of_their_own() -> None:
    rng = np.random.default_rng(0)
    clean = np.empty((3, 4, 64, 64), np.float32)
    clean[:] = np.array([10, 1000, 60_000]).reshape(-1, 1, 1, 1)
    noisy = rng.poisson(clean).astype(np.uint16)
    # another offset in each channel and plane is no structure
    shifted = clean + rng.normal(0, 5, (3, 4, 1, 1)).astype(np.float32)
    readings = read([region(noisy, shifted)])
    assert readings.residual_ok
    assert readings.noise_removed == pytest.approx(1, abs=0.05)
    rgb = rng.integers(0, 256, (3, 64, 64)).astype(np.uint8)
    assert read([region(rgb, rgb.astype(np.float32))]).intensity_kept == 1
    # an output with other channels than its input is not compared
    assert read([region(noisy, shifted[:1])]).tiles == 0


def test_no_more_than_a_few_pieces_of_the_residual_are_kept() -> None:
    noisy = photons(np.full((640, 512), 50.0))
    readings = read(tiles(noisy, np.full(noisy.shape, 50, np.float32), 64))
    assert readings.tiles > PIECES == len(readings.residuals)
    large = np.random.default_rng(0).normal(0, 1, (1, 300, 400))
    (piece,) = read([region(large, large * 0)]).residuals
    assert piece.shape == (PIECE, PIECE)
    assert piece.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        piece[0, 0] = 1


def test_threads_may_add_at_once() -> None:
    noisy = photons(CELLS)
    parts = tiles(noisy, CELLS, 16)
    writer = CheckWriter()
    threads = [
        Thread(target=lambda own=parts[n::4]: [writer.write_batch(Path(), [p]) for p in own])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = read(parts), writer.readings()
    assert other.tiles == 256
    for name in COUNTED:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9)


def test_each_reading_says_how_it_is_found_and_what_it_does_not_prove() -> None:
    rows = CheckReadings(3, 0.998, 0.02).rows()
    assert [row.key for row in rows] == list(NAMES) == list(TIPS)
    assert [row.name for row in rows][:2] == ["Intensity kept", "Structure in residual"]
    for row in rows:
        assert "not prove" in row.tip or "count too" in row.tip
        assert max(map(len, row.tip.split("\n"))) <= 100


def texts(readings: CheckReadings) -> list[tuple[str, str]]:
    return [(row.key, row.text) for row in readings.rows()]
