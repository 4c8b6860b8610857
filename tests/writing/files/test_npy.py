from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import open_stack
from napari_tessera.writing import write_npy

from .images import all_axes, image


@settings(max_examples=30)
@given(
    axes=all_axes(),
    dtype=st.sampled_from(["uint8", ">u2", "int64", "float16", "float32", "float64"]),
    limit=st.integers(1, 5000),
)
def test_any_axes_are_kept(
    axes: str, dtype: str, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = image(axes, dtype)
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    assert write_npy(path, array, axes=axes, memory_limit=limit) == path
    read = np.load(path)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype.newbyteorder("=")
    assert not np.isfortran(read) or axes[-1] == "X"
    with open_stack(path, axes) as stack:
        assert stack.original_axes == axes
        assert stack.original_data_shape == array.shape


def test_the_file_is_the_one_that_numpy_writes(tmp_path: Path) -> None:
    array = image("ZCYX")
    stored = zarr.create_array(
        tmp_path / "a.zarr", shape=array.shape, chunks=(2, 1, 7, 9), dtype=array.dtype
    )
    stored[...] = array
    write_npy(tmp_path / "a.npy", stored, axes="ZCYX", memory_limit=500)
    np.save(tmp_path / "b.npy", array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.parametrize("dtype", ["bool", "complex64", "U3"])
def test_what_are_no_intensities_is_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match=r"npy holds no .*: write float32, uint8 or uint16"):
        write_npy(tmp_path / "a.npy", np.zeros((4, 4), dtype), axes="YX")
    assert list(tmp_path.iterdir()) == []
