from __future__ import annotations

import gc

import numpy as np
import psutil
import pytest

from napari_tessera.writing.chunks.buffers import OWN_PAGES, empty_buffer


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
