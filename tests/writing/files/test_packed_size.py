"""Bytes that pixels take: those that real files of the same pixels take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.files.formats import FORMATS, NPY, OME_TIFF, OME_ZARR, TIFF, FileFormat
from napari_tessera.writing.files.ome_tiff import write_ome_tiff
from napari_tessera.writing.files.packed_size import PackedSize
from napari_tessera.writing.ome.arrays import COMPRESSIONS, create_pixel_array


def noisy(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    return rng.poisson(300 + 100 * np.sin(np.arange(shape[-1]) / 20), shape).astype(dtype)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(("version", "zarr_format"), [("0.5", 3), ("0.4", 2)])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_chunks_are_those_of_a_store(
    compression: Any, version: str, zarr_format: Any, dtype: str, tmp_path: Path
) -> None:
    pixels = noisy((2, 128, 192), dtype)
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=zarr_format)
    array = create_pixel_array(
        group, "0", axes="ZYX", shape=pixels.shape, chunks=(1, 128, 192), dtype=dtype,
        compression=compression,
    )  # fmt: skip
    array[...] = pixels
    stored = sum(
        file.stat().st_size
        for file in (tmp_path / "a.zarr" / "0").rglob("*")
        if file.is_file() and not file.name.startswith((".z", "zarr.json"))
    )
    size = PackedSize(OME_ZARR, compression, (1, 128, 192), dtype, version)
    # in pieces, as tiles come
    for piece in np.split(pixels.ravel(), 7 * [0] + [5000, 30_000]):
        size.add(piece)
    size.finish()
    assert size.pixel_bytes == pixels.nbytes
    assert size.packed_bytes == pytest.approx(stored, rel=0.001)


@pytest.mark.parametrize("compression", OME_TIFF.compressions)
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_tiles_are_those_of_an_ome_tiff(compression: str, dtype: str, tmp_path: Path) -> None:
    pixels = noisy((512, 512), dtype)
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, pixels, axes="YX", compression=compression)
    with tifffile.TiffFile(path) as file:
        stored = sum(file.pages[0].databytecounts)  # type: ignore[union-attr]
    size = PackedSize(OME_TIFF, compression, (512, 512), dtype)
    size.add(pixels)
    size.finish()
    assert size.packed_bytes == pytest.approx(stored, rel=0.01)


@pytest.mark.parametrize("form", [TIFF, NPY])
def test_what_is_not_packed_takes_what_it_has(form: FileFormat) -> None:
    size = PackedSize(form, "none", (64, 64), "float32")
    size.add(noisy((100, 100), np.float32))
    size.finish()
    assert size.packed_bytes == size.pixel_bytes == 40_000


def test_what_is_left_counts_once_and_half_floats_as_they_are_stored() -> None:
    size = PackedSize(OME_ZARR, "zstd", (64, 64), "float32")
    size.finish()
    assert (size.pixel_bytes, size.packed_bytes) == (0, 0)
    size.add(noisy((10, 10), np.float32))
    assert size.pixel_bytes == 0
    size.finish()
    once = size.packed_bytes
    assert 0 < once <= size.pixel_bytes == 400
    size.finish()
    assert size.packed_bytes == once
    for form in FORMATS:
        half = PackedSize(form, "none", (8, 8), "float16")
        half.add(np.ones((8, 8), np.float16))
        half.finish()
        assert half.pixel_bytes == 64 * form.stored_dtype("float16").itemsize
