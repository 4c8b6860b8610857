from __future__ import annotations

import numpy as np
import torch

from napari_tessera.models.processing import (
    Affine,
    Clip,
    Processing,
    SampleStatistics,
    Standardize,
    Undo,
)


def test_a_large_mean_is_rounded_neither_before_nor_after() -> None:
    own = Standardize((2.0**30,), (0.5,), eps=0.0)
    numbers = Processing((own,), (Undo(own),)).resolve(SampleStatistics({}), 1, 1)
    pixels = 2.0**30 + np.array([[[0.25, -0.5], [1.0, 0.0]]])
    scaled = numbers.scaled(pixels)
    assert scaled.dtype == np.float32
    assert scaled.ravel().tolist() == [0.5, -1.0, 2.0, 0.0]
    made = numbers.finished(numbers.prepared(torch.from_numpy(scaled)))
    assert made.ravel().tolist() == [0.25, -0.5, 1.0, 0.0]
    assert np.array_equal(numbers.shifted(made), pixels)


def test_each_channel_has_its_numbers_and_steps_keep_their_order() -> None:
    before = (Affine((2.0, 3.0), (1.0, 0.0)), Clip(0.0, 10.0), Affine((0.5,)))
    after = (Clip(None, 4.0), Affine((10.0,), (7.0, 8.0)))
    numbers = Processing(before, after).resolve(SampleStatistics({}), 2, 2)
    pixels = np.array([[[-3, 1, 9]], [[-3, 1, 9]]], np.int16)
    given = numbers.prepared(torch.from_numpy(numbers.scaled(pixels)))
    assert given.tolist() == [[[0.0, 1.5, 5.0]], [[0.0, 1.5, 5.0]]]
    made = numbers.shifted(numbers.finished(given))
    assert made.tolist() == [[[7.0, 22.0, 47.0]], [[8.0, 23.0, 48.0]]]


def test_pixels_that_need_nothing_are_copied() -> None:
    pixels = np.ones((1, 2, 2), np.float32)
    scaled = Processing().resolve(SampleStatistics({}), 1, 1).scaled(pixels)
    scaled[:] = 5
    assert (pixels == 1).all()
