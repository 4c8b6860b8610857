from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, MemoryStore, StorePath, ZipStore

from napari_tessera.stacks.zarr.nodes import innermost_store
from napari_tessera.writing.places.retrying import RetryingStore, StoreError
from napari_tessera.writing.places.target import (
    Target,
    open_store,
    parse_target,
    store_name,
    zarr_target,
)


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("cells.zarr", "zarr", "cells"),
        ("cells.ome.zarr", "zarr", "cells"),
        ("Cells.OME.ZARR", "zarr", "Cells"),
        ("cells.zarr.zip", "zip", "cells"),
        ("cells.ome.zarr.zip", "zip", "cells"),
        ("cells.ome.tif", "ome-tiff", "cells"),
        ("cells.OME.TIFF", "ome-tiff", "cells"),
        ("cells.tif", "tiff", "cells"),
        ("cells.tiff", "tiff", "cells"),
        ("cells.2.npy", "npy", "cells.2"),
    ],
)
def test_the_ending_says_the_kind(tmp_path: Path, name: str, kind: str, stem: str) -> None:
    for where in (tmp_path / name, str(tmp_path / name), f"file://{tmp_path / name}"):
        target = parse_target(where)
        assert (target.kind, target.path, target.given) == (kind, tmp_path / name, where)
        assert target.stem.lower() == stem.lower()
        assert str(target) == target.name == str(tmp_path / name)
        assert target.is_zarr == (kind in ("zarr", "zip"))
        assert parse_target(target) is target
        assert zarr_target(target) is target
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.png", "a", "a.zip", "zarr", "memory://b/a.png", "a.zarr.bak"])
def test_another_ending_needs_a_kind(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown ending .*; use \.ome\.zarr, \.zarr") as caught:
        parse_target(name)
    assert "\n" not in str(caught.value)
    assert zarr_target(name).kind == "zarr"
    assert parse_target(name, "zarr").kind == "zarr"


def test_a_kind_that_is_given_counts() -> None:
    assert parse_target("a.tif", "ome-tiff").kind == "ome-tiff"
    assert zarr_target("a.zarr.zip").kind == "zip"
    with pytest.raises(ValueError, match="holds Zarr, not tiff"):
        parse_target(MemoryStore(), "tiff")


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.ome.zarr.zip"])
def test_only_zarr_goes_to_a_url(name: str) -> None:
    with pytest.raises(ValueError, match=r"only Zarr is written to a URL; use \.ome\.zarr, or"):
        parse_target(f"s3://bucket/{name}")


def test_a_url_is_shown_without_its_password() -> None:
    target = parse_target("ftp://me:secret@there/a%20b/x.ome.zarr")
    assert target.name == "ftp://there/a%20b/x.ome.zarr"
    assert target.stem == "x"
    assert target.path is None
    assert target.folder is None
    assert target.given == "ftp://me:secret@there/a%20b/x.ome.zarr"
    chained = parse_target("dir::ftp://me:secret@there/x.zarr")
    assert chained.name == "dir::ftp://there/x.zarr"
    assert parse_target("s3://[bad/x.zarr").name == "s3://[bad/x.zarr"


def test_stores_say_where_they_are(tmp_path: Path, counting_store: Any) -> None:
    local = LocalStore(tmp_path / "a.zarr")
    assert parse_target(local).path == tmp_path / "a.zarr"
    assert parse_target(counting_store(local)).path == tmp_path / "a.zarr"
    assert parse_target(local).name == str(tmp_path / "a.zarr")
    memory = MemoryStore()
    assert parse_target(memory).path is None
    assert parse_target(memory).stem == "image"
    assert parse_target(memory).name == store_name(memory) == str(memory)
    remote = FsspecStore.from_url("memory://b/a.ome.zarr")
    assert parse_target(remote).name == "memory:///b/a.ome.zarr"
    assert parse_target(FsspecStore.from_url(f"local://{tmp_path}/a.zarr")).path == Path(
        f"{tmp_path}/a.zarr"
    )


def test_stores_that_cannot_be_written_to_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is read-only: open it for writing"):
        parse_target(MemoryStore(read_only=True))
    with pytest.raises(ValueError, match=r"given as a ZipStore, .* give its path"):
        parse_target(ZipStore(tmp_path / "a.zip", mode="w"))
    with pytest.raises(TypeError, match="a path, a URL or a store of zarr is needed, not int"):
        parse_target(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["path", "file", "url", "local", "memory", "fsspec"])
def test_what_is_written_is_read_back_by_zarr(tmp_path: Path, kind: str) -> None:
    url = f"memory://{tmp_path.name}/u.zarr"
    fsspec_store = FsspecStore.from_url(f"memory://{tmp_path.name}/f.zarr")
    where: Any = {
        "path": tmp_path / "p.zarr",
        "file": f"file://{tmp_path}/f.zarr",
        "url": url,
        "local": LocalStore(tmp_path / "l"),
        "memory": MemoryStore(),
        "fsspec": fsspec_store,
    }[kind]
    store = open_store(where)
    assert isinstance(store, RetryingStore)
    assert store.name == parse_target(where).name
    zarr.create_group(store).create_array("0", data=np.arange(6).reshape(2, 3))
    again = open_store(where, read_only=True)
    assert again.read_only
    plain = {"path": str(where), "file": str(tmp_path / "f.zarr")}.get(kind, where)
    for source in (again, plain):
        array = zarr.open_group(source, mode="r")["0"]
        assert isinstance(array, zarr.Array)
        assert np.array_equal(array[:], [[0, 1, 2], [3, 4, 5]])


def test_what_tries_again_by_itself_is_not_wrapped_twice() -> None:
    store = RetryingStore(MemoryStore(), delays=())
    assert open_store(store) is store


def test_a_store_without_a_read_only_copy_is_read_as_it_is(counting_store: Any) -> None:
    class Plain(MemoryStore):
        def with_read_only(self, read_only: bool = False) -> MemoryStore:
            raise NotImplementedError

    store = Plain()
    zarr.create_group(store)
    assert innermost_store(open_store(store, read_only=True)) is store


def test_a_zip_is_built_in_a_hidden_folder(tmp_path: Path) -> None:
    target = zarr_target(tmp_path / "a.ome.zarr.zip")
    assert target.folder == tmp_path / ".a.ome.zarr.zip.unpacked"
    assert innermost_store(target.open_store()) == LocalStore(target.folder)
    with pytest.raises(FileNotFoundError):
        zarr.open_group(target.open_store(read_only=True), mode="r")
    assert os.listdir(tmp_path) == []


def test_a_file_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.tif is no Zarr store"):
        parse_target(tmp_path / "a.tif").open_store()
    assert parse_target(tmp_path / "a.tif").folder is None


def test_what_fsspec_does_not_know_is_told() -> None:
    with pytest.raises(ValueError, match=r"nowhere://a\.zarr is no URL that fsspec understands"):
        open_store("nowhere://a.zarr")
    with pytest.raises(ValueError, match=r"hdfs://a\.zarr needs what is not installed: pip"):
        open_store("hdfs://a.zarr")


def test_a_store_error_tells_the_number_of_its_cause() -> None:
    assert StoreError("text").errno is None
    assert not StoreError("text").full
    assert str(StoreError("text", OSError(28, "no space"))) == "text"
    assert StoreError("text", OSError(28, "no space")).full
    assert isinstance(Target("a", "a", "zarr"), Target)


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    target = parse_target("a.tif")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (target.path, target.name) == (tmp_path / "a.tif", "a.tif")
    assert parse_target(f"local://{tmp_path}/a.zarr").path == tmp_path / "a.zarr"


def test_a_place_in_a_store_is_one(tmp_path: Path) -> None:
    inside = parse_target(StorePath(LocalStore(tmp_path), "b/a.zarr"))
    assert inside.path == tmp_path / "b" / "a.zarr"
    store = MemoryStore()
    assert parse_target(StorePath(store)).store is store
    remote = FsspecStore.from_url(f"memory://{tmp_path.name}")
    assert parse_target(StorePath(remote, "a.zarr")).name.endswith(f"{tmp_path.name}/a.zarr")
    with pytest.raises(ValueError, match="is a place within a store: give a store of its own"):
        parse_target(StorePath(store, "a.zarr"))
