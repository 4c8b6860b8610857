from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing.ome.arrays import (
    COMPRESSIONS,
    check_compression,
    create_pixel_array,
    open_pixel_array,
)


def test_arrays_are_zarr_3_with_bit_shuffle_and_keep_empty_chunks() -> None:
    group = zarr.create_group(MemoryStore())
    create_pixel_array(
        group, "0", axes="TYX", shape=(2, 40, 50), chunks=(1, 16, 16), dtype="float32"
    )
    array = open_pixel_array(group, "0")
    assert array.metadata.zarr_format == 3
    assert array.metadata.dimension_names == ("t", "y", "x")
    assert np.isnan(array.fill_value)
    (codec,) = array.compressors
    assert isinstance(codec, BloscCodec)
    assert (codec.cname.value, codec.shuffle.value) == ("zstd", "bitshuffle")
    assert array.nchunks_initialized == 0
    array[:] = np.nan
    assert array.nchunks_initialized == array.nchunks
    assert not zarr.config.get("array.write_empty_chunks")


def test_a_shard_is_one_file(tmp_path: Path) -> None:
    group = zarr.create_group(LocalStore(tmp_path / "a.zarr"))
    pixels = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
    array = create_pixel_array(
        group, "0", axes="YX", shape=(64, 48), chunks=(8, 8), shards=(32, 48), dtype="uint16"
    )
    array[:] = pixels
    files = [file for file in (tmp_path / "a.zarr" / "0" / "c").rglob("*") if file.is_file()]
    assert len(files) == 2
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")[:], pixels)


def test_zarr_2_has_slashes_in_keys(tmp_path: Path) -> None:
    group = zarr.create_group(LocalStore(tmp_path / "a.zarr"), zarr_format=2)
    create_pixel_array(group, "0", axes="YX", shape=(20, 20), chunks=(8, 8), dtype="float32")
    array = open_pixel_array(group, "0")
    array[:] = 0
    assert (tmp_path / "a.zarr" / "0" / "2" / "1").is_file()
    about = json.loads((tmp_path / "a.zarr" / "0" / ".zarray").read_text())
    assert about["dimension_separator"] == "/"
    assert about["fill_value"] == "NaN"
    assert about["compressor"] == {
        "id": "blosc",
        "cname": "zstd",
        "clevel": 3,
        "shuffle": numcodecs.Blosc.BITSHUFFLE,
        "blocksize": 0,
    }


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_is_read_back_by_zarr_alone(
    tmp_path: Path, compression: Any, zarr_format: Any
) -> None:
    pixels = np.random.default_rng(0).integers(0, 50, (64, 64)).astype(np.uint16)
    group = zarr.create_group(LocalStore(tmp_path / "a.zarr"), zarr_format=zarr_format)
    array = create_pixel_array(
        group,
        "0",
        axes="YX",
        shape=pixels.shape,
        chunks=(32, 32),
        dtype=pixels.dtype,
        compression=check_compression(compression),
    )
    array[:] = pixels
    again = zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")
    np.testing.assert_array_equal(again[:], pixels)
    chunks = [path for path in (tmp_path / "a.zarr" / "0").rglob("[0-9]*") if path.is_file()]
    stored = sum(path.stat().st_size for path in chunks)
    assert (stored >= pixels.nbytes) == (compression == "none")


def test_a_compression_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'zip' is unknown: use one of zstd, lz4, gzip, none"):
        check_compression("zip")
