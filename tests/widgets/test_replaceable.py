from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zarr

from napari_tessera.widgets.replaceable import enclosing_store, why_kept


def make_image(path: Path, version: str = "0.5") -> zarr.Group:
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
    make_image(path, version).create_array("tessera_ledger", shape=(4,), dtype="u1")
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
    [{}, {"ome": {"plate": {"wells": []}}}, {"ome": {"multiscales": "?"}}, {"ome": []}],
)
def test_a_group_that_is_no_image_is_kept(tmp_path: Path, attributes: Any) -> None:
    zarr.create_group(tmp_path / "a.zarr", attributes=attributes)
    assert why_kept(tmp_path / "a.zarr") == "it is a Zarr group, but no image"


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
