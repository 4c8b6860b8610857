"""Valid files with bytes changed or cut off: they are read, or refused in one line."""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import StackReadError, TiffStack

GREY = {"photometric": "minisblack"}
RGB = {"photometric": "rgb"}
TILES = {"tile": (16, 16)}
UNITS = {"unit": "um", "spacing": 2.0, "finterval": 0.1}

KINDS: dict[str, tuple[tuple[int, ...], str, dict[str, Any]]] = {
    "uncompressed": ((20, 24), "uint16", GREY),
    "big-endian": ((20, 24), "uint16", {"byteorder": ">", **GREY}),
    "colours": ((20, 24, 3), "uint8", RGB),
    "bits": ((20, 24), "bool", GREY),
    "bigtiff": ((3, 20, 24), "uint16", {"bigtiff": True, **TILES, **GREY}),
    "imagej": ((2, 3, 10, 12), "uint16", {"imagej": True, "metadata": {"axes": "TZYX", **UNITS}}),
    "ome": ((2, 3, 10, 12), "uint16", {"ome": True, "metadata": {"axes": "CZYX"}, **GREY}),
    "pages": ((4, 10, 12), "uint16", {"metadata": None, "compression": "zlib", **GREY}),
    "lzw": ((20, 24), "uint16", {"compression": "lzw", "rowsperstrip": 4, "predictor": 2}),
    "deflate": ((20, 24), "uint16", {"compression": "zlib", "rowsperstrip": 4}),
    "floats": ((20, 24), "float32", {"compression": "zlib", "predictor": 3}),
    "zstd": ((20, 24), "uint16", {"compression": "zstd", **TILES}),
    "lzma": ((20, 24), "uint16", {"compression": "lzma"}),
    "packbits": ((20, 24), "uint8", {"compression": "packbits"}),
    "lerc": ((20, 24), "uint16", {"compression": "lerc"}),
    "png": ((32, 32), "uint8", {"compression": "png", **TILES}),
    "jpeg": ((32, 32, 3), "uint8", {"compression": "jpeg", **TILES, **RGB}),
    "jpeg2000": ((32, 32), "uint8", {"compression": "jpeg2000", **TILES}),
    "jpegxl": ((32, 32), "uint8", {"compression": "jpegxl", **TILES}),
    "webp": ((32, 32, 3), "uint8", {"compression": "webp", **TILES, **RGB}),
}


@cache
def valid(kind: str) -> bytes:
    shape, dtype, options = KINDS[kind]
    array = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


@cache
def tag_places(kind: str) -> list[int]:
    """Where the tags of each page are."""
    with tifffile.TiffFile(io.BytesIO(valid(kind))) as file:
        return [tag.offset for page in file.pages for tag in page.aspage().tags]


NUMBERS = [0, 1, 2, 3, 7, 8, 9, 12, 16, 255, 2**15, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A kind of file, and one of it with some bytes changed, most of them near its beginning."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    content = bytearray(valid(kind))
    near, anywhere = st.integers(0, min(len(content), 600) - 1), st.integers(0, len(content) - 1)
    for _ in range(draw(st.integers(0, 2))):
        # a tag's code, type, count or value
        at = draw(st.sampled_from(tag_places(kind))) + draw(st.sampled_from([0, 2, 4, 8, 12]))
        new = struct.pack("<I", draw(st.sampled_from(NUMBERS)))[: draw(st.sampled_from([2, 4]))]
        content[at : at + len(new)] = new
    for _ in range(draw(st.integers(0, 4))):
        at = draw(near | anywhere)
        new = draw(
            st.binary(min_size=1, max_size=4)
            | st.sampled_from(
                [b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"]
            )
        )
        content[at : at + len(new)] = new[: len(content) - at]
    if draw(st.booleans()):
        del content[draw(anywhere) :]
    return kind, bytes(content)


@pytest.fixture(scope="module")
def new_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    path = tmp_path_factory.mktemp("fuzz") / "image.tif"
    logger = logging.getLogger("tifffile")
    level = logger.level
    # hundreds of lines on what is broken
    logger.setLevel(logging.CRITICAL)
    yield lambda: path
    logger.setLevel(level)


@settings(max_examples=400)
@given(damage=damaged())
def test_a_damaged_file_is_read_or_refused_in_one_line(
    damage: tuple[str, bytes], new_path: Callable[[], Path]
) -> None:
    path = new_path()
    path.write_bytes(damage[1])
    message = str(path)
    try:
        with TiffStack(path) as stack:
            space = stack.data_shape[2:]
            size = tuple(min(length, 16) for length in space)
            for coords in ((0,) * len(space), tuple(length - 8 for length in space)):
                block = stack.extract_patch(stack.data_shape[0] - 1, None, coords, size)
                assert block.shape == (stack.data_shape[1], *size)
                assert block.dtype == stack.data_dtype
    except (ValueError, StackReadError, FileNotFoundError) as error:
        message = str(error)
    assert str(path) in message
    assert "\n" not in message
