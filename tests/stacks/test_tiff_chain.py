"""The chain of directories: whole, cut off anywhere, running in circles."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import StackReadError, TiffStack
from napari_tessera.stacks.tiff.chain import count_pages

GREY = {"photometric": "minisblack"}


def write(path: Path, pages: int, **options: object) -> list[int]:
    """A file of many pages; gives where each page keeps the offset of the next."""
    with tifffile.TiffWriter(path, **options) as file:
        for number in range(pages):
            file.write(
                np.full((4, 5), number % 250, np.uint8),
                photometric="minisblack",
                contiguous=False,
                metadata=None,
            )
    with tifffile.TiffFile(path) as file:
        tiff = file.tiff
        return [page.offset + tiff.tagnosize + len(page.tags) * tiff.tagsize for page in file.pages]


def put_offset(path: Path, at: int, offset: int, form: str = "<I") -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack(form, offset))


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
@pytest.mark.parametrize("pages", [1, 2, 130])
def test_every_page_is_counted(pages: int, options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    write(path, pages, **options)
    assert count_pages(path) == pages


def test_a_directory_of_many_tags(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    extra = [(65000 + number, "H", 1, number, False) for number in range(60)]
    with tifffile.TiffWriter(path) as file:
        for _ in range(3):
            file.write(np.zeros((4, 5), np.uint8), extratags=extra, contiguous=False, metadata=None)
    assert count_pages(path) == 3


@pytest.mark.parametrize("content", [b"", b"II", b"\x89PNG\r\n\x1a\n" + bytes(40), b"II\x55\0" * 9])
def test_of_what_is_no_tiff_nothing_is_said(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    assert count_pages(path) == 0


@pytest.mark.parametrize("content", [b"II*\0", b"MM\0*\0\0\0", b"II+\0\x08\0\0\0\x10\0\0\0\0"])
def test_a_header_that_is_not_whole(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(
        StackReadError, match=r"cut off: its header is not whole, .*; copy it again"
    ):
        TiffStack(path)


@settings(max_examples=100)
@given(data=st.data(), bigtiff=st.booleans())
def test_a_file_cut_off_anywhere_says_so_or_shows_right_pixels(
    data: st.DataObject, bigtiff: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "image.tif"
    write(path, 3, bigtiff=bigtiff)
    whole = tifffile.imread(path)
    content = path.read_bytes()
    size = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(content[:size])
    try:
        with TiffStack(path, "ZYX") as stack:
            found = stack.extract_patch(0, None, (0, 0, 0), (3, 4, 5))
    except StackReadError as error:
        message = str(error)
    else:
        np.testing.assert_array_equal(found[0], whole)
        message = str(path)
    assert str(path) in message
    assert "\n" not in message


def test_a_directory_beyond_the_end_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    places = write(path, 3)
    put_offset(path, places[1], 10**6)
    size = path.stat().st_size
    with pytest.raises(StackReadError) as error:
        TiffStack(path)
    assert str(error.value).startswith(
        f"{path} is cut off: the directory of page 2 should be at byte 1000000, the file ends at "
        f"byte {size}; copy it again"
    )


@pytest.mark.parametrize(("pages", "last", "to"), [(1, 0, 0), (3, 2, 1), (150, 149, 120)])
def test_a_circle_is_found_wherever_it_begins(
    pages: int, last: int, to: int, tmp_path: Path
) -> None:
    path = tmp_path / "image.tif"
    places = write(path, pages)
    with tifffile.TiffFile(path) as file:
        target = file.pages[to].offset
    put_offset(path, places[last], target)
    with pytest.raises(StackReadError, match=r"its directories run in a circle, that at byte \d+"):
        TiffStack(path)


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
@pytest.mark.parametrize(("kind", "value"), [(6, -1), (8, -20), (9, -(2**31))])
def test_a_negative_size(kind: int, value: int, options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    array = np.zeros((20, 24), np.uint8)
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    with tifffile.TiffFile(path, mode="r+") as file:
        at = file.pages.first.offset
        file.pages.first.tags["ImageWidth"].overwrite(value, dtype=tifffile.DATATYPE(kind))
    with pytest.raises(
        StackReadError, match=rf"in the directory of page 0 at byte {at} tag 256 is negative"
    ):
        TiffStack(path)


@pytest.mark.parametrize("tags", [0, 5000])
def test_a_directory_that_makes_no_sense(tags: int, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    write(path, 3)
    with tifffile.TiffFile(path) as file:
        at = file.pages[1].offset
    put_offset(path, at, tags, "<H")
    with pytest.raises(
        StackReadError, match=rf"the directory of page 1 at byte {at} has {tags} tags"
    ):
        TiffStack(path)


def write_ome(path: Path, pyramid: bool, **options: object) -> None:
    """An OME-TIFF whose OME-XML lies at its end."""
    image = np.random.default_rng(0).integers(0, 99, (2, 3, 64, 80)).astype(np.uint16)
    metadata = {"axes": "CZYX"}
    with tifffile.TiffWriter(path, ome=True, **options) as file:
        if not pyramid:
            file.write(image, compression="zlib", metadata=metadata, **GREY)
            return
        file.write(image, subifds=2, tile=(32, 32), metadata=metadata, **GREY)
        for step in (2, 4):
            file.write(image[..., ::step, ::step], subfiletype=1, tile=(16, 16), **GREY)


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
@pytest.mark.parametrize("pyramid", [False, True])
def test_axes_lost_at_the_end_are_missed(
    pyramid: bool, options: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "image.ome.tif"
    write_ome(path, pyramid, **options)
    with TiffStack(path) as stack:
        assert (stack.original_axes, stack.original_data_shape) == ("CZYX", (2, 3, 64, 80))
    content = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        at = file.pages.first.tags["ImageDescription"].valueoffset
    for lost in (10, len(content) - at - 10):
        path.write_bytes(content[: len(content) - lost])
        with pytest.raises(StackReadError, match="is cut off") as error:
            TiffStack(path)
        assert f"tag 270 of page 0 (directory at byte {16 if options.get('bigtiff') else 8}) " in (
            str(error.value)
        )
        assert f"should be at byte {at}, the file ends at byte {len(content) - lost}" in (
            str(error.value)
        )
    for lost in range(10, len(content) - 8, len(content) // 100):
        path.write_bytes(content[: len(content) - lost])
        with pytest.raises(StackReadError, match="is cut off"):
            TiffStack(path)


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
def test_a_level_beyond_the_end(levels: int, options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    with tifffile.TiffWriter(path, **options) as file:
        file.write(np.zeros((64, 64), np.uint8), subifds=levels, **GREY)
        for _ in range(levels):
            file.write(np.zeros((16, 16), np.uint8), subfiletype=1, **GREY)
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags["SubIFDs"]
        form = file.byteorder + ("Q" if file.is_bigtiff else "I")
        at = tag.valueoffset + (levels - 1) * struct.calcsize(form)
    put_offset(path, at, 10**6, form)
    with pytest.raises(StackReadError, match="a level of page 0 should be at byte 1000000"):
        TiffStack(path)
