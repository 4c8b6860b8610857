from __future__ import annotations

import gc

import numpy as np
import psutil
import pytest

from napari_tessera.writing.chunks.buffers import OWN_PAGES, SpareBuffers, empty_buffer


@pytest.mark.parametrize("shape", [(3, 5), (2, 300, 300), (OWN_PAGES // 4,), (1, 1)])
def test_a_buffer_holds_what_is_put_in(shape: tuple[int, ...]) -> None:
    buffer = empty_buffer(shape, np.dtype("float32"))
    assert (buffer.shape, buffer.dtype, buffer.flags.c_contiguous) == (shape, "float32", True)
    pixels = np.arange(buffer.size, dtype=np.float32).reshape(shape)
    buffer[...] = pixels
    part = buffer[-1:]
    del buffer
    gc.collect()
    np.testing.assert_array_equal(part, pixels[-1:])


def test_a_buffer_takes_memory_as_it_is_filled_and_gives_it_back() -> None:
    def resident() -> int:
        return psutil.Process().memory_info().rss // 2**20

    before = resident()
    buffers = [empty_buffer((2048, 2048), np.dtype("float32")) for _ in range(16)]
    assert resident() - before < 32
    for buffer in buffers:
        buffer[:1024] = 1
    assert 100 < resident() - before < 160
    del buffer
    buffers.clear()
    assert resident() - before < 32


def test_buffers_are_used_again_where_they_fit_and_few_are_kept() -> None:
    spare = SpareBuffers(most=1000)
    first = spare.take((10, 10), np.dtype("float32"))
    second = spare.take((10, 10), np.dtype("float32"))
    assert first is not second
    spare.give_back(first)
    assert spare.take((10, 5), np.dtype("float32")) is not first
    assert spare.take((10, 10), np.dtype("int32")) is not first
    assert spare.take((10, 10), np.dtype("float32")) is first
    assert spare.take((10, 10), np.dtype("float32")) is not first
    # three of 400 bytes are too many, one of 1200 too
    third = spare.take((10, 10), np.dtype("float32"))
    for buffer in (first, second, third, np.empty((300, 1), np.float32)):
        spare.give_back(buffer)
    assert spare.take((300, 1), np.dtype("float32")).shape == (300, 1)
    taken = [spare.take((10, 10), np.dtype("float32")) for _ in range(3)]
    assert not any(buffer is first for buffer in taken)
