"""Chunks of HDF5 files that were never written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import SampleView
from napari_tessera.stacks.absent import absent_chunks, absent_text
from napari_tessera.stacks.hdf5 import absent as hdf5_absent
from napari_tessera.stacks.hdf5.stack import HDF5Stack

from .hdf5_files import random_image, store
from .imaris_files import write_imaris


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.h5"


def sparse(path: Path, **more: Any) -> None:
    """Four planes of nine chunks each, the last ones smaller; written are six of the 36."""
    with h5py.File(path, "w") as file:
        image = file.create_dataset("image", (4, 40, 40), "i2", chunks=(1, 16, 16), **more)
        image[1, :20] = 5


@pytest.mark.parametrize("most", [hdf5_absent.MOST_COUNTED, 1])
def test_chunks_that_were_never_written_are_counted_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(hdf5_absent, "MOST_COUNTED", most)
    sparse(path, fillvalue=-7, compression="gzip")
    with HDF5Stack(path, axes="ZYX") as stack:
        assert stack.count_absent() == (None if most == 1 else (30, 36))
        assert absent_chunks(stack) == 0
        for _ in range(2):
            assert stack.extract_patch(0, None, (0, 0, 0), (1, 16, 17)).max() == -7
            assert absent_chunks(stack) == 2
        stack.extract_patch(0, None, (1, 0, 0), (1, 32, 40))
        assert absent_chunks(stack) == 2
        with ThreadPoolExecutor(4) as threads:
            places = [(z % 4, 0, 0) for z in range(40)]
            list(threads.map(lambda at: stack.extract_patch(0, None, at, (1, 40, 40)), places))
        assert absent_chunks(SampleView(stack, "Z")) == 30
        assert absent_text(stack, 30) == (
            f"30 chunks of {path}#/image are not in the store and were read as the fill value -7"
        )


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_as_many_are_counted_as_were_left_out(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("sparse") / "image.h5"
    written = np.array(data.draw(st.lists(st.booleans(), min_size=24, max_size=24)))
    grid = written.reshape(2, 3, 4)
    with h5py.File(path, "w") as file:
        image = file.create_dataset("image", (3, 8, 15), "u1", chunks=(2, 3, 4))
        for z, y, x in np.argwhere(grid):
            image[2 * z, 3 * y, 4 * x] = 1
    start = [data.draw(st.integers(0, length - 1)) for length in (3, 8, 15)]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, (3, 8, 15), strict=True)]
    met = tuple(
        slice(a // size, -(-b // size)) for a, b, size in zip(start, stop, (2, 3, 4), strict=True)
    )
    with HDF5Stack(path, axes="ZYX") as stack:
        stack.extract_patch(0, None, start, np.subtract(stop, start).tolist())
        assert stack.absent_chunks == np.count_nonzero(~grid[met])


def test_nothing_is_counted_where_all_is_written(path: Path) -> None:
    store(path, random_image(4, 40, 40), "chunked", chunks=(1, 16, 16))
    store(path, random_image(4, 40, 40), "piece")
    for name in ("chunked", "piece"):
        with HDF5Stack(path, name, "ZYX") as stack:
            stack.extract_patch(0, None, (0, 0, 0), (4, 40, 40))
            assert stack.absent_chunks == 0
            assert stack.count_absent() == (0, 36 if name == "chunked" else 1)


def test_volumes_of_an_imaris_image_are_counted_together(path: Path) -> None:
    write_imaris(path, [random_image(6, 2, 4, 32, 32, dtype="u1")])
    with h5py.File(path, "a") as file:
        for t in range(0, 6, 2):
            group = file[f"DataSet/ResolutionLevel 0/TimePoint {t}/Channel 1"]
            del group["Data"]
            data = group.create_dataset("Data", (4, 32, 32), "u1", chunks=(4, 16, 16))
            data[:, :16] = 3
    with HDF5Stack(path) as stack:
        # more volumes than stay open, twice
        for t in (*range(6), *range(6)):
            stack.extract_patch(t, None, (0, 0, 10), (4, 32, 22))
        assert stack.absent_chunks == 6
        assert stack.fill_value == 0
        assert stack.count_absent() is None


def test_one_piece_that_was_never_written_is_one(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("image", (4, 40, 40), "f4", fillvalue=np.nan)
    with HDF5Stack(path, axes="ZYX") as stack:
        assert stack.absent_chunks == 0
        for z in range(2):
            assert np.isnan(stack.extract_patch(0, None, (z, 3, 3), (1, 2, 2))).all()
            assert stack.absent_chunks == 1
        assert np.isnan(stack.fill_value)


def test_a_fill_value_is_what_its_pixels_stand_for(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("t00000/s00/0/cells", (4, 40, 40), "i2", fillvalue=-1)
    with HDF5Stack(path) as stack:
        assert stack.fill_value == stack.extract_patch(0, None, (0, 0, 0), (1, 1, 1)) == 65535
