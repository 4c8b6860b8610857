from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_tessera.widgets.layer_pixels import LayerChannels, SavingCancelled, WatchedPixels


def test_channels_are_read_where_they_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 99, (3, 4, 50, 60)).astype(np.uint16)
    stored = zarr.create_array({}, shape=arrays[1].shape, chunks=(1, 50, 60), dtype="u2")
    stored[...] = arrays[1]
    channels = LayerChannels((arrays[0], stored, da.from_array(arrays[2], chunks=20)))
    assert channels.shape == arrays.shape
    assert channels.dtype == np.uint16
    assert channels.chunks is None
    part = (slice(1, 3), slice(0, 2), slice(10, 45), slice(5, 6))
    read = channels[part]
    assert type(read) is np.ndarray
    np.testing.assert_array_equal(read, arrays[part])


def test_channels_tell_how_they_are_stored() -> None:
    stored = zarr.create_array({}, shape=(50, 60), chunks=(10, 20), dtype="u2")
    assert LayerChannels((stored, stored)).chunks == (1, 10, 20)
    assert WatchedPixels(stored).chunks == (10, 20)
    assert WatchedPixels(np.zeros((2, 2))).chunks is None


def test_the_share_that_was_read_is_counted() -> None:
    watched = WatchedPixels(np.arange(80).reshape(8, 10))
    assert (watched.shape, watched.dtype, watched.share) == ((8, 10), np.dtype(int), 0)
    np.testing.assert_array_equal(watched[2:4, 0:10], np.arange(20, 40).reshape(2, 10))
    assert watched.share == 0.25
    for _ in range(5):
        watched[0:8, 0:10]
    assert watched.share == 1


def test_nothing_is_read_after_a_cancel() -> None:
    watched = WatchedPixels(np.zeros((8, 10)))
    watched.cancel()
    with pytest.raises(SavingCancelled):
        watched[0:1, 0:1]
    assert watched.share == 0
