"""Arrays in temporary files: as NumPy's, sparse, gone with the array, unharmed by a full disk."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.widgets.file_array import FileArray
from napari_tessera.widgets.lazy_array import Reordered

SHAPE = (3, 5, 7, 4)


@st.composite
def places(draw: st.DrawFn) -> tuple[slice, ...]:
    bounds = [sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in SHAPE]
    return tuple(slice(a, b) for a, b in bounds)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8", "float64", "float16", "int32"])
@given(data=st.data())
def test_holds_what_is_written_and_the_fill_value_else(dtype: str, data: st.DataObject) -> None:
    array = FileArray(SHAPE, np.dtype(dtype))
    kept = np.full(SHAPE, np.nan if "float" in dtype else 0, dtype)
    np.testing.assert_array_equal(np.asarray(array), kept)
    rng = np.random.default_rng(0)
    for _ in range(3):
        place = data.draw(places())
        pixels = rng.integers(0, 200, kept[place].shape).astype(dtype)
        array[place] = pixels.transpose().copy().transpose()
        kept[place] = pixels
    place = data.draw(places())
    np.testing.assert_array_equal(array[place], kept[place])
    np.testing.assert_array_equal(np.asarray(array), kept)
    assert array.dtype == dtype
    assert not array.full


@given(st.sampled_from([*permutations("TZYX"), *permutations("ZYX")]), places())
def test_axes_are_reordered_and_left_out(order: tuple[str, ...], place: tuple[slice, ...]) -> None:
    shape = SHAPE if len(order) == 4 else (1, *SHAPE[1:])
    array = FileArray(shape, np.dtype("int32"))
    values = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    array[tuple(slice(0, n) for n in shape)] = values
    shown = Reordered(array, "TZYX", "".join(order))
    expected = values if len(order) == 4 else values[0]
    letters = "TZYX"[-len(order) :]
    expected = expected.transpose([letters.index(letter) for letter in order])
    assert shown.shape == expected.shape
    assert shown.reads == (array,)
    wanted = place[: len(order)]
    np.testing.assert_array_equal(shown[wanted], expected[wanted])


def open_files() -> set[tuple[int, int, int]]:
    """Device, inode and length of each file this process holds open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own, and what other threads close
            status = os.fstat(int(number))
            found.add((status.st_dev, status.st_ino, status.st_size))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at open files by /proc")
def test_takes_no_room_before_it_is_written_and_goes_with_the_array() -> None:
    array = FileArray((1 << 10, 1 << 10, 1 << 10), np.dtype("float32"))
    number = array._file.fileno()
    target = os.readlink(f"/proc/self/fd/{number}")
    status = os.fstat(number)
    assert status.st_blocks < 100
    assert (status.st_dev, status.st_ino, status.st_size) in open_files()
    assert np.isnan(array[512, 512, :5]).all()
    assert not os.path.exists(target)
    del array
    gc.collect()
    # Threads of other tests may be given the number, and even the inode, of a file that is gone:
    # one of the same length as well would be ours.
    assert (status.st_dev, status.st_ino, status.st_size) not in open_files()


def test_a_full_disk_is_no_error() -> None:
    array = FileArray((4, 4), np.dtype("float32"))
    array[slice(0, 2), slice(0, 4)] = np.ones((2, 4), np.float32)
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "r+b", buffering=0) as full:
        file: Any = array._file
        array._file = full  # type: ignore[assignment]
        array[slice(2, 4), slice(0, 4)] = np.ones((2, 4), np.float32)
        array._file = file
    assert array.full
    assert np.nansum(np.asarray(array)) == 8


class InPieces(io.FileIO):
    """A file that takes and gives three bytes at a time, as system calls may."""

    def write(self, data: Any) -> int:
        return super().write(memoryview(data)[:3])

    def readinto(self, buffer: Any) -> int:
        return super().readinto(memoryview(buffer)[:3])


def test_what_is_written_and_read_in_pieces_is_whole(tmp_path: Path) -> None:
    array = FileArray((4, 5), np.dtype("uint16"))
    path = tmp_path / "pixels"
    path.write_bytes(bytes(40))
    pixels = np.arange(20, dtype=np.uint16).reshape(4, 5)
    with InPieces(path, "r+b") as file:
        array._file = file  # type: ignore[assignment]
        array[slice(0, 4), slice(0, 5)] = pixels
        np.testing.assert_array_equal(np.asarray(array), pixels)
        assert not array.full


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_disk_that_has_room_for_a_part_is_full() -> None:
    import resource

    array = FileArray((64, 1024), np.dtype("uint8"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        array[slice(0, 64), slice(0, 1024)] = np.ones((64, 1024), np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert int(np.asarray(array).sum()) == 40_000
    assert array.full
