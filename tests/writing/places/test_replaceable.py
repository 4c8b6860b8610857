from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_tessera.writing.places.heartbeat import HEARTBEAT
from napari_tessera.writing.places.keys import OWN, keys_in
from napari_tessera.writing.places.replaceable import enclosing_store, why_kept
from napari_tessera.writing.stored.ledger import LEDGER_NAME
from napari_tessera.writing.stored.targets import check_store, check_target


def make_image(path: Any, version: str = "0.5") -> zarr.Group:
    ome = {"multiscales": [{"datasets": [{"path": "0"}, {"path": "1"}]}]}
    group = zarr.create_group(
        path,
        zarr_format=2 if version == "0.4" else 3,
        attributes=ome if version == "0.4" else {"ome": ome},
    )
    for name in "01":
        group.create_array(name, shape=(4, 4), dtype="u1")
    return group


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_is_replaceable(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.ome.zarr"
    group = make_image(path, version)
    for name in (LEDGER_NAME, f"{LEDGER_NAME}_clipped"):
        group.create_array(name, shape=(4,), dtype="u1")
    assert why_kept(path) == ""


def test_a_plain_array_is_replaceable(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 4), dtype="u1")
    assert why_kept(tmp_path / "a.zarr") == ""


@pytest.mark.parametrize("more", ["labels", "tables"])
def test_an_image_with_more_is_kept(tmp_path: Path, more: str) -> None:
    path = tmp_path / "a.ome.zarr"
    make_image(path).create_group(more)
    assert why_kept(path) == f"it holds more than an image: {more}"


def test_an_image_with_somebodys_notes_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    make_image(path)
    (path / "notes.txt").write_text("do not lose")
    assert why_kept(path) == "it holds more than an image: notes.txt"


@pytest.mark.parametrize(
    "attributes",
    [
        {"ome": {"plate": {"wells": []}}},
        {"ome": {"multiscales": "?"}},
        {"ome": []},
        {"bioformats2raw.layout": 3},
    ],
)
def test_a_group_that_is_no_image_is_kept(tmp_path: Path, attributes: Any) -> None:
    zarr.create_group(tmp_path / "a.zarr", attributes=attributes)
    assert why_kept(tmp_path / "a.zarr") == "it is a Zarr group, but no image"


def test_a_group_of_arrays_that_is_no_image_is_kept_and_an_empty_one_is_not(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    assert why_kept(tmp_path / "a.zarr") == ""
    group.create_array("mine", shape=(4,), dtype="u1")
    assert why_kept(tmp_path / "a.zarr") == "it is a Zarr group, but no image"


def test_a_plate_is_kept_though_it_may_say_it_is_an_image(tmp_path: Path) -> None:
    group = make_image(tmp_path / "a.zarr")
    group.attrs["ome"] = {**dict(group.attrs["ome"]), "plate": {"wells": []}}  # type: ignore[call-overload]
    assert why_kept(tmp_path / "a.zarr") == "it holds more than one image"


@pytest.mark.parametrize("level", ["0", "c/0"])
def test_somebodys_file_among_chunks_or_folders_of_levels_is_found(
    tmp_path: Path, level: str
) -> None:
    path = tmp_path / "a.zarr"
    datasets = {"multiscales": [{"datasets": [{"path": level}]}]}
    group = zarr.create_group(path, attributes={"ome": datasets})
    group.create_array(level, data=np.ones((4, 4), np.uint8), chunks=(2, 2))
    assert why_kept(path) == ""
    (path / level / "thesis.docx").write_text("years")
    assert why_kept(path) == f"it holds more than an image: {level}/thesis.docx"
    if level == "c/0":
        (path / level / "thesis.docx").unlink()
        (path / "c" / "photos").mkdir()
        assert why_kept(path) == "it holds more than an image: c/photos"


@pytest.mark.parametrize("version", [2, 3])
def test_an_array_with_more_than_chunks_is_kept(tmp_path: Path, version: Any) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.ones((4, 4)), chunks=(2, 2), zarr_format=version)
    assert why_kept(path) == ""
    (path / "notes.txt").write_text("mine")
    assert why_kept(path) == "it holds more than an array: notes.txt"


def test_what_is_never_replaced_is_refused_in_one_line_and_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    make_image(store).create_group("labels")
    before = keys_in(store)
    with pytest.raises(FileExistsError, match="exists, and it holds more than an image: labels, s"):
        check_store(store, overwrite=True)
    assert keys_in(store) == before
    monkeypatch.setattr(MemoryStore, "supports_listing", False)
    assert why_kept(store) == "what it holds cannot be listed"


def test_a_zip_file_is_looked_into(tmp_path: Path) -> None:
    make_image(tmp_path / "a.zarr")
    packed = tmp_path / "a.ome.zarr.zip"

    def pack() -> None:
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted((tmp_path / "a.zarr").rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(tmp_path / "a.zarr"))

    pack()
    assert why_kept(packed) == ""
    check_target(packed, overwrite=True)
    (tmp_path / "a.zarr" / "notes.txt").write_text("mine")
    pack()
    assert why_kept(packed) == "it holds more than an image: notes.txt"
    with pytest.raises(FileExistsError, match=r"notes\.txt, so it is never replaced: choose an"):
        check_target(packed, overwrite=True)


def test_what_this_program_puts_beside_the_pixels_is_known() -> None:
    assert LEDGER_NAME.startswith(OWN)
    assert HEARTBEAT.startswith(OWN)


def test_other_folders_links_and_damaged_stores_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "a.ome.zarr"
    folder.mkdir()
    (folder / "thesis.docx").write_text("years")
    assert why_kept(folder) == "it is no Zarr store"
    make_image(tmp_path / "real.zarr")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "real.zarr")
    assert why_kept(tmp_path / "link.zarr") == "it is no Zarr store"
    (tmp_path / "real.zarr" / "zarr.json").write_text("{")
    assert why_kept(tmp_path / "real.zarr").startswith("it cannot be read (")


def test_a_place_in_a_store_is_the_store(tmp_path: Path) -> None:
    store = tmp_path / "a.ome.zarr"
    make_image(store)
    assert enclosing_store(store / "a.ome.zarr") == store
    assert enclosing_store(store / "0" / "b.ome.zarr") == store
    assert enclosing_store(tmp_path / "b.ome.zarr") == tmp_path / "b.ome.zarr"
    assert enclosing_store(store) == store
