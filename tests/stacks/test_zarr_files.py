"""What stands in the place of a store's file and is none is neither absent nor waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore, LoggingStore, MemoryStore

from napari_tessera.stacks import StackReadError, open_stack
from napari_tessera.stacks.zarr.files import (
    FileStore,
    NoFileError,
    check_file,
    with_checked_files,
)

from .zarr_files import random_image, read_whole, remove_chunk, store_array

needs_unix = pytest.mark.skipif(os.name == "nt", reason="pipes and devices have names on Unix")

Put = Callable[[Path], None]


def link_to_nothing(path: Path) -> None:
    """As git-annex and DataLad leave what was not fetched."""
    path.symlink_to(".git/annex/objects/not-here")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


ALL = [
    pytest.param(link_to_nothing, "is a link to nothing: fetch the data first", id="link"),
    pytest.param(folder, "is a folder, no file", id="folder"),
    pytest.param(pipe, "is a pipe, no file", id="pipe", marks=needs_unix),
    pytest.param(endless_device, "is a device, no file", id="device", marks=needs_unix),
]

LAYOUTS: list[Any] = [
    pytest.param({}, "c/1/0", "chunk c/1/0 at Y=8…15 X=0…7", id="3"),
    pytest.param({"zarr_format": 2}, "1.0", "chunk 1.0 at Y=8…15 X=0…7", id="2"),
    pytest.param(
        {"chunks": (4, 4), "shards": (8, 8)}, "c/1/0", "shard c/1/0 at Y=8…15 X=0…7", id="shards"
    ),
]


@pytest.mark.parametrize(("put", "what"), ALL)
@pytest.mark.parametrize(("layout", "key", "place"), LAYOUTS)
@pytest.mark.parametrize("given_open", [False, True])
def test_a_chunk_that_is_no_file(
    put: Put, what: str, layout: Any, key: str, place: str, given_open: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16), **layout)
    remove_chunk(path, key)
    put(path / key)
    with open_stack(zarr.open_array(path, mode="r") if given_open else path, "YX") as stack:
        for _ in range(2):
            with pytest.raises(StackReadError, match=f": {place}: {path / key} {what}$"):
                read_whole(stack)
        assert stack.extract_patch(0, None, (0, 0), (8, 16)).all()
        assert stack.absent_chunks == 0
        assert stack.count_absent() == (0, 4)


@pytest.mark.parametrize(("put", "what"), [one for one in ALL if one.id != "folder"])
@pytest.mark.parametrize("version", [2, 3])
def test_metadata_that_are_no_file(put: Put, what: str, version: Any, tmp_path: Path) -> None:
    """Those of an array, by its own name and by that of the group that holds it."""
    path = tmp_path / "a.zarr"
    zarr.create_group(path, zarr_format=version).create_array(
        "b", data=random_image(8, 8), chunks=(4, 4)
    )
    described = path / "b" / ("zarr.json" if version == 3 else ".zarray")
    described.unlink()
    put(described)
    for source in (path, path / "b"):
        with pytest.raises(StackReadError, match=f"^{described} {what}$"):
            open_stack(source, "YX")


def test_a_folder_of_chunks_that_was_not_fetched(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16))
    (path / "c" / "1").rename(tmp_path / "away")
    link_to_nothing(path / "c" / "1")
    with open_stack(path, "YX") as stack:
        message = rf"chunk c/1/0 at .*: {path}/c/1 is a link to nothing: fetch the data first$"
        with pytest.raises(StackReadError, match=message):
            stack.extract_patch(0, None, (8, 0), (8, 8))
    (path / "c" / "1").unlink()
    (path / "c" / "1").write_text("")
    with open_stack(path, "YX") as stack:
        message = rf"{path}/c/1 is no folder, c/1/0 cannot be in it$"
        with pytest.raises(StackReadError, match=message):
            stack.extract_patch(0, None, (8, 0), (8, 8))


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    array = store_array(path, random_image(16, 16))
    (path / "c" / "0" / "0").rename(tmp_path / "chunk")
    (path / "c" / "0" / "0").symlink_to(tmp_path / "chunk")
    (path / "c" / "1").rename(tmp_path / "row")
    (path / "c" / "1").symlink_to(tmp_path / "row")
    with open_stack(path, "YX") as stack:
        assert (read_whole(stack)[0] == array).all()
        (tmp_path / "row" / "1").unlink()
        array[8:, 8:] = 0
        assert (read_whole(stack)[0] == array).all()
        assert stack.absent_chunks == 1


@pytest.mark.parametrize("key", ["c/0/0", "c", "zarr.json"])
def test_what_is_not_there_is_no_error(key: str, tmp_path: Path) -> None:
    check_file(tmp_path, key)
    check_file(tmp_path / "gone", key)
    assert sync(FileStore(tmp_path).get(key, default_buffer_prototype())) is None


def test_both_ways_to_read_are_checked(tmp_path: Path) -> None:
    link_to_nothing(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"abc")
    store = FileStore(tmp_path, read_only=True)
    ways = [lambda key: sync(store.get(key, default_buffer_prototype()))]
    if hasattr(LocalStore, "get_sync"):
        ways.append(lambda key: store._get_at_once(key))
    for get in ways:
        assert get("b").to_bytes() == b"abc"
        with pytest.raises(NoFileError, match="link to nothing"):
            get("a")


def test_other_stores_stay_as_they_are(tmp_path: Path) -> None:
    checked = with_checked_files(LocalStore(tmp_path, read_only=True))
    assert isinstance(checked, FileStore)
    assert checked.root == tmp_path
    assert checked.read_only
    for store in (checked, MemoryStore(), LoggingStore(LocalStore(tmp_path), log_level="ERROR")):
        assert with_checked_files(store) is store
