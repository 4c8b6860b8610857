from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_tessera import predict_to_disk
from napari_tessera.writing import check_target
from napari_tessera.writing.places.removal import delete_store, is_free, remove_leftovers

LEFTOVER = "0." + "0a" * 16 + ".partial"


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.zarr", "a.tif", "a.ome.tif", "A.TIFF"])
def test_nothing_there_is_fine_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    check_target(tmp_path / name)
    check_target(tmp_path / name, overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown ending '.png'; use .ome.zarr") as caught:
        check_target(tmp_path / "a.png")
    one_line(caught.value)


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.tif"])
def test_a_missing_folder_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere does not exist: create it") as caught:
        check_target(tmp_path / "nowhere" / name)
    one_line(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file is a file"):
        check_target(tmp_path / "file" / name)


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.tif"])
def test_a_read_only_folder_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may write everywhere, so that a real folder's mode would say nothing there
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="is read-only: choose another place") as caught:
        check_target(tmp_path / name)
    assert str(tmp_path) in one_line(caught.value)


def test_an_existing_store_is_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_group(str(path))
    with pytest.raises(FileExistsError, match=r"a\.zarr exists: overwrite it") as caught:
        check_target(path)
    one_line(caught.value)
    with pytest.raises(FileExistsError, match="holds no run of napari-tessera to resume"):
        check_target(path, resume=True)
    check_target(path, overwrite=True)
    assert (path / "zarr.json").exists()


def test_an_existing_file_is_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.touch()
    with pytest.raises(FileExistsError, match=r"a\.tif exists: overwrite it"):
        check_target(path)
    check_target(path, overwrite=True)


@pytest.mark.parametrize("name", ["a.zarr", "a.tif"])
def test_a_folder_that_is_no_store_is_never_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir()
    (path / "thesis.docx").touch()
    with pytest.raises(FileExistsError, match="never replaced: choose another name") as caught:
        check_target(path, overwrite=True)
    one_line(caught.value)
    with pytest.raises(FileExistsError, match="never deleted"):
        delete_store(path)
    assert (path / "thesis.docx").exists()


def test_a_file_is_no_store_and_a_link_is_followed_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").touch()
    with pytest.raises(FileExistsError, match="no Zarr store"):
        check_target(tmp_path / "a.zarr", overwrite=True)
    zarr.create_group(str(tmp_path / "real.zarr"))
    (tmp_path / "link.zarr").symlink_to(tmp_path / "real.zarr")
    with pytest.raises(FileExistsError, match="never replaced"):
        check_target(tmp_path / "link.zarr", overwrite=True)


def test_an_empty_folder_and_the_rest_of_a_killed_write_are_free(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / LEFTOVER).touch()
    assert is_free(path)
    check_target(path)
    (path / "mine.partial").touch()
    assert not is_free(path)


def test_only_zarr_is_resumed(tmp_path: Path) -> None:
    check_target(tmp_path / "a.zarr", resume=True)
    with pytest.raises(ValueError, match=r"cannot be resumed; use \.ome\.zarr"):
        check_target(tmp_path / "a.tif", resume=True)
    with pytest.raises(ValueError, match="exclude each other"):
        check_target(tmp_path / "a.zarr", resume=True, overwrite=True)


def test_the_input_is_never_the_target(tmp_path: Path) -> None:
    store = tmp_path / "in.zarr"
    zarr.create_array(str(store / "group" / "a"), shape=(2, 2), dtype="u1")
    zarr.open_group(str(store), mode="a")
    for source in (store, store / "group" / "a", f"file://{store}/group/a"):
        with pytest.raises(ValueError, match="holds the input, which is never changed"):
            check_target(store, overwrite=True, source=source)
    with pytest.raises(ValueError, match="lies inside the input"):
        check_target(store / "group" / "a" / "out.zarr", source=store / "group" / "a")
    check_target(tmp_path / "out.zarr", source=store)
    check_target(tmp_path / "out.zarr", source=tmp_path)
    check_target(tmp_path / "out.zarr", source="layer:cells")
    image = tmp_path / "in.tif"
    image.touch()
    with pytest.raises(ValueError, match="holds the input"):
        check_target(image, overwrite=True, source=image)


def test_deleting_a_store_takes_what_makes_it_one_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(str(path))
    group.create_array("0", shape=(4, 4), dtype="u1")[:] = np.ones((4, 4))

    def interrupted(folder: Path) -> None:
        raise OSError("interrupted")

    with monkeypatch.context() as patch:
        patch.setattr("napari_tessera.writing.places.removal.shutil.rmtree", interrupted)
        with pytest.raises(OSError, match="interrupted"):
            delete_store(path)
    check_target(path, overwrite=True)
    delete_store(path)
    assert not path.exists()
    delete_store(path)


def test_only_what_zarr_left_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "a.zarr" / "0" / "c"
    deep.mkdir(parents=True)
    for name in (LEFTOVER, "mine.partial", "0"):
        (deep / name).touch()
    assert remove_leftovers(tmp_path / "a.zarr") == 1
    assert sorted(file.name for file in deep.iterdir()) == ["0", "mine.partial"]


@pytest.mark.parametrize("name", ["cells#2.zarr", "50%.zarr", "in%41.zarr", "what?.zarr"])
def test_no_name_hides_the_input(tmp_path: Path, name: str) -> None:
    store = tmp_path / name
    zarr.create_group(LocalStore(store)).create_array("a", shape=(2, 2), dtype="u1")
    for source in (store, str(store / "a"), f"file://{store}/a", [tmp_path, store / "a"]):
        with pytest.raises(ValueError, match="holds the input"):
            check_target(store, overwrite=True, source=source)
    check_target(tmp_path / "cells.zarr", source=store)


def test_a_place_inside_a_file_is_the_file(tmp_path: Path) -> None:
    image = tmp_path / "cells#1.tif"
    image.touch()
    with pytest.raises(ValueError, match="holds the input"):
        check_target(image, overwrite=True, source=f"{image}#/exp/raw")


def test_nothing_is_written_into_the_store_of_the_input(tmp_path: Path) -> None:
    store = tmp_path / "g.zarr"
    group = zarr.create_group(LocalStore(store))
    group.create_array("0", shape=(2, 2), dtype="u1")
    zarr.create_array(LocalStore(store / "bare" / "deep"), shape=(2, 2), dtype="u1")
    for source in (store / "0", store / "bare" / "deep"):
        with pytest.raises(ValueError, match=r"lies inside the input's store .*g\.zarr:"):
            check_target(store / "o.zarr", source=source)
    check_target(tmp_path / "o.zarr", source=store / "0")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_lead_to_the_input(tmp_path: Path) -> None:
    store = tmp_path / "in.zarr"
    zarr.create_group(LocalStore(store))
    (tmp_path / "folder").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="holds the input"):
        check_target(tmp_path / "folder" / "in.zarr", overwrite=True, source=store)
    image = tmp_path / "in.tif"
    image.touch()
    (tmp_path / "same.tif").hardlink_to(image)
    with pytest.raises(ValueError, match="holds the input"):
        check_target(tmp_path / "same.tif", overwrite=True, source=image)


def test_a_deletion_that_is_cut_short_leaves_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.zarr"
    zarr.create_group(path)

    def full_stop(folder: Path) -> None:
        raise KeyboardInterrupt(folder)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", full_stop)
        with pytest.raises(KeyboardInterrupt):
            delete_store(path)
    assert is_free(path)
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.endswith(".partial")
    zarr.create_group(path)
    delete_store(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ending", "longest"), [(".zarr", 213), (".tif", 213), (".npy", 213), (".zarr.zip", 203)]
)
def test_a_name_too_long_for_what_stands_beside_it_is_refused_at_once(
    tmp_path: Path, ending: str, longest: int
) -> None:
    fits = tmp_path / f"{'x' * (longest - len(ending))}{ending}"
    check_target(fits)
    for long in (fits.with_name(f"x{fits.name}"), tmp_path / f"{'ü' * 120}{ending}"):
        with pytest.raises(ValueError, match=f"is too long, {longest} are possible") as caught:
            check_target(long)
        one_line(caught.value)
    image = np.random.default_rng(0).integers(0, 4000, (64, 64)).astype(np.uint16)
    for _ in range(2):
        predict_to_disk(image, _half, fits, overwrite=True)
    assert list(tmp_path.iterdir()) == [fits]


def _half(x: Any) -> Any:
    return x / 2
