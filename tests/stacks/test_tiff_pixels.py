"""Pixels of TIFF pages however they are stored."""

from __future__ import annotations

import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import SampleView, StackReadError, TiffStack
from napari_tessera.stacks.absent import absent_text
from napari_tessera.stacks.tiff.pixels import TiffPixels

from .conformance import Array, check_image_stack

GREY = {"photometric": "minisblack"}
RGB = {"photometric": "rgb"}


def random_image(*shape: int, dtype: str = "uint16", top: int = 200) -> Array:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def check_file(path: Path, axes: str, expected: Array | None = None, **settings: Any) -> None:
    """Check a file against what tifffile reads of it."""
    with TiffStack(path, **settings) as stack:
        check_image_stack(stack, tifffile.imread(path) if expected is None else expected, axes)


@pytest.mark.parametrize(
    "compression",
    ["lzw", "zlib", "deflate", "zstd", "lzma", "packbits", "lerc", "jpeg2000", "jpegxl", "png"],
)
@pytest.mark.parametrize("layout", [{"tile": (16, 32)}, {"rowsperstrip": 13}, {"rowsperstrip": 70}])
def test_lossless_compressions(compression: str, layout: dict[str, Any], tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(70, 51, dtype="uint8")
    options = {"level": 0} if compression in ("jpeg2000", "jpegxl") else {}
    if compression == "jpegxl":
        options = {"lossless": True}
    tifffile.imwrite(
        path, array, compression=compression, compressionargs=options, **layout, **GREY
    )
    check_file(path, "YX", array)


@pytest.mark.parametrize(
    ("compression", "colours"),
    [("jpeg", False), ("jpeg", True), ("webp", True), ("jpegxr", False), ("jpegxr", True)],
)
def test_lossy_compressions_are_read_as_tifffile_does(
    compression: str, colours: bool, tmp_path: Path
) -> None:
    path = tmp_path / "image.tif"
    array = random_image(*((70, 51, 3) if colours else (70, 51)), dtype="uint8")
    settings = RGB if colours else GREY
    tifffile.imwrite(path, array, compression=compression, tile=(16, 32), **settings)
    check_file(path, "YXC" if colours else "YX")


def test_jpeg_strips_share_their_tables(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(3, 64, 64, 3, dtype="uint8")
    tifffile.imwrite(path, array, compression="jpeg", rowsperstrip=16, **RGB)
    check_file(path, "ZYXC")


@pytest.mark.parametrize(
    ("dtype", "predictor"),
    [("uint8", 2), ("int16", 2), ("uint32", 2), ("float32", 3), ("float64", 3), ("float16", 3)],
)
@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd"])
def test_predictors(compression: str, dtype: str, predictor: int, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(70, 51, dtype=dtype)
    for tile in (None, (16, 32)):
        tifffile.imwrite(
            path, array, compression=compression, predictor=predictor, tile=tile, **GREY
        )
        check_file(path, "YX", array)


def turn_into(path: Path, code: int, value: int) -> None:
    """Make the tag for the unit of resolution another one, that tifffile does not write."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags["ResolutionUnit"]
        at, order = tag.offset, file.byteorder
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack(f"{order}HHIHH", code, 3, 1, value, 0))


def test_a_predictor_without_compression(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(70, 51)
    tifffile.imwrite(path, imagecodecs.delta_encode(array, axis=-1), rowsperstrip=9, **GREY)
    turn_into(path, 317, 2)
    check_file(path, "YX", array)


@pytest.mark.parametrize(
    "dtype",
    [
        *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
        *("float16", "float32", "float64"),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_every_type_of_pixels(
    dtype: str, compression: str | None, byteorder: str, tmp_path: Path
) -> None:
    path = tmp_path / "image.tif"
    array = random_image(3, 20, 30, top=2, dtype=dtype)
    if dtype != "bool":
        array = array * np.asarray(99, dtype) - np.asarray(dtype[0] in "if", dtype)
    tifffile.imwrite(path, array, compression=compression, byteorder=byteorder, **GREY)
    check_file(path, "CYX", array)


def write_packed(
    path: Path, rows: Array, width: int, tags: dict[str, int], **settings: Any
) -> None:
    """Rows of bytes that a file then says to be pixels of another size."""
    tifffile.imwrite(path, rows.view(np.int8), **settings, **GREY)
    with tifffile.TiffFile(path, mode="r+") as file:
        written = file.pages.first.tags
        for name, value in {"ImageWidth": width, **tags}.items():
            written[name].overwrite(value)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pixels_packed_into_bits(bits: int, compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    array = random_image(20, 33, top=2**bits, dtype="uint8" if bits <= 8 else "uint16")
    digits = np.unpackbits(array.astype(">u2").view(np.uint8).reshape(20, 33, 2), axis=-1)
    rows = np.packbits(digits[..., -bits:].reshape(20, -1), axis=-1)
    tags = {"BitsPerSample": bits, "SampleFormat": 1}
    write_packed(path, rows, 33, tags, compression=compression, rowsperstrip=7)
    check_file(path, "YX", array)


@pytest.mark.parametrize("compression", [None, "zlib", "packbits"])
def test_pixels_of_one_bit(compression: str | None, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(20, 33, top=2, dtype="bool")
    tifffile.imwrite(path, array, compression=compression, rowsperstrip=7, **GREY)
    check_file(path, "YX", array)


def test_floats_of_24_bits(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(8, 16, dtype="float32")
    packed = np.frombuffer(imagecodecs.float24_encode(array, byteorder="<"), np.uint8)
    write_packed(path, packed.reshape(8, 48), 16, {"BitsPerSample": 24, "SampleFormat": 3})
    check_file(path, "YX", array)


def test_bits_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(8, 16), **GREY)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["BitsPerSample"].overwrite(48)
    with pytest.raises(ValueError, match=r"pixels \(NONE\) cannot be read: .*48 bits per sample"):
        TiffStack(path)


def test_a_palette_is_no_part_of_the_pixels(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(20, 33, dtype="uint8")
    palette = random_image(3, 256)
    tifffile.imwrite(path, array, photometric="palette", colormap=palette)
    check_file(path, "YX", array)


def test_where_white_is_zero_pixels_stay_as_they_are(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(20, 33, dtype="uint8")
    tifffile.imwrite(path, array, photometric="miniswhite")
    check_file(path, "YX", array)


def test_bits_in_reverse_order(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(20, 33, dtype="uint8")
    tifffile.imwrite(path, imagecodecs.bitorder_encode(array), **GREY)
    turn_into(path, 266, 2)
    check_file(path, "YX", array)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize(
    "layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 9}, {"compression": "zlib"}]
)
def test_colours_together_and_apart(
    planarconfig: str, layout: dict[str, Any], tmp_path: Path
) -> None:
    path, axes = tmp_path / "image.tif", {"contig": "ZYXC", "separate": "ZCYX"}[planarconfig]
    shape = (5, 40, 50, 3) if planarconfig == "contig" else (5, 3, 40, 50)
    array = random_image(*shape, dtype="uint8")
    tifffile.imwrite(path, array, planarconfig=planarconfig, **layout, **RGB)
    check_file(path, axes, array)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiles_in_depth(compression: str | None, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(40, 50, 60)
    tifffile.imwrite(
        path, array, volumetric=True, tile=(16, 16, 32), compression=compression, **GREY
    )
    check_file(path, "ZYX", array)


def test_tiles_and_strips_without_bytes_hold_the_files_own_nothing(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(32, 32)
    for layout in ({"tile": (16, 16)}, {"rowsperstrip": 16, "compression": "zlib"}):
        tifffile.imwrite(
            path, array, metadata=None, extratags=[(42113, "s", 0, "7", True)], **layout, **GREY
        )
        expected = array.copy()
        expected[16:, : 16 if "tile" in layout else 32] = 7
        with tifffile.TiffFile(path, mode="r+") as file:
            page = file.pages.first
            empty = 2 if "tile" in layout else 1
            for tag, values in ((324, page.dataoffsets), (325, page.databytecounts)):
                tag -= 0 if "tile" in layout else {324: 51, 325: 46}[tag]
                kept = [0 if at == empty else value for at, value in enumerate(values)]
                page.tags[tag].overwrite(kept)
        check_file(path, "YX", expected)


def test_an_image_in_one_strip_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, array = tmp_path / "image.tif", random_image(300, 300)
    tifffile.imwrite(path, array, compression="zlib", rowsperstrip=300, **GREY)
    reads: list[int] = []
    read_all = TiffPixels._read_all
    monkeypatch.setattr("napari_tessera.stacks.tiff.pixels._CACHED_BYTES", 1000)

    def counted(self: TiffPixels, *arguments: Any) -> bytes:
        reads.append(1)
        return read_all(self, *arguments)

    monkeypatch.setattr(TiffPixels, "_read_all", counted)
    with TiffStack(path) as stack:
        for start in range(0, 250, 50):
            block = stack.extract_patch(0, None, (start, 3), (50, 50))[0]
            np.testing.assert_array_equal(block, array[start : start + 50, 3:53])
    assert len(reads) == 1


def test_many_threads_read_what_one_does(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(6, 128, 160)
    for settings in ({"compression": "zstd", "tile": (32, 32)}, {"rowsperstrip": 5}, {}):
        tifffile.imwrite(path, array, **settings, **GREY)
        with TiffStack(path, "ZYX") as stack, ThreadPoolExecutor(8) as threads:

            def read(seed: int, stack: TiffStack = stack) -> bool:
                z, y, x = (int(i) for i in np.random.default_rng(seed).integers(0, (6, 90, 120)))
                block = stack.extract_patch(0, None, (z, y, x), (1, 38, 40))[0]
                return np.array_equal(block, array[z : z + 1, y : y + 38, x : x + 40])

            assert all(threads.map(read, range(400)))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")
def test_one_file_is_open_and_none_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(3, 20, 30), **GREY)
    before = sorted(os.listdir("/proc/self/fd"))
    with TiffStack(path) as stack:
        stack.extract_patch(0, None, (0, 0), (20, 30))
        assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed here")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_file_removed_or_replaced_while_open_keeps_its_pixels(
    compression: str | None, tmp_path: Path
) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression=compression, rowsperstrip=8, **GREY)
    with TiffStack(path) as stack:
        path.unlink()
        check_image_stack(stack, array, "YX")
        tifffile.imwrite(path, array[::-1], compression=compression, rowsperstrip=8, **GREY)
        check_image_stack(stack, array, "YX")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, r"page 0"),
        ({"rowsperstrip": 8, "compression": "zlib"}, r"strip 7 of page 0"),
        ({"tile": (16, 16)}, r"tile 12 of page 0"),
    ],
)
def test_a_file_cut_off_while_open(settings: dict[str, Any], named: str, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, **settings, **GREY)
    with TiffStack(path) as stack:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        np.testing.assert_array_equal(
            stack.extract_patch(0, None, (0, 0), (8, 8))[0], array[:8, :8]
        )
        with pytest.raises(StackReadError, match=rf": {named} is cut off: \d+ bytes from byte"):
            stack.extract_patch(0, None, (56, 0), (8, 8))


def test_tiles_without_bytes_are_counted_once_when_they_are_met(tmp_path: Path) -> None:
    """What GDAL leaves out on purpose, and an interrupted writer without meaning to."""
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path,
        np.full((2, 32, 32), 7, np.uint16),
        tile=(16, 16),
        photometric="minisblack",
        extratags=[(42113, "s", 0, "5", True)],
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        for number, left_out in enumerate([(1, 2), (3,)]):
            for name in ("TileOffsets", "TileByteCounts"):
                tag = file.pages[number].aspage().tags[name]
                tag.overwrite([0 if at in left_out else n for at, n in enumerate(tag.value)])
    with TiffStack(path, "TYX") as stack:
        assert stack.count_absent() == (3, 8)
        assert absent_text(stack, stack.absent_chunks) == ""
        for _ in range(2):
            found = stack.extract_patch(0, None, (0, 0), (32, 32))[0]
            assert stack.absent_chunks == 2
        np.testing.assert_array_equal(found[:16, 16:], 5)
        np.testing.assert_array_equal(found[16:, 16:], 7)
        view = SampleView(stack, "Z")
        view.extract_patch(1, None, (0, 0), (32, 32))
        assert absent_text(view, view.absent_chunks) == (
            f"3 tiles of {path} are not in the file and were read as the fill value 5"
        )


def test_of_pages_that_follow_each_other_none_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((3, 32, 32), np.uint8), photometric="minisblack")
    with TiffStack(path) as stack:
        assert stack.count_absent() == (0, 3)
        assert (stack.absent_name, stack.absent_chunks) == ("strip", 0)
