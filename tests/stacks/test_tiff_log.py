"""What tifffile logs while damaged files are opened."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import StackReadError, TiffStack
from napari_tessera.stacks.tiff.log import LOGGER, one_line_logged


def write(path: Path) -> bytearray:
    array = np.arange(3 * 32 * 32, dtype=np.uint16).reshape(3, 32, 32)
    tifffile.imwrite(path, array, metadata={"axes": "TYX"}, photometric="minisblack")
    return bytearray(path.read_bytes())


def test_a_damaged_file_that_opens_is_told_of_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "image.ome.tif"
    content = write(path)
    at = content.index(b"<OME")
    content[at + 5] = ord("<")
    path.write_bytes(content)
    with TiffStack(path) as stack:
        assert stack.original_data_shape == (3, 32, 32)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{path}: OME series raised ParseError")


def test_a_file_that_is_refused_is_told_of_by_the_error_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8))
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags["ImageLength"]
    content[tag.offset + 2] = 99
    path.write_bytes(content)
    with tifffile.TiffFile(path):
        pass
    assert any("invalid data type 99" in message for message in caplog.messages)
    caplog.clear()
    with pytest.raises((StackReadError, ValueError)):
        TiffStack(path)
    assert caplog.messages == []


def test_lines_are_counted_without_who_says_them(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(LOGGER)
    with one_line_logged(Path("a.tif")):
        for text in ("<tifffile.TiffPage 0 @8> first\nthing", "second", "second", "third"):
            logger.warning(text)
    assert caplog.messages == ["a.tif: first thing (and 2 more)"]


def test_what_others_log_meanwhile_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(LOGGER)
    with one_line_logged(Path("a.tif")), ThreadPoolExecutor(1) as pool:
        pool.submit(logger.warning, "of another thread").result()
        assert caplog.messages == ["of another thread"]
    logger.warning("afterwards")
    assert caplog.messages == ["of another thread", "afterwards"]
    assert len(logger.filters) == 1
