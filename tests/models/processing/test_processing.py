from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_tessera.models.processing import (
    MEAN,
    MEAN_STD,
    STD,
    Affine,
    Clip,
    Inverse,
    Processing,
    Rescale,
    SampleStatistics,
    Sigmoid,
    Standardize,
    StandardizeOutput,
    Undo,
    UnknownStatisticError,
)

STATISTICS = SampleStatistics({MEAN: np.array([10.0, 20.0]), STD: np.array([2.0, 4.0])})


def run(processing: Processing, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What goes into the network, and what comes out if it returns that."""
    numbers = processing.resolve(STATISTICS, 2, 2)

    def like(values: np.ndarray) -> np.ndarray:
        return values[:, None, None]

    tile = torch.from_numpy((image - like(numbers.subtract)) / like(numbers.divide))
    for step in numbers.before:
        tile = step(tile)
    prepared = tile.numpy().copy()
    for step in numbers.after:
        tile = step(tile)
    return prepared, tile.numpy() * like(numbers.multiply) + like(numbers.add)


IMAGE = np.linspace(-5, 40, 24).reshape(2, 3, 4)
MEANS, SCALES = np.array([10.0, 20.0])[:, None, None], np.array([2.0, 4.0])[:, None, None] + 1e-6


def test_mean_and_deviation_there_and_back() -> None:
    prepared, back = run(MEAN_STD, IMAGE)
    np.testing.assert_allclose(prepared, (IMAGE - MEANS) / SCALES)
    np.testing.assert_allclose(back, IMAGE)
    numbers = MEAN_STD.resolve(STATISTICS, 2, 2)
    assert not numbers.before
    assert not numbers.after
    assert numbers.subtract.dtype == numbers.add.dtype == np.float64


def test_operations_work_in_their_order() -> None:
    processing = Processing(
        (Affine((0.5,), (1.0,)), Standardize(), Clip(-1, 1), Affine((3.0,))),
        (Affine((2.0,)), Sigmoid(), Affine((4.0,), (1.0,)), Affine((10.0,))),
    )
    prepared, out = run(processing, IMAGE)
    halved = (IMAGE * 0.5 + 1 - (MEANS * 0.5 + 1)) / (0.5 * (SCALES - 1e-6) + 1e-6)
    np.testing.assert_allclose(prepared, halved.clip(-1, 1) * 3)
    np.testing.assert_allclose(out, (4 / (1 + np.exp(-2 * prepared)) + 1) * 10)
    numbers = processing.resolve(STATISTICS, 2, 2)
    # all that scales at either end is done in float64, outside the tile
    assert len(numbers.before) == 2
    assert len(numbers.after) == 2


def test_scaling_by_nothing_is_left_to_the_tile() -> None:
    processing = Processing((Affine((0.0,), (3.0,)),))
    prepared, _ = run(processing, IMAGE)
    assert (prepared == 3).all()


def test_what_it_needs() -> None:
    processing = Processing((Standardize((1.0,), (2.0,)),), (Undo(Standardize()), Sigmoid()))
    assert processing.needs == {MEAN, STD}
    assert not processing.needs_whole_output
    assert Processing((), (StandardizeOutput(),)).needs_whole_output


def test_the_images_own_numbers_instead_of_the_models() -> None:
    first = Standardize((24.0,), (34.0,))
    own = Processing((first,), (Undo(first),), "series")
    assert own.measured() == Processing((Standardize(),), (Undo(Standardize()),), "series")
    other = Processing((first,), (Undo(Standardize((5.0,), (6.0,))), Clip(0, 1)))
    assert other.measured().after == other.after


def test_written_inverses_become_known() -> None:
    first = Standardize((24.0,), (34.0,))
    inverse, other = Affine((34.0,), (24.0,)), Affine((34.0,), (30.0,))
    found = Processing((first,), (Sigmoid(), inverse, other)).with_inverses()
    assert found.after == (Sigmoid(), Inverse(inverse, first), other)
    assert found.measured().after == (Sigmoid(), Undo(Standardize()), other)
    unknown = Processing((Rescale(),), (inverse,))
    assert unknown.with_inverses() is unknown
    assert Processing((Sigmoid(),), (inverse,)).with_inverses().after == (inverse,)


def test_a_mean_after_clipping_cannot_be_known() -> None:
    with pytest.raises(UnknownStatisticError, match="the mean is not known there"):
        Processing((Clip(0, 1), Standardize())).resolve(STATISTICS, 2, 2)
