"""Which pixels are hot, and what takes their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from napari_tessera import open_stack
from napari_tessera.prediction.cleaned_stack import hot_pixels_of
from napari_tessera.prediction.hot_pixels import (
    MARGIN,
    STEPS,
    TIMES_SPREAD,
    TRIMMED,
    HotPixels,
    without_hot_pixels,
)

NOTHING = (0.0,)


def replaced(plane: Any, ordinary: tuple[float, ...] = NOTHING) -> np.ndarray:
    return without_hot_pixels(np.asarray(plane)[None], ordinary)[0]


def cleaned_image(image: np.ndarray) -> np.ndarray:
    """A whole YX image, what is ordinary measured on it."""
    return replaced(image, hot_pixels_of(open_stack(image, "YX")).ordinary)


def by_hand(plane: np.ndarray) -> np.ndarray:
    """The rule, pixel by pixel, of an image of which nothing is known."""
    plane = plane.astype(np.float64)
    made = plane.copy()
    for y, x in np.ndindex(plane.shape):
        own = plane[y, x]
        adjacent, around = [], []
        for dy in range(-MARGIN, MARGIN + 1):
            for dx in range(-MARGIN, MARGIN + 1):
                row, column = y + dy, x + dx
                if (dy, dx) == (0, 0) or not (
                    0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]
                ):
                    continue
                value = plane[row, column]
                if np.isfinite(value):
                    around.append(value)
                    if max(abs(dy), abs(dx)) == 1:
                        adjacent.append(value)
        if not np.isfinite(own) or len(adjacent) < 3 or len(around) < 8:
            continue
        around.sort()
        spread = around[-1 - TRIMMED] - around[TRIMMED]
        whole = all(float(value).is_integer() for value in (own, *around))
        beyond = max(own - max(adjacent), min(adjacent) - own)
        if beyond > 0 and beyond > TIMES_SPREAD * spread + STEPS * whole:
            made[y, x] = np.median(adjacent)
    return made


PLANES = stn.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0.0, 1.0, 2.0, 2.5, 9.0, 60.0, -40.0, np.nan, np.inf]),
    fill=st.just(1.0),
)


@settings(max_examples=150, deadline=None)
@given(PLANES)
def test_the_rule_is_the_one_that_is_told(plane: np.ndarray) -> None:
    np.testing.assert_array_equal(replaced(plane), by_hand(plane).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    PLANES,
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_a_part_with_its_margin_has_the_pixels_of_the_whole(
    plane: np.ndarray, start: tuple[int, int], size: tuple[int, int]
) -> None:
    outer = tuple(
        slice(max(0, a - MARGIN), a + n + MARGIN) for a, n in zip(start, size, strict=True)
    )
    shift = [a - each.start for a, each in zip(start, outer, strict=True)]
    inner = tuple(slice(s, s + n) for s, n in zip(shift, size, strict=True))
    part = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    np.testing.assert_array_equal(replaced(plane[outer])[inner], replaced(plane)[part])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("at", [(8, 9), (0, 0), (0, 7), (19, 24), (1, 23)])
@pytest.mark.parametrize("value", [120, 0])
def test_hot_and_dead_pixels_of_any_type_become_the_median_of_their_neighbours(
    dtype: str, at: tuple[int, int], value: int
) -> None:
    image = np.full((20, 25), 60, dtype)
    image[:, ::2] += 1
    image[at] = value
    y, x = at
    around = image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].astype(float)
    hot = around == value
    made = replaced(image)
    assert made.dtype == image.dtype
    assert abs(float(made[at]) - np.median(around[~hot])) <= 0.5
    others = np.ones(image.shape, bool)
    others[at] = False
    np.testing.assert_array_equal(made[others], image[others])


def test_where_nothing_is_replaced_the_pixels_are_the_very_ones() -> None:
    image = np.random.default_rng(0).poisson(20, (2, 3, 30, 30)).astype(np.uint16)
    assert without_hot_pixels(image, (0.0, 0.0)) is image
    marked = image > 20
    assert without_hot_pixels(marked, (0.0, 0.0)) is marked


def test_planes_and_channels_are_by_themselves() -> None:
    image = np.full((2, 3, 12, 12), 10, np.uint16)
    image[0, 1, 5, 5] = image[1, 2, 5, 5] = 400
    kept = image.copy()
    assert (without_hot_pixels(image, (0.0, 0.0)) == 10).all()
    np.testing.assert_array_equal(image, kept, "what was read is not written to")
    made = without_hot_pixels(image, (0.0, 100.0))
    assert (made[0, 1, 5, 5], made[1, 2, 5, 5]) == (10, 400)


@pytest.mark.parametrize("second", [(0, 1), (1, 0), (1, 1), (-1, 1)])
def test_spots_of_two_pixels_stay(second: tuple[int, int]) -> None:
    image = np.full((20, 20), 10, np.uint16)
    image[8, 8] = image[8 + second[0], 8 + second[1]] = 5000
    np.testing.assert_array_equal(replaced(image), image)


@pytest.mark.parametrize("sigma", [0.7, 0.85, 1.2, 2.0])
@pytest.mark.parametrize("photons", [30, 300, 3000])
def test_spots_that_the_optics_blur_stay(sigma: float, photons: int) -> None:
    """From a deviation of 0.7 px on: the sampling theorem asks for about 0.85."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:400, :400]
    clean = np.full((400, 400), 4.0)
    centres = random.uniform(10, 390, (150, 2))
    for cy, cx in centres:
        part = (slice(int(cy) - 8, int(cy) + 9), slice(int(cx) - 8, int(cx) + 9))
        far = (y[part] - cy) ** 2 + (x[part] - cx) ** 2
        clean[part] += photons * np.exp(-far / 2 / sigma**2)
    image = random.poisson(clean).astype(np.uint16)
    assert np.count_nonzero(cleaned_image(image) != image) <= 1


@pytest.mark.parametrize("mean", [0.01, 0.1, 0.3, 1, 3, 10, 100, 1000])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_counted_photons_stay(mean: float, dtype: Any) -> None:
    image = np.random.default_rng(0).poisson(mean, (600, 600)).astype(dtype)
    assert np.count_nonzero(cleaned_image(image) != image) <= 1


@pytest.mark.parametrize("mean", [0.05, 0.3, 1, 10])
def test_photons_of_many_grey_levels_are_ordinary_where_they_are_frequent(mean: float) -> None:
    image = (40 * np.random.default_rng(0).poisson(mean, (600, 600))).astype(np.uint16)
    assert np.count_nonzero(cleaned_image(image) != image) <= 3e-5 * image.size
    if mean < 1:
        alone = np.count_nonzero(replaced(image) != image)
        assert alone > 1000, "without what is ordinary they would go"


def test_gaussian_noise_stays_and_what_is_hot_in_it_goes() -> None:
    random = np.random.default_rng(1)
    image = random.normal(100, 5, (500, 500))
    hot = random.random(image.shape) < 1e-3
    image[hot] += random.uniform(100, 4000, np.count_nonzero(hot))
    made = cleaned_image(image.astype(np.float32))
    changed = made != image.astype(np.float32)
    assert np.count_nonzero(changed & ~hot) == 0
    assert np.count_nonzero(changed & hot) >= 0.95 * np.count_nonzero(hot)
    assert np.abs(made[changed] - 100).max() < 20


def test_what_is_not_finite_stays_and_does_not_count() -> None:
    image = np.full((9, 9), 5.0, np.float64)
    image[4, 4] = 900.0
    image[3, 3:6], image[5, 5] = np.nan, 1e300
    image[0, 0] = -np.inf
    made = replaced(image)
    assert made[4, 4] == 5
    image[4, 4] = 5
    np.testing.assert_array_equal(made, image)
    nothing = np.full((5, 5), np.nan, np.float32)
    np.testing.assert_array_equal(replaced(nothing), nothing)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (2, 2), (2, 3)])
def test_images_too_small_to_tell_stay(shape: tuple[int, int]) -> None:
    image = np.zeros(shape, np.uint16)
    image[0, 0] = 9000
    np.testing.assert_array_equal(replaced(image), image)


def test_the_hot_pixel_of_a_real_image_goes_and_hardly_anything_else(shared: Path) -> None:
    path = shared / "data" / "quirks" / "xyc_16bit__membranes_nuclei_hot_pixel.tif"
    image = tifffile.imread(path)
    hot = np.array(np.nonzero(image > 60000)).T
    np.testing.assert_array_equal(hot, [[0, 80, 282], [1, 80, 282]])
    made = without_hot_pixels(image, hot_pixels_of(open_stack(path)).ordinary)
    np.testing.assert_array_equal(np.array(np.nonzero(made != image)).T, hot)
    assert made.max() < 300


@pytest.mark.parametrize(
    "name",
    [
        "pairs/fish_noisy.tif",
        "pairs/BPAE_B_noisy.tif",
        "pairs/BPAE_B_avg50.tif",
        "noisy2d/n2f_fig5_N_0_0.tif",
        "noisy2d/xy_8bit__nuclei_very_noisy.tif",
        "noisy2d/xy_calibrated_16bit__cells_eres_noisy.tif",
        "stack3d/xyz_16bit__spots.tif",
        "stack3d/xyz_nuclear_envelope_drosophila.tif",
        "multidim/xyzct-mitosis.tif",
    ],
)
def test_real_images_stay(shared: Path, name: str) -> None:
    with open_stack(shared / "data" / name) as stack:
        ordinary = hot_pixels_of(stack).ordinary
        samples, _, *space = stack.data_shape
        changed = pixels = 0
        for sample in range(samples):
            image = np.asarray(stack.extract_patch(sample, None, (0,) * len(space), space))
            changed += np.count_nonzero(without_hot_pixels(image, ordinary) != image)
            pixels += image.size
    assert changed <= 3e-5 * pixels


@pytest.mark.parametrize(
    "numbers", [(), (1.0,), (1.0, 2.0, 3.0), (-1.0, 0.0), (np.nan, 0.0), (0.0, np.inf)]
)
def test_numbers_that_cannot_be_are_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="hot pixels"):
        HotPixels(numbers).check(2)


def test_what_is_ordinary_comes_back_from_json() -> None:
    found = HotPixels((0.0, 2.5))
    assert HotPixels.from_json(found.to_json()) == found
    found.check(2)
    assert found.of_channels([1]) == (2.5,)
    with pytest.raises(ValueError, match="hot pixels 'other'"):
        HotPixels.from_json({"what": "other", "ordinary": []})
