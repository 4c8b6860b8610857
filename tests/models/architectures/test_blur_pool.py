"""Blurred pooling: against the same in NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_tessera.models.architectures.blur_pool import MaxBlurPool


def _by_hand(image: np.ndarray) -> np.ndarray:
    peaks = image
    for axis in range(image.ndim):
        n = peaks.shape[axis] - 1
        peaks = np.maximum(peaks.take(range(n), axis), peaks.take(range(1, n + 1), axis))
    for axis in range(image.ndim):
        peaks = ndimage.convolve1d(peaks, [0.25, 0.5, 0.25], axis=axis, mode="constant")
    return peaks[(slice(None, None, 2),) * image.ndim]


@pytest.mark.parametrize("size", [(8, 6), (2, 2), (4, 6, 8)])
def test_each_channel_is_pooled_by_itself(size: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32)
    found = MaxBlurPool(len(size))(torch.from_numpy(images)).numpy()
    expected = np.stack([np.stack([_by_hand(image) for image in each]) for each in images])
    assert found.shape == (2, 3, *(s // 2 for s in size))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_its_kernel_is_real_where_weights_are_still_to_come() -> None:
    with torch.device("meta"):
        pool = MaxBlurPool(2)
    assert pool.kernel.sum().item() == 1
    assert not pool.state_dict()
