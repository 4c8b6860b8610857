"""Zarr at URLs of other kinds: chains of fsspec's file systems, queries, what nobody knows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import fsspec
import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore

from napari_tessera.stacks import StackReadError, open_stack

from .web_server import WebServer
from .zarr_files import check_pixels, ome_image, random_image, read_whole, store_array

pytestmark = pytest.mark.usefixtures("at_once")


def test_memory_of_fsspec() -> None:
    array = random_image(16, 16)
    store = FsspecStore.from_url("memory://room/a.zarr")
    group = zarr.create_group(store)
    stored = group.create_array("cells", shape=array.shape, chunks=(8, 8), dtype="u2")
    stored[...] = array
    try:
        with open_stack("memory://room/a.zarr/cells") as stack:
            check_pixels(stack, array, "YX")
            assert stack.source.startswith("memory://")
            assert stack.source.endswith("room/a.zarr/cells")
            with open_stack(stack.source) as again:
                np.testing.assert_array_equal(read_whole(again)[0], array)
            fsspec.filesystem("memory").rm("/room/a.zarr/cells/c/1/1")
            array[8:, 8:] = 0
            np.testing.assert_array_equal(read_whole(stack)[0], array)
            assert stack.absent_chunks == 1
            fsspec.filesystem("memory").rm("/room", recursive=True)
            with pytest.raises(StackReadError, match="was removed while it was open"):
                read_whole(stack)
    finally:
        fsspec.filesystem("memory").store.clear()


def test_a_zip_file_on_a_server(server: WebServer, folder: Path) -> None:
    """By a chain of fsspec's file systems."""
    array = store_array(folder / "a.zarr", random_image(16, 16))
    shutil.make_archive(str(folder / "b"), "zip", folder / "a.zarr")
    url = f"{server.url}/b.zip"
    with pytest.raises(FileNotFoundError, match=rf"opened as zip::{url}\)$"):
        open_stack(url)
    with open_stack(f"zip::{url}") as stack:
        np.testing.assert_array_equal(read_whole(stack)[0], array)
        assert stack.source == f"zip::{url}"


def test_a_query_is_asked_with_for_every_object(server: WebServer, folder: Path) -> None:
    """As that of a signed URL: how its letters are encoded need not stay."""
    array = random_image(1, 1, 16, 16)
    ome_image(folder / "a.zarr", array, "0.5")
    store_array(folder / "b.zarr", array[0, 0], 4, shards=(8, 8))
    query = "?Expires=9&Signature=a%2Bb~c%2Fd%3D&Key-Pair-Id=&se=2030+%26"
    signed = parse_qs(query[1:], keep_blank_values=True)

    def answer(path: str) -> int | None:
        asked = parse_qs(urlsplit(path).query, keep_blank_values=True)
        return None if asked == signed else 403

    server.answer = answer
    for name, whole in (("a.zarr", "a.zarr/0"), ("a.zarr/0", "a.zarr/0"), ("b.zarr", "b.zarr")):
        with open_stack(f"{server.url}/{name}{query}", "YX" if name == "b.zarr" else None) as stack:
            assert stack.source == f"{server.url}/{whole}{query}"
            np.testing.assert_array_equal(read_whole(stack).squeeze(), array.squeeze())
            stack.extract_patch(0, None, (5, 5), (2, 2))
    with pytest.raises(StackReadError, match=r"a\.zarr cannot be opened as Zarr: .*403"):
        open_stack(f"{server.url}/a.zarr")
    with pytest.raises(StackReadError, match=r"a\.zarr\?x=1 cannot be opened as Zarr: .*403"):
        open_stack(f"{server.url}/a.zarr?x=1")


@pytest.mark.parametrize("cache", ["simplecache", "filecache", "blockcache"])
def test_a_cache_of_fsspec_is_refused(cache: str, server: WebServer, folder: Path) -> None:
    """Several threads read a stack, and may find each other's copies half written."""
    store_array(folder / "a.zarr", random_image(8, 8))
    url = f"{server.url}/a.zarr"
    with pytest.raises(ValueError, match=rf"^{cache}::{url} cannot .* leave it out \({url}\)"):
        open_stack(f"{cache}::{url}")


def test_a_zip_file_on_a_server_without_byte_ranges(server: WebServer, folder: Path) -> None:
    store_array(folder / "a.zarr", random_image(8, 8))
    shutil.make_archive(str(folder / "b"), "zip", folder / "a.zarr")
    server.ranges = False
    url = f"zip::{server.url}/b.zip"
    with pytest.raises(StackReadError, match=f"^{url} .* knows no byte ranges; download it$"):
        open_stack(url)


def test_a_server_that_refuses_at_once_is_named() -> None:
    url = "ftp://127.0.0.1:1/a.zarr"
    with pytest.raises(StackReadError, match=f"^{url} cannot be opened: .*refused"):
        open_stack(url)


WITHOUT_LIBRARIES = """
import sys
for name in ("aiohttp", "s3fs"):
    sys.modules[name] = None
from napari_tessera.stacks import open_stack
for url in ("http://127.0.0.1:9/a.zarr", "s3://bucket/a.zarr"):
    try:
        open_stack(url)
    except ValueError as error:
        print(error)
"""


def test_a_library_that_is_missing_is_named() -> None:
    command = [sys.executable, "-c", WITHOUT_LIBRARIES]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    way_out = 'a.zarr needs what is not installed: pip install "napari-tessera[remote]"'
    assert [way_out in line for line in said] == [True, True]
    assert "aiohttp" in said[0]
    assert "s3fs" in said[1]


def test_a_protocol_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match=r"^nonsense://a\.zarr is no URL that fsspec understands"):
        open_stack("nonsense://a.zarr")
