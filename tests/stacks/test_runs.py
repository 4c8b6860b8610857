from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks import runs
from napari_tessera.stacks.runs import read_runs


@given(data=st.data(), limit=st.sampled_from([1, 40, 2**20]))
def test_a_part_equals_numpy_slicing(data: st.DataObject, limit: int) -> None:
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    part = [
        sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True)))
        for n in shape
    ]
    array = np.arange(np.prod(shape), dtype=">u2").reshape(shape)
    file = b"head" + array.tobytes() + b"tail"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_RUN_BYTES", limit)
        found = read_runs(
            lambda at, count: file[at : at + count],
            4,
            shape,
            array.dtype,
            [(start, stop) for start, stop in part],
        )
    np.testing.assert_array_equal(found, array[tuple(slice(*span) for span in part)])


def count_reads(shape: tuple[int, ...], part: list[tuple[int, int]]) -> tuple[int, int]:
    """Number of reads, and bytes read."""
    sizes = []

    def read(at: int, count: int) -> bytes:
        sizes.append(count)
        return bytes(count)

    read_runs(read, 0, shape, np.dtype(np.uint8), part)
    return len(sizes), sum(sizes)


def test_rows_close_to_each_other_are_read_at_once() -> None:
    reads, nbytes = count_reads((4000, 2000), [(0, 256), (500, 756)])
    assert reads == 1
    assert nbytes < 2**20


def test_rows_far_apart_are_read_one_by_one() -> None:
    reads, nbytes = count_reads((100_000, 100_000), [(0, 256), (500, 756)])
    assert (reads, nbytes) == (256, 256 * 256)


def test_interleaved_channels_are_read_with_their_neighbours() -> None:
    reads, nbytes = count_reads((100_000, 100_000, 3), [(0, 64), (500, 564), (1, 2)])
    assert reads == 64
    assert nbytes < 64 * 64 * 3
