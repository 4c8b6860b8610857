from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from napari_tessera.writing.places.keys import (
    delete_dir,
    delete_key,
    holds_zarr,
    keys_in,
    names_in,
    read_key,
    write_key,
)

MAKE: dict[str, Callable[[Path], Store]] = {
    "local": lambda folder: LocalStore(folder / "a"),
    "memory": lambda folder: MemoryStore(),
    "fsspec": lambda folder: FsspecStore.from_url(f"memory://{folder.name}/a"),
}


@pytest.mark.parametrize("kind", MAKE)
def test_keys_are_written_read_listed_and_deleted(tmp_path: Path, kind: str) -> None:
    store = MAKE[kind](tmp_path)
    assert read_key(store, "a/b") is None
    write_key(store, "a/b", b"1")
    write_key(store, "a/c/d", b"2")
    write_key(store, "e", b"")
    assert read_key(store, "a/b") == b"1"
    assert read_key(store, "e") == b""
    assert sorted(names_in(store)) == ["a", "e"]
    assert sorted(keys_in(store)) == ["a/b", "a/c/d", "e"]
    delete_key(store, "a/b")
    delete_key(store, "a/b")
    delete_dir(store, "a")
    delete_dir(store, "e")
    assert keys_in(store) == []


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("version", [2, 3])
def test_a_root_is_zarr_by_its_metadata(tmp_path: Path, kind: str, version: int) -> None:
    store = MAKE[kind](tmp_path)
    assert not holds_zarr(store)
    write_key(store, "thesis.docx", b"1")
    assert not holds_zarr(store)
    zarr.create_group(store, zarr_format=version)  # type: ignore[arg-type]
    assert holds_zarr(store)


class Missing(MemoryStore):
    """Says of a place that is not there that it is not, where others list nothing."""

    async def list(self) -> AsyncIterator[str]:
        raise FileNotFoundError("no such bucket")
        yield ""

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        raise FileNotFoundError("no such bucket")
        yield ""


def test_a_place_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    missing = LocalStore(tmp_path / "none", read_only=True)
    assert read_key(missing, "a") is None
    assert keys_in(missing) == names_in(missing) == []
    assert keys_in(Missing()) == names_in(Missing()) == []
    assert not (tmp_path / "none").exists()
