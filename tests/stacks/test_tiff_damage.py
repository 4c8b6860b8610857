"""Damaged files: an error of one line that names the file and the place, and never wrong pixels."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import StackReadError, TiffStack

from .conformance import Array, check_image_stack
from .mmstack_files import write_mmstack
from .ome_files import stack_of

GREY = {"photometric": "minisblack"}


def random_image(*shape: int, dtype: str = "uint16") -> Array:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def whole(stack: TiffStack, sample: int = 0) -> Array:
    space = stack.data_shape[2:]
    return stack.extract_patch(sample, None, (0,) * len(space), space)


def cut(path: Path, nbytes: int) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - nbytes)


def overwrite(path: Path, **tags: Any) -> None:
    """Give tags of the first page other values."""
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages.first.tags[name].overwrite(value)


def segments_of(path: Path) -> tuple[list[int], list[int]]:
    """Offsets and sizes of the strips or tiles of the first page."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        return list(page.dataoffsets), list(page.databytecounts)


def spoil(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pixels_cut_off_say_where(compression: str | None, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression=compression, rowsperstrip=8)
    cut(path, 1000)
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (32, 64))[0], array[:32])
        with pytest.raises(
            StackReadError,
            match=r"page 0 is cut off: \d+ bytes from byte \d+ wanted, \d+ there; co",
        ) as error:
            stack.extract_patch(0, None, (40, -3), (40, 9))
    message = str(error.value)
    assert message.startswith(f"{path.resolve()} cannot be read at Y=40…63 X=0…5: ")
    assert "\n" not in message


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_cut_off_are_missed(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    metadata = {"axes": "TYX"}
    tifffile.imwrite(
        path, random_image(4, 64, 64), metadata=metadata, compression=compression, **GREY
    )
    cut(path, path.stat().st_size // 2)
    size = path.stat().st_size
    with pytest.raises(
        StackReadError, match=rf"is cut off: tag 270 of page 0 .* ends at byte {size}; copy"
    ):
        TiffStack(path)


def write_single_directory(path: Path, array: Array) -> int:
    """One page for all planes, as ImageJ writes large stacks; gives where the pixels end."""
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        end = page.dataoffsets[0] + array.nbytes
        following = page.offset + 2 + 12 * len(page.tags)
    spoil(path, following, bytes(4))
    with path.open("r+b") as file:
        file.truncate(end)
    return end


def test_planes_of_imagej_cut_off_are_missed(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(4, 64, 64)
    end = write_single_directory(path, array)
    with TiffStack(path) as stack:
        check_image_stack(stack, array, "ZYX")
    cut(path, 3000)
    with pytest.raises(
        StackReadError, match=rf"is cut off: ImageJ's 4 planes should end at byte {end}, the file"
    ):
        TiffStack(path)


def test_planes_of_imagej_cut_off_while_open_are_named(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(4, 64, 64)
    write_single_directory(path, array)
    with TiffStack(path) as stack:
        cut(path, 3000)
        np.testing.assert_array_equal(
            stack.extract_patch(0, None, (0, 0, 0), (3, 64, 64))[0], array[:3]
        )
        with pytest.raises(StackReadError, match=r"page 3 is cut off: \d+ bytes from byte"):
            whole(stack)


def test_planes_that_imagej_tells_of_and_are_not_there(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(5, 20, 30)
    description = "ImageJ=1.54f\nimages=6\nslices=6\nloop=false\n"
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(array):
            text = description if number == 0 else None
            settings = {"contiguous": False, "metadata": None, "compression": "zlib"}
            file.write(page, description=text, **settings, **GREY)
    with TiffStack(path) as stack:
        assert (stack.original_axes, stack.original_data_shape) == ("ZYX", (6, 20, 30))
        found = stack.extract_patch(0, None, (0, 0, 0), (5, 20, 30))[0]
        np.testing.assert_array_equal(found, array)
        with pytest.raises(StackReadError, match="is said to have 6 pages, there are 5"):
            stack.extract_patch(0, None, (5, 0, 0), (1, 20, 30))


def test_planes_of_micromanager_cut_off(tmp_path: Path) -> None:
    path, array = tmp_path / "run_MMStack.ome.tif", stack_of(3, 2, 20, 30)
    starts = write_mmstack(path, array)
    # all directories but the first are found by the index, at the end of the file
    content = bytearray(path.read_bytes())
    at = content.rindex(struct.pack("<II", 3453623, 6))
    index = np.frombuffer(bytes(content[at + 8 :]), "<u4").reshape(6, 5).copy()
    index[-1, 4] = 10**6
    content[at + 8 :] = index.tobytes()
    path.write_bytes(content)
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(whole(stack, 1), array[1])
        np.testing.assert_array_equal(stack.extract_patch(2, [0], (0, 0), (20, 30))[0], array[2, 0])
        with pytest.raises(StackReadError, match="plane 5 is cut off: the file ends before it"):
            stack.extract_patch(2, [1], (0, 0), (2, 2))
    assert len(starts) == 6


def test_an_index_of_more_planes_than_could_ever_be_there(tmp_path: Path) -> None:
    path = tmp_path / "run_MMStack.ome.tif"
    write_mmstack(path, stack_of(3, 2, 8, 9))
    content = bytearray(path.read_bytes())
    at = content.rindex(struct.pack("<II", 3453623, 6))
    content[at + 8 : at + 12] = struct.pack("<I", 2**22)
    path.write_bytes(content)
    with pytest.raises(StackReadError, match=r"index tells of 12582915 planes and lists 6$"):
        TiffStack(path)


@pytest.mark.parametrize("compression", ["zlib", "zstd", "lzma", "lzw", "jpeg", "jpeg2000", "png"])
def test_a_strip_that_cannot_be_decoded_says_which(compression: str, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64, dtype="uint8")
    tifffile.imwrite(path, array, compression=compression, rowsperstrip=16, **GREY)
    offsets, counts = segments_of(path)
    with TiffStack(path) as stack:
        before = stack.extract_patch(0, None, (0, 0), (32, 64))
    spoil(path, offsets[2], bytes(counts[2]) if compression == "lzw" else b"\xff" * counts[2])
    with TiffStack(path) as stack:
        after = stack.extract_patch(0, None, (0, 0), (32, 64))
        np.testing.assert_array_equal(before, after)
        with pytest.raises(
            StackReadError, match=rf"strip 2 of page 0 at byte {offsets[2]} cannot be decoded: \w+"
        ) as error:
            whole(stack)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path} cannot be read at Y=0…63 X=0…63: ")


def test_tables_of_jpeg_that_are_damaged(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64, dtype="uint8")
    tifffile.imwrite(path, array, compression="jpeg", tile=(32, 32), **GREY)
    offsets, _ = segments_of(path)
    spoil(path, offsets[1] + 2, b"\xff\xdb\x00\x01")
    with (
        TiffStack(path) as stack,
        pytest.raises(
            StackReadError, match=rf"tile 1 of page 0 at byte {offsets[1]} cannot be decoded: Jpeg"
        ),
    ):
        whole(stack)


def test_a_tile_of_another_size_than_it_should_be(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression="zlib", tile=(32, 32), **GREY)
    offsets, counts = segments_of(path)
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, array[:20, :20], compression="zlib", rowsperstrip=20, **GREY)
    (start,), (count,) = segments_of(small)
    assert count <= counts[3]
    spoil(path, offsets[3], small.read_bytes()[start : start + count])
    with (
        TiffStack(path) as stack,
        pytest.raises(
            StackReadError, match=r"tile 3 of page 0 at byte \d+ cannot be decoded: TiffFileError"
        ),
    ):
        whole(stack)


def test_an_uncompressed_tile_with_too_few_bytes(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, tile=(32, 32), **GREY)
    _, counts = segments_of(path)
    overwrite(path, TileByteCounts=[*counts[:3], 100])
    with (
        TiffStack(path) as stack,
        pytest.raises(
            StackReadError, match=r"tile 3 of page 0 at byte \d+ cannot be decoded: TiffFileError"
        ),
    ):
        whole(stack)


def test_strips_that_are_not_listed(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, rowsperstrip=8, compression="zlib", **GREY)
    offsets, counts = segments_of(path)
    overwrite(path, StripOffsets=offsets[:5], StripByteCounts=counts[:5])
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (40, 64))[0], array[:40])
        with pytest.raises(
            StackReadError, match="strip 5 of page 0 is not listed: of 8 there are 5 offsets, 5 s"
        ):
            whole(stack)


def test_a_tile_that_holds_pixels_of_another_type(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression="png", tile=(32, 32), **GREY)
    overwrite(path, BitsPerSample=8)
    with (
        TiffStack(path) as stack,
        pytest.raises(
            StackReadError, match=r"tile 0 of page 0 at byte \d+ holds uint16, the image is uint8"
        ),
    ):
        whole(stack)


@pytest.mark.parametrize("tags", [{"TileWidth": 0}, {"TileLength": 0}, {"ImageWidth": 0}])
def test_sizes_of_nothing(tags: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(64, 64), tile=(32, 32), **GREY)
    overwrite(path, **tags)
    with pytest.raises((ValueError, StackReadError), match=r"image\.tif") as error:
        TiffStack(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"II*\0", b"II*\0\xff\xff\0\0", b"MM\0*" + b"\1" * 60])
def test_a_file_without_an_image_is_damaged(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(StackReadError, match=r"image\.tif") as error:
        TiffStack(path)
    assert "\n" not in str(error.value)


READ_IN_LITTLE_MEMORY = """
import re, resource, sys
from napari_tessera.stacks import StackReadError, TiffStack

def peak():
    # what resource.getrusage tells may be the peak of the process that started this one
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) // 1024

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
before = peak()
for path in sys.argv[1:]:
    with TiffStack(path) as stack:
        assert stack.original_data_shape == (1_000_000, 1_000_000), path
        for at in ((0, 0), (999_000, 999_000)):
            try:
                stack.extract_patch(0, None, at, (256, 256))
            except StackReadError as error:
                print(error)
assert peak() - before < 64, f"grown by {peak() - before} MB"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_absurd_sizes_take_no_memory(tmp_path: Path) -> None:
    array = np.zeros((16, 16), np.uint8)
    paths = []
    for compression in (None, "zlib", "lzw", "zstd", "packbits", "jpeg"):
        for layout in ("one strip", "strips", "tiles"):
            path = tmp_path / f"{compression} {layout}.tif"
            tile = (16, 16) if layout == "tiles" else None
            settings = {"compression": compression, "tile": tile, "metadata": None}
            tifffile.imwrite(path, array, **settings, **GREY)
            million = {"ImageWidth": 10**6, "ImageLength": 10**6}
            if layout == "one strip":
                million["RowsPerStrip"] = 10**6
            overwrite(path, **million)
            paths.append(str(path))
    command = [sys.executable, "-c", READ_IN_LITTLE_MEMORY, *paths]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 0, outcome.stderr
    errors = [line for line in outcome.stdout.splitlines() if " cannot be read at Y=" in line]
    assert len(errors) == 2 * len(paths)
    for number, error in enumerate(errors):
        assert error.startswith(f"{paths[number // 2]} cannot be read at Y=")


def test_a_size_that_no_file_could_hold_is_not_asked_for(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression="zlib", rowsperstrip=32, bigtiff=True, **GREY)
    long = tifffile.DATATYPE.LONG8
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        offset = tags["StripOffsets"].value[0]
        tags["StripOffsets"].overwrite([offset, 2**63 + 7], dtype=long)
        tags["StripByteCounts"].overwrite([2**60, 2**63 - 1], dtype=long)
    with TiffStack(path) as stack:
        for row in (0, 40):
            with pytest.raises(StackReadError, match=r"strip \d of page 0 is cut off"):
                stack.extract_patch(0, None, (row, 0), (8, 8))


def test_more_samples_than_any_pixel_has(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(64, 64), rowsperstrip=8, compression="zlib", **GREY)
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages.first.tags["SamplesPerPixel"]
        tag.overwrite(2**31 - 1, dtype=tifffile.DATATYPE.LONG)
    with pytest.raises(ValueError, match="cannot be read: 2147483647 samples per pixel"):
        TiffStack(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_description_of_more_planes_than_could_ever_be_there(
    compression: str | None, tmp_path: Path
) -> None:
    path, array = tmp_path / "image.tif", random_image(3, 20, 30)
    metadata = {"axes": "CYX"}
    tifffile.imwrite(path, array, metadata=metadata, compression=compression, **GREY)
    billion = '{"shape": [1000000000, 20, 30], "axes": "CYX", "truncated": true}'
    tifffile.tiffcomment(path, billion)
    with pytest.raises(ValueError, match=r"said to have 1000000000 pages, there are \d$"):
        TiffStack(path)
