from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.axis_probe import AxisProbe
from napari_tessera.models.perturbation import (
    Shift,
    changes_beyond,
    is_repeatable,
    reach_by_change,
    smallest_shift,
)


def _axis(network: Callable[[Tensor], object], longest: int = 256) -> AxisProbe:
    return AxisProbe(network, "net", 1, 1, (32, 32), 64, longest)


@pytest.mark.parametrize("half", [0, 1, 4, 20])
def test_reach_of_rank_filters(half: int) -> None:
    size = 2 * half + 1

    def median(x: Tensor) -> np.ndarray:
        return ndimage.median_filter(np.asarray(x), (1, 1, 3, size))

    assert reach_by_change(_axis(median), 1) == half


def test_reach_agrees_with_nan(make_unet: Callable[..., nn.Module]) -> None:
    reach = reach_by_change(_axis(make_unet()), 4)
    # changes die out in rectifiers and by rounding before they reach the last pixel
    assert reach is not None
    assert 20 <= reach <= 26


def test_what_never_ends_or_never_shows_has_no_reach() -> None:
    assert reach_by_change(_axis(lambda x: x - x.mean()), 1) is None
    assert reach_by_change(_axis(torch.ones_like), 1) is None
    assert reach_by_change(_axis(lambda x: F.avg_pool2d(x, (1, 151), 1, (0, 75)), 128), 1) is None


def test_changes_beyond() -> None:
    axis = _axis(lambda x: F.avg_pool2d(x, 7, 1, 3))
    assert not changes_beyond(axis, 64, -3, 3)
    assert changes_beyond(axis, 64, -3, 2)
    assert changes_beyond(axis, 64, -2, 3)
    # what differs anyway says nothing
    assert not changes_beyond(_axis(lambda x: F.dropout(x, 0.5)), 64, -3, 3)


def test_is_repeatable() -> None:
    assert is_repeatable(_axis(lambda x: x), 64)
    assert not is_repeatable(_axis(torch.rand_like), 64)


def _pooled(k: int) -> Callable[[Tensor], Tensor]:
    def pool(x: Tensor) -> Tensor:
        return x + F.interpolate(F.max_pool2d(x, k), size=x.shape[2:])

    return pool


@pytest.mark.parametrize("k", [1, 2, 3, 4, 8])
def test_smallest_shift(k: int) -> None:
    assert smallest_shift(_axis(_pooled(k)), (1, 2, 3, 4, 6, 8), 8) == Shift(k, True)
    assert smallest_shift(_axis(_pooled(k)), (1, 2, 3, 4, 6, 8), None) == Shift(k, True)


def test_no_shift_holds() -> None:
    ramp = _axis(lambda x: x + torch.arange(x.shape[-1]))
    assert smallest_shift(ramp, (2, 4, 8), 0) == Shift(2, False)


def test_sizes_that_are_refused_are_no_steps() -> None:
    def fussy(x: Tensor) -> Tensor:
        if x.shape[-1] % 16:
            raise ValueError
        return x

    assert smallest_shift(_axis(fussy), (1, 2, 4, 8, 16, 32), 0) == Shift(16, True)

    def refusing(x: Tensor) -> Tensor:
        raise ValueError

    assert smallest_shift(_axis(refusing), (1, 2), 0) == Shift(1, False)
