from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks.reading import runs
from napari_tessera.stacks.reading.runs import read_runs


@given(
    data=st.data(),
    gap=st.sampled_from([0, 7, 2**14]),
    limit=st.sampled_from([1, 40, 2**20]),
)
def test_a_part_equals_numpy_slicing(data: st.DataObject, gap: int, limit: int) -> None:
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    part = [
        sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True)))
        for n in shape
    ]
    array = np.arange(np.prod(shape), dtype=">u2").reshape(shape)
    wanted = array[tuple(slice(*span) for span in part)]
    file = b"head" + array.tobytes() + b"tail"
    found = np.zeros(wanted.shape, np.uint16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_GAP_BYTES", gap)
        patch.setattr(runs, "_RUN_BYTES", limit)
        read_runs(
            lambda at, count: file[at : at + count],
            4,
            shape,
            array.dtype,
            [(start, stop) for start, stop in part],
            found,
        )
    np.testing.assert_array_equal(found, wanted)


def reads(shape: tuple[int, ...], part: list[tuple[int, int]]) -> list[int]:
    """Sizes of the reads."""
    sizes = []

    def read(at: int, count: int) -> bytes:
        sizes.append(count)
        return bytes(count)

    target = np.empty([stop - start for start, stop in part], np.uint8)
    read_runs(read, 0, shape, np.dtype(np.uint8), part, target)
    return sizes


def test_rows_close_to_each_other_are_read_at_once() -> None:
    assert reads((4000, 2000), [(0, 256), (500, 756)]) == [255 * 2000 + 256]


def test_rows_far_apart_are_read_one_by_one() -> None:
    assert reads((100_000, 100_000), [(0, 256), (500, 756)]) == [256] * 256


def test_no_read_grows_with_the_patch() -> None:
    sizes = reads((40, 2048, 2048), [(3, 40), (0, 2048), (0, 2048)])
    assert sum(sizes) == 37 * 2048 * 2048
    assert max(sizes) <= 2**22


def test_interleaved_channels_are_read_with_their_neighbours() -> None:
    sizes = reads((100_000, 100_000, 3), [(0, 64), (500, 564), (1, 2)])
    assert sizes == [63 * 3 + 1] * 64
