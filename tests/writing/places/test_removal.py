from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from napari_tessera.writing.places.keys import keys_in, write_key
from napari_tessera.writing.places.lock import lock_store
from napari_tessera.writing.places.removal import (
    delete_store,
    is_free,
    is_zarr,
    remove_leftovers,
)
from napari_tessera.writing.places.retrying import RetryingStore
from napari_tessera.writing.places.target import zarr_target
from napari_tessera.writing.stored.targets import check_store, check_target

from .failing_store import FailingStore

HEX = "0a" * 16


def write_image(store: Any, version: int = 3) -> None:
    multiscales = [{"datasets": [{"path": "0"}, {"path": "1"}]}]
    group = zarr.create_group(
        store,
        attributes={"multiscales": multiscales},
        zarr_format=version,  # type: ignore[arg-type]
    )
    for level in ("0", "1"):
        array = group.create_array(level, shape=(8, 8), chunks=(4, 4), dtype="u1")
        array[:] = np.ones((8, 8))


@pytest.fixture(params=["memory", "fsspec", "url"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return {
        "memory": MemoryStore,
        "fsspec": lambda: FsspecStore.from_url(f"memory://{tmp_path.name}/a.zarr"),
        "url": lambda: f"memory://{tmp_path.name}/u.ome.zarr",
    }[request.param]()


@pytest.mark.parametrize("version", [2, 3])
def test_a_store_that_is_no_folder_is_replaced_when_asked(place: Any, version: int) -> None:
    target = zarr_target(place)
    assert is_free(target)
    check_store(target)
    delete_store(target)
    write_image(target.open_store(), version)
    assert not is_free(target)
    assert is_zarr(target)
    with pytest.raises(FileExistsError, match="exists: overwrite it, or choose"):
        check_store(target)
    with pytest.raises(FileExistsError, match="holds no run of napari-tessera to resume"):
        check_store(target, resume=True)
    check_store(target, overwrite=True)
    with lock_store(target):
        delete_store(target)
        assert is_free(target)
        assert all(key.startswith("tessera_heartbeat/") for key in keys_in(target.open_store()))
    assert keys_in(target.open_store()) == []
    assert remove_leftovers(target) == 0


def test_keys_that_are_no_zarr_are_never_deleted(place: Any) -> None:
    target = zarr_target(place)
    write_key(target.open_store(), "thesis/chapter1.docx", b"years of work")
    assert not is_free(target)
    with pytest.raises(FileExistsError, match="is no Zarr store, so it is never replaced"):
        check_store(target, overwrite=True)
    with pytest.raises(FileExistsError, match="is no Zarr store, so it is never deleted"):
        delete_store(target)
    assert keys_in(target.open_store()) == ["thesis/chapter1.docx"]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("what", ["image", "array"])
def test_a_deletion_cut_short_anywhere_shows_no_image_and_can_be_gone_on_with(
    version: int, what: str
) -> None:
    whole = MemoryStore()
    if what == "image":
        write_image(whole, version)
    else:
        zarr.create_array(whole, data=np.ones((9, 9)), chunks=(3, 3), zarr_format=version)  # type: ignore[arg-type]
    cuts = 0
    while True:
        inner = MemoryStore(dict(whole._store_dict))
        left = [cuts]

        def is_over(operation: str, key: str, left: list[int] = left) -> bool:
            if operation not in ("set", "delete"):
                return False
            left[0] -= 1
            return left[0] < 0

        failing = FailingStore(inner, fails=is_over, error=lambda: RuntimeError("killed"))
        try:
            delete_store(RetryingStore(failing))
            break
        except RuntimeError:
            pass
        # after four changes nothing is left of what makes it an image
        if cuts > 3 and not is_free(inner):
            assert dict(zarr.open_group(inner, mode="r").attrs) == {}
        check_store(inner, overwrite=True)
        delete_store(inner)
        assert is_free(inner)
        cuts += 1
    assert keys_in(inner) == []
    assert cuts > 2


def test_where_nothing_can_be_listed_metadata_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    monkeypatch.setattr(MemoryStore, "supports_listing", False)
    assert is_free(store)
    write_image(store)
    assert not is_free(store)


def test_a_store_of_zarr_on_a_disk_is_a_folder_like_others(tmp_path: Path) -> None:
    for store in (
        LocalStore(tmp_path / "a.zarr"),
        FsspecStore.from_url(f"local://{tmp_path}/a.zarr"),
    ):
        write_image(zarr_target(store).open_store())
        check_store(store, overwrite=True)
        delete_store(store)
        assert list(tmp_path.iterdir()) == []


def test_what_a_killed_deletion_left_goes_with_the_next_run(tmp_path: Path) -> None:
    aside = tmp_path / f".a.zarr.{HEX}.partial"
    write_image(LocalStore(aside))
    kept = [tmp_path / f".b.zarr.{HEX}.partial", tmp_path / ".a.zarr.mine.partial"]
    for folder in kept:
        folder.mkdir()
    (tmp_path / "a.zarr").mkdir()
    delete_store(tmp_path / "a.zarr")
    assert not aside.exists()
    write_image(LocalStore(aside))
    remove_leftovers(tmp_path / "a.zarr")
    assert not aside.exists()
    assert all(folder.exists() for folder in kept)


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, *files: str) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in files:
                archive.writestr(file, json.dumps({"zarr_format": 3, "node_type": "group"}))
        return tmp_path / name

    return make


def test_a_zip_file_is_replaced_only_by_a_finished_one(
    tmp_path: Path, zipped: Callable[..., Path]
) -> None:
    path = zipped("a.zarr.zip", "zarr.json")
    target = zarr_target(path)
    assert not is_free(target)
    assert is_zarr(target)
    with pytest.raises(FileExistsError, match=r"a\.zarr\.zip exists: overwrite it"):
        check_target(path)
    with pytest.raises(ValueError, match=r"a ZIP file is written when all is done and cannot be"):
        check_target(path, resume=True)
    with pytest.raises(ValueError, match=r"cannot be resumed; use \.ome\.zarr"):
        check_store(path, resume=True)
    check_target(path, overwrite=True)
    assert target.folder is not None
    write_image(LocalStore(target.folder))
    before = path.read_bytes()
    delete_store(target)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    target.folder.mkdir()
    (target.folder / f"0.{HEX}.partial").touch()
    (tmp_path / f".a.zarr.zip.{HEX}.partial").touch()
    delete_store(target)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_zarr_in_a_zip_is_never_replaced(
    tmp_path: Path, zipped: Callable[..., Path]
) -> None:
    other = zipped("photos.zarr.zip", "holiday.jpg")
    damaged = tmp_path / "b.zarr.zip"
    damaged.write_bytes(b"PK\x03\x04 and then nothing")
    folder = tmp_path / "c.zarr.zip"
    folder.mkdir()
    (folder / "x").touch()
    for path in (other, damaged, folder):
        with pytest.raises(FileExistsError, match="is no Zarr store, so it is never replaced"):
            check_target(path, overwrite=True)
        with pytest.raises(FileExistsError, match="is no Zarr store, so it is never deleted"):
            delete_store(path)
        assert path.exists()


def test_a_hidden_folder_that_is_none_of_ours_is_never_deleted(tmp_path: Path) -> None:
    target = zarr_target(tmp_path / "a.zarr.zip")
    assert target.folder is not None
    target.folder.mkdir()
    (target.folder / "thesis.docx").touch()
    with pytest.raises(FileExistsError, match="unpacked is no Zarr store, so it is never deleted"):
        delete_store(target)
    assert (target.folder / "thesis.docx").exists()


def test_files_have_no_leftovers_of_zarr(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "none.zarr") == 0
