from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_tessera.models.errors import ModelError
from napari_tessera.models.loaded import Loaded, OwnTest
from napari_tessera.models.own_test import OwnTestResult, run_own_test
from napari_tessera.models.processing import (
    MEAN_STD,
    Affine,
    Processing,
    Rescale,
    Standardize,
    StandardizeOutput,
)

X = np.random.default_rng(0).normal(100, 7, (3, 2, 8, 12))


def run(
    network: Callable[[Tensor], Any],
    x: np.ndarray,
    y: np.ndarray,
    processing: Processing | None = None,
    tolerance: tuple[float, float, float] = (1e-3, 0.0, 0.0),
    halo: tuple[int, ...] = (),
) -> OwnTestResult:
    test = OwnTest(lambda: (x, y), x.size, *tolerance, halo)
    loaded = Loaded(network, "net", "", "", "test", processing, own_test=test)
    model: Any = SimpleNamespace(loaded=loaded, name="net", processing=processing)
    return run_own_test(model)


def test_grey_levels_in_and_out() -> None:
    result = run(
        lambda x: x * 2,
        X,
        (X - X.mean((2, 3), keepdims=True)) * 2 + X.mean((2, 3), keepdims=True),
        MEAN_STD,
    )
    assert result.passed
    assert result.max_difference < 1e-4
    assert result.message.startswith("the package's own test passes (largest difference ")


@pytest.mark.parametrize("scope", ["time_point", "series"])
def test_statistics_are_of_each_sample_or_of_all(scope: str) -> None:
    axes = (0, 2, 3) if scope == "series" else (2, 3)
    low, high = np.quantile(X, [0.1, 0.9], axis=axes, keepdims=True)
    before = (Rescale(None, None, 0.1, 0.9, 1e-8), Affine((2.0,)))
    result = run(lambda x: x, X, 2 * (X - low) / (high - low), Processing(before, (), scope))
    assert result.max_difference < 1e-5


def test_an_output_that_is_measured_itself() -> None:
    y = X.astype(np.float32) ** 2
    y = (y - y.mean((1, 2, 3), keepdims=True)) / y.std((1, 2, 3), keepdims=True)
    after = (StandardizeOutput(1e-9, pooled=True),)
    assert run(lambda x: x**2, X, y, Processing((), after)).max_difference < 1e-3


def test_how_far_it_is_off() -> None:
    y = np.zeros((1, 1, 10, 10))
    y[0, 0, 3, 4] = 5
    result = run(lambda x: x, y * 0, y, tolerance=(0.01, 0.0, 0.0))
    assert not result.passed
    assert (result.max_difference, result.allowed) == (5.0, 0.01)
    assert result.message == (
        "the package's own test fails by 5 (at most 0.01 is allowed): "
        "1.0% of the pixels are not what its authors got"
    )
    relative = run(lambda x: x, y * 0.9, y, tolerance=(0.01, 0.2, 0.0))
    assert relative.passed
    assert "at most 0.01 plus 20 % of the value is allowed" in relative.message
    assert run(lambda x: x, y * 0, y, tolerance=(0.01, 0.0, 10_000.0)).passed
    assert not run(lambda x: x, y * 0, y, tolerance=(0.01, 0.0, 9_999.0)).passed


def test_what_is_not_finite() -> None:
    y = np.full((1, 1, 4, 4), np.nan)
    y[0, 0, 0, 0] = np.inf
    assert run(lambda x: x, y, y).passed
    result = run(lambda x: x * 0 + 1, X[:1, :1], np.full((1, 1, 8, 12), np.nan))
    assert not result.passed
    assert math.isnan(result.max_difference)
    assert result.message.endswith("not finite where the expected output is")


def fail(x: Tensor) -> Tensor:
    raise RuntimeError("boom\nand more")


@pytest.mark.parametrize("error", [TypeError, KeyError, AssertionError, AttributeError, IndexError])
def test_whatever_a_network_raises_is_a_failed_test(error: type[Exception]) -> None:
    def raising(x: Tensor) -> Tensor:
        raise error("odd")

    result = run(raising, X, X)
    assert not result.passed
    assert "the network fails on it (" in result.message


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (fail, r"the package's own test fails: the network fails on it \(boom\)"),
        (lambda x: x[..., 1:], "returns 3×2×8×11 where 3×2×8×12 is expected"),
        (lambda x: x[:, :1], "returns 3×1×8×12 where 3×2×8×12 is expected"),
        (lambda x: x[0], "returns 2×8×12 where"),
    ],
)
def test_networks_that_do_something_else(network: Any, says: str) -> None:
    result = run(network, X, X, Processing((Standardize((1.0,), (2.0,)),)))
    assert not result.passed
    assert math.isnan(result.max_difference)
    assert says.replace("\\", "") in result.message


def test_an_expected_output_without_its_halo() -> None:
    assert run(lambda x: x, X, X[..., 2:-2, 3:-3], halo=(2, 3)).passed
    assert run(lambda x: x, X, X, halo=(2, 3)).passed
    assert "is expected" in run(lambda x: x, X, X[..., 1:-1], halo=(2, 3)).message


def test_models_without_a_test() -> None:
    model: Any = SimpleNamespace(loaded=Loaded(torch.abs, "net", "", "", "x"), name="net")
    with pytest.raises(ModelError, match=r"^net cannot be used: it has no test of its own\. Only"):
        run_own_test(model)
