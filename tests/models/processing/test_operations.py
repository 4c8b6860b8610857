from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from napari_tessera.models.processing import (
    MEAN,
    STD,
    Affine,
    Binarize,
    Clip,
    ClipOutput,
    EnsureDtype,
    Inverse,
    MatchMeanVariance,
    Operation,
    Rescale,
    RescaleOutput,
    SampleStatistics,
    Sigmoid,
    Softmax,
    Standardize,
    StandardizeOutput,
    Statistic,
    Undo,
    UnknownStatisticError,
    quantile,
    undoes,
)

Image = NDArray[np.float64]

images = arrays(
    np.float64, (2, 5, 7), elements=st.floats(-1000, 1000, width=32, allow_subnormal=False)
)


def measure(image: Image, needs: frozenset[Statistic]) -> SampleStatistics:
    values = {}
    for key in needs:
        pixels = image.reshape(1, -1) if key.pooled else image.reshape(len(image), -1)
        measured = {
            "mean": lambda p=pixels: p.mean(axis=1),
            "std": lambda p=pixels: p.std(axis=1),
            "quantile": lambda p=pixels, q=key.fraction: np.quantile(p, q, axis=1),
        }[key.kind]()
        values[key] = np.broadcast_to(measured, len(image)).astype(np.float64)
    return SampleStatistics(values)


def apply(operation: Operation, tile: Image, statistics: SampleStatistics | None = None) -> Image:
    step = operation.resolve(statistics or SampleStatistics({}), len(tile))
    if step is None:
        return tile
    return step(torch.from_numpy(tile.copy())).numpy()


def by_channel(image: Image, function: Callable[[Image], Image], pooled: bool) -> Image:
    return function(image) if pooled else np.stack([function(channel) for channel in image])


RAMP = np.arange(70, dtype=np.float64).reshape(2, 5, 7) - 20


@pytest.mark.parametrize("pooled", [False, True])
def test_what_takes_its_numbers_from_the_image(pooled: bool) -> None:
    cases: list[tuple[Operation, Callable[[Image], Image]]] = [
        (Standardize(eps=1e-3, pooled=pooled), lambda x: (x - x.mean()) / (x.std() + 1e-3)),
        (
            Rescale(None, None, 0.05, 0.9, 1e-3, pooled),
            lambda x: (x - np.quantile(x, 0.05)) / (np.ptp(np.quantile(x, [0.05, 0.9])) + 1e-3),
        ),
        (
            Clip(None, None, 0.1, 0.8, pooled),
            lambda x: np.clip(x, *np.quantile(x, [0.1, 0.8])),
        ),
        (Clip(None, 3.0, 0.1, None, pooled), lambda x: np.clip(x, np.quantile(x, 0.1), 3.0)),
    ]
    for operation, formula in cases:
        found = apply(operation, RAMP, measure(RAMP, operation.needs))
        np.testing.assert_allclose(found, by_channel(RAMP, formula, pooled), rtol=1e-12)
        assert not operation.needs_whole_output


@pytest.mark.parametrize("pooled", [False, True])
def test_what_takes_its_numbers_from_the_whole_output(pooled: bool) -> None:
    cases: list[tuple[Operation, Callable[[Image], Image]]] = [
        (StandardizeOutput(1e-3, pooled), lambda y: (y - y.mean()) / (y.std() + 1e-3)),
        (
            RescaleOutput(0.05, 0.9, 1e-3, pooled),
            lambda y: (y - np.quantile(y, 0.05)) / (np.ptp(np.quantile(y, [0.05, 0.9])) + 1e-3),
        ),
        (ClipOutput(None, 3.0, 0.1, None, pooled), lambda y: np.clip(y, np.quantile(y, 0.1), 3.0)),
        (
            ClipOutput(None, None, 0.1, 0.8, pooled),
            lambda y: np.clip(y, *np.quantile(y, [0.1, 0.8])),
        ),
        (ClipOutput(-1.0, None, None, None, pooled), lambda y: np.clip(y, -1.0, None)),
    ]
    for operation, formula in cases:
        assert operation.needs_whole_output
        assert not operation.needs
        np.testing.assert_allclose(
            apply(operation, RAMP), by_channel(RAMP, formula, pooled), rtol=1e-12
        )


def test_matching_puts_the_output_where_the_image_was() -> None:
    image = RAMP * 3 + 7
    operation = MatchMeanVariance(eps=1e-9)
    found = apply(operation, np.sin(RAMP), measure(image, operation.needs))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), image.mean(axis=(1, 2)))
    np.testing.assert_allclose(found.std(axis=(1, 2)), image.std(axis=(1, 2)), rtol=1e-6)


def test_what_has_its_own_numbers() -> None:
    cases: list[tuple[Operation, Image]] = [
        (Affine((2.0,), (1.0, -1.0)), RAMP * 2 + np.array([1.0, -1.0])[:, None, None]),
        (Standardize((3.0,), (2.0, 4.0), 0.5), (RAMP - 3) / np.array([2.5, 4.5])[:, None, None]),
        (Clip(-2, 4), RAMP.clip(-2, 4)),
        (Clip(None, 4), np.minimum(RAMP, 4)),
        (Clip(-2, None), np.maximum(RAMP, -2)),
        (Sigmoid(), 1 / (1 + np.exp(-RAMP))),
        (Softmax(), np.exp(RAMP) / np.exp(RAMP).sum(axis=0)),
        (Binarize((1.0, 30.0)), (np.array([1.0, 30.0])[:, None, None] < RAMP).astype(float)),
        (EnsureDtype("float32"), RAMP),
        (EnsureDtype("bool"), (RAMP != 0).astype(float)),
        (EnsureDtype("uint8"), RAMP.clip(0, 255)),
    ]
    for operation, expected in cases:
        assert not operation.needs
        np.testing.assert_allclose(apply(operation, RAMP), expected, rtol=1e-12, atol=1e-12)


def test_casts_cut_off_what_numpy_would_wrap_and_round_to_zero() -> None:
    tile = np.array([[[-300.7, -1.9, 1.9, 300.7]]])
    assert apply(EnsureDtype("int8"), tile).ravel().tolist() == [-128, -1, 1, 127]
    assert apply(EnsureDtype("uint8"), tile).ravel().tolist() == [0, 0, 1, 255]


@given(images)
def test_undoing_brings_the_image_back(image: Image) -> None:
    for first in (Standardize(), Rescale(None, None, 0.01, 0.99)):
        statistics = measure(image, first.needs)
        back = apply(Undo(first), apply(first, image, statistics), statistics)
        np.testing.assert_allclose(back, image, atol=1e-6)


@given(images, st.floats(-3, 3).filter(lambda g: abs(g) > 1e-3), st.floats(-50, 50))
def test_statistics_follow_scaling(image: Image, gain: float, offset: float) -> None:
    scaling = Affine((gain,), (offset,))
    keys = frozenset({MEAN, STD, Statistic("mean", 0.0, True), quantile(0.2), quantile(0.7, True)})
    known = scaling.after(measure(image, keys), 2)
    wanted = measure(image * gain + offset, keys)
    for key in keys:
        if key.kind == "quantile" and gain < 0:
            with pytest.raises(UnknownStatisticError, match="quantile"):
                known[key]
        else:
            np.testing.assert_allclose(known[key], wanted[key], atol=1e-6)


@given(images, st.floats(-500, 0), st.floats(0.5, 500))
def test_smallest_and_largest_follow_clipping(image: Image, low: float, high: float) -> None:
    keys = frozenset({quantile(0), quantile(1, True), MEAN})
    known = Clip(low, high).after(measure(image, keys), 2)
    wanted = measure(image.clip(low, high), keys)
    for key in keys - {MEAN}:
        np.testing.assert_array_equal(known[key], wanted[key])
    with pytest.raises(UnknownStatisticError, match="the mean is not known there"):
        known[MEAN]


def test_pooled_statistics_are_lost_where_channels_are_treated_apart() -> None:
    key = quantile(0.5, pooled=True)
    statistics = measure(RAMP, frozenset({key}))
    assert Affine((2.0, 3.0)).after(statistics, 2).values == {}
    ends = Clip(None, None, 0.1, 0.9)
    both = measure(RAMP, ends.needs | {key})
    assert key not in ends.after(both, 2).values
    assert key in Clip(0, 1).after(both, 2).values


@pytest.mark.parametrize("operation", [Sigmoid(), Softmax(), Binarize((0.0,)), EnsureDtype("int8")])
def test_nothing_is_known_after_other_operations(operation: Operation) -> None:
    assert operation.after(measure(RAMP, frozenset({MEAN, quantile(0.5)})), 2).values == {}


def test_numbers_that_do_not_go_with_the_channels() -> None:
    with pytest.raises(ValueError, match="3 numbers for 2 channels"):
        Affine((1.0, 2.0, 3.0)).resolve(SampleStatistics({}), 2)


def test_an_image_of_other_channels_gives_their_mean() -> None:
    statistics = SampleStatistics({MEAN: np.array([1.0, 3.0]), STD: np.array([2.0, 2.0])})
    step = Undo(Standardize(eps=0.0)).resolve(statistics, 3)
    assert step is not None
    assert step(torch.zeros(3, 1, 1)).ravel().tolist() == [2.0, 2.0, 2.0]


def test_inverses_are_recognized() -> None:
    first = Standardize((24.0, 7.0), (34.0, 2.0))
    scale = np.array([34.0, 2.0]) + 1e-6
    as_standardize = Standardize(tuple(-np.array([24.0, 7.0]) / scale), tuple(1 / scale), first.eps)
    as_affine = Affine(tuple(scale), (24.0, 7.0))
    assert undoes(as_standardize, first)
    assert undoes(as_affine, first)
    assert undoes(Affine((3.0,), (5.0,)), Rescale((5.0,), (8.0,)))
    assert not undoes(Affine(tuple(scale), (24.0, 9.0)), first)
    assert not undoes(Affine((1.0, 1.0, 1.0)), first)
    assert not undoes(as_affine, Standardize())
    known = Inverse(as_affine, first)
    assert known.measured() == Undo(Standardize())
    np.testing.assert_allclose(apply(known, apply(first, RAMP)), RAMP, atol=1e-9)
