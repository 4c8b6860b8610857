"""Float32 numbers that scale as float64 ones do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.models.processing import Resolved
from napari_tessera.prediction.transfer.scaling import FARTHEST, Scaling

LEVEL = st.floats(-6e4, 6e4, allow_subnormal=False)
SPREAD = st.floats(1e-3, 1e4, allow_subnormal=False)


def processing(subtract: Any, divide: Any, multiply: Any = None, add: Any = None) -> Resolved:
    values = [
        np.atleast_1d(np.asarray(each, np.float64))
        for each in (
            subtract,
            divide,
            divide if multiply is None else multiply,
            subtract if add is None else add,
        )
    ]
    return Resolved(values[0], values[1], (), (), values[2], values[3])


def pixels(dtype: str, channels: int = 1) -> NDArray[Any]:
    rng = np.random.default_rng(3)
    if np.dtype(dtype).kind == "f":
        return rng.normal(1000, 300, (channels, 32, 32)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max + 1, (channels, 32, 32)).astype(dtype)


def scaled(numbers: Resolved, raw: NDArray[Any]) -> NDArray[np.float32]:
    found = Scaling.of(numbers, raw.ndim)
    assert found is not None
    out = raw.astype(np.float32)
    found.scale(out)
    return out


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float16", "float32"])
@given(mean=LEVEL, std=SPREAD)
def test_it_is_what_float64_gives_within_two_roundings(dtype: str, mean: float, std: float) -> None:
    raw = pixels(dtype)
    numbers = processing(mean, std)
    exact = (raw.astype(np.float64) - mean) / std
    ours, reference = scaled(numbers, raw), numbers.scaled(raw)
    assert reference == pytest.approx(exact, rel=1e-7, abs=1e-30)
    # where mean and pixel are alike, what is left is as exact as a float64 mean is
    error = np.abs(ours.astype(np.float64) - exact)
    assert (error <= 2.5e-7 * np.abs(exact) + (2.0**-46 * abs(mean) + 1e-37) / std).all()
    assert error.max() <= 1e-6 * max(exact.max(), 0) - 1e-6 * min(exact.min(), 0), "of the range"


@given(mean=LEVEL, std=SPREAD)
def test_what_comes_back_is_what_float64_gives(mean: float, std: float) -> None:
    made = np.random.default_rng(1).normal(0, 1, (1, 32, 32)).astype(np.float32)
    numbers = processing(mean, std)
    found = Scaling.of(numbers, 3)
    assert found is not None
    ours = made.copy()
    found.restore(ours)
    exact = made.astype(np.float64) * std + mean
    nearest = exact.astype(np.float32)
    assert (np.abs(ours - nearest) <= np.spacing(np.abs(nearest)) + 2.5e-7 * std * 5).all()


def test_a_large_mean_cancels_before_anything_is_rounded() -> None:
    raw = (60_000 + np.arange(64, dtype=np.uint16)).reshape(1, 8, 8)
    numbers = processing(60_031.123456, 0.001)
    exact = (raw - 60_031.123456) / 0.001
    assert np.abs(scaled(numbers, raw) - exact).max() <= 3e-7 * np.abs(exact).max()


def test_one_number_for_each_channel_and_none_for_what_changes_nothing() -> None:
    raw = pixels("uint16", 3)
    numbers = processing([1.5, 2.25, 1e4], [1.0, 3.0, 7.0])
    assert scaled(numbers, raw) == pytest.approx(numbers.scaled(raw), rel=3e-7)
    nothing = Scaling.of(processing(0.0, 1.0), 3)
    assert nothing is not None
    assert (nothing.subtract, nothing.divide, nothing.multiply, nothing.add) == ((), None, None, ())
    whole = Scaling.of(processing([100.0, 100.0], [2.0, 2.0]), 3)
    assert whole is not None
    assert (whole.subtract, whole.divide, whole.add) == ((100.0,), 2.0, (100.0,))


@pytest.mark.parametrize("shape", [(32, 32), (7, 31), (5, 3, 33)])
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_get_the_bytes_that_arrays_get(shape: tuple[int, ...], channels: int) -> None:
    raw = np.random.default_rng(0).integers(0, 65536, (channels, *shape)).astype(np.uint16)
    numbers = processing(1234.567 + np.arange(channels), 311.7 + np.arange(channels))
    found = Scaling.of(numbers, raw.ndim)
    assert found is not None
    array = raw.astype(np.float32)
    tensors = torch.from_numpy(np.stack([raw, raw])).to(torch.float32)
    there = found.converted(torch.from_numpy)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        batch = tensors.clone()
        there.scale(batch)
        one = array.copy()
        found.scale(one)
        assert all(each.numpy().tobytes() == one.tobytes() for each in batch)
        there.restore(batch)
        found.restore(one)
        assert all(each.numpy().tobytes() == one.tobytes() for each in batch)


@pytest.mark.parametrize(
    ("subtract", "divide", "multiply", "add"),
    [(2e30, 1, 1, 0), (0, 1e-31, 1, 0), (0, 2e30, 1, 0), (0, 1, 1e31, 0), (0, 1, 1, -1e31)],
)
def test_what_float32_cannot_hold_is_left_to_float64(
    subtract: float, divide: float, multiply: float, add: float
) -> None:
    assert Scaling.of(processing(subtract, divide, multiply, add), 3) is None


def test_levels_up_to_its_limit_stay_finite() -> None:
    numbers = processing(1e29, 1e-5)
    found = Scaling.of(numbers, 3)
    assert found is not None
    assert found.largest <= FARTHEST * 1e-5
    small = Scaling.of(processing(-5.0, 0.5), 3)
    assert small is not None
    out = np.array([[[small.largest, -small.largest]]], np.float32)
    small.scale(out)
    assert np.isfinite(out).all()


@pytest.mark.parametrize("divide", [3.7, [3.7, 0.3]])
def test_what_a_device_divides_by_is_there_and_no_number_of_the_host(divide: Any) -> None:
    """CUDA multiplies by the inverse of a number of the host: other last bits."""
    raw = pixels("uint16", np.size(divide))
    found = Scaling.of(processing(100.1, divide), raw.ndim)
    assert found is not None
    there = found.converted(torch.from_numpy)
    assert isinstance(there.divide, torch.Tensor)
    assert there.divide.dtype == torch.float32
    assert there.divide.ndim > 0
    of_numpy, of_torch = raw.astype(np.float32), torch.from_numpy(raw.astype(np.float32))
    found.scale(of_numpy)
    there.scale(of_torch)
    assert of_torch.numpy().tobytes() == of_numpy.tobytes()
    unscaled = Scaling.of(processing(100.1, 1), raw.ndim)
    assert unscaled is not None
    assert unscaled.converted(torch.from_numpy).divide is None
