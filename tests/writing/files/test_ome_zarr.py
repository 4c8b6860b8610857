from __future__ import annotations

import errno
import zipfile
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore, MemoryStore, ZipStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import open_stack, read_metadata
from napari_tessera.writing import read_unfinished, write_ome_zarr
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.places.lock import StoreBusyError, lock_store

from .images import NAMES, all_axes, described, disk_letters, image, ordered

bioio_ome_zarr = pytest.importorskip("bioio_ome_zarr")


def levels_of(store: Any) -> list[np.ndarray[Any, Any]]:
    """The pixels of all levels, as zarr reads them."""
    group = zarr.open_group(store, mode="r")
    attributes = group.attrs.asdict()
    datasets = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
    return [group[dataset["path"]][...] for dataset in datasets]


@settings(max_examples=12, deadline=None)
@given(axes=all_axes(), version=st.sampled_from(["0.5", "0.4"]), limit=st.integers(1, 10_000))
def test_any_axes_are_read_back(
    axes: str, version: str, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = image(axes)
    path = tmp_path_factory.mktemp("zarr") / "a.ome.zarr"
    written = write_ome_zarr(
        path,
        array,
        axes=axes,
        metadata=described(axes),
        ome_version=version,
        memory_limit=limit,
        chunks=(15, 9),
    )
    assert written == path
    yaozarrs.validate_zarr_store(str(path))
    letters = disk_letters(axes, "TCZYX")
    levels = levels_of(path)
    assert len(levels) == 1
    np.testing.assert_array_equal(levels[0], ordered(array, axes, letters))
    with open_stack(path) as stack:
        known = read_metadata(stack)
    assert known.axes == letters
    for letter in "ZYX":
        if letter in axes:
            assert known.along(letter) == described(axes).along(letter)
    if "T" in axes and "S" not in axes:
        assert known.along("T") == (2.5, "second", 0.0)
    assert known.channel_names == (NAMES if "C" in axes else None) or "C" not in axes
    assert [entry.name for entry in path.parent.iterdir()] == ["a.ome.zarr"]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("compression", ["zstd", "lz4", "gzip", "none"])
def test_levels_are_means_at_their_places(tmp_path: Path, compression: str, version: str) -> None:
    array = image("CYX", "float32", Y=701, X=1100)
    array[1, :9, :9] = np.nan
    meta = ImageMetadata(
        "CYX", (1.0, 0.5, 0.25), (None, "micrometer", "micrometer"), (0.0, 10.0, 20.0), NAMES
    )
    path = tmp_path / "a.ome.zarr"
    write_ome_zarr(
        path, array, axes="CYX", metadata=meta, compression=compression, ome_version=version
    )
    levels = levels_of(path)
    assert [level.shape for level in levels] == [(2, 701, 1100), (2, 351, 550), (2, 176, 275)]
    for below, level in pairwise(levels):
        np.testing.assert_array_equal(level, downsample(below, (1, 2, 2)))
    np.testing.assert_array_equal(levels[0], array)
    reader = bioio_ome_zarr.Reader(path)
    assert reader.dims.order == "CYX"
    assert reader.resolution_levels == (0, 1, 2)
    assert [str(name) for name in reader.channel_names] == list(NAMES)
    reader.set_resolution_level(2)
    np.testing.assert_array_equal(reader.data, levels[2])
    attributes = zarr.open_group(path, mode="r").attrs.asdict()
    datasets = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
    scale, translation = datasets[2]["coordinateTransformations"]
    assert scale["scale"] == [1.0, 2.0, 1.0]
    assert translation["translation"] == [0.0, 10.75, 20.375]


def test_each_chunk_of_each_level_is_written_once(counting_store: Any) -> None:
    store = counting_store(MemoryStore())
    array = image("ZYX", "uint8", Z=20, Y=1300, X=1100)
    meta = ImageMetadata("ZYX", (0.5, 0.5, 0.5), ("micrometer",) * 3)
    assert write_ome_zarr(store, array, axes="ZYX", metadata=meta, chunks=(5, 260, 220)) is store
    sets = {key: n for key, n in store.sets.items() if "/c/" in key}
    assert set(sets.values()) == {1}
    levels = levels_of(store)
    assert [level.shape for level in levels] == [(20, 1300, 1100), (10, 650, 550), (5, 325, 275)]
    np.testing.assert_array_equal(levels[0], array)
    expected = array
    for level in levels[1:]:
        expected = downsample(expected, (2, 2, 2))
        np.testing.assert_array_equal(level, expected)
    assert len(sets) == sum(
        prod(-(-n // length) for n, length in zip(level.shape, (5, 260, 220), strict=True))
        for level in levels
    )
    assert not [key for key in store._store._store_dict if "heartbeat" in key]


def test_chunks_of_the_source_are_kept_where_they_serve(tmp_path: Path) -> None:
    source = zarr.create_array(
        tmp_path / "in.zarr", shape=(4, 900, 1000), chunks=(2, 300, 400), dtype="uint16"
    )
    source[...] = image("ZYX", Y=900, X=1000)
    write_ome_zarr(tmp_path / "a.ome.zarr", source, axes="ZYX")
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    assert group["0"].chunks == (2, 300, 400)
    np.testing.assert_array_equal(group["0"][...], source[...])


def test_a_zip_file_is_packed_and_a_url_is_written(tmp_path: Path) -> None:
    array = image("TYX")
    path = tmp_path / "a.ome.zarr.zip"
    assert write_ome_zarr(path, array, axes="TYX") == path
    store = ZipStore(path, mode="r")
    np.testing.assert_array_equal(levels_of(store)[0], array)
    store.close()
    assert list(tmp_path.iterdir()) == [path]
    with open_stack(path) as stack:
        assert stack.original_axes == "TYX"
    with pytest.raises(FileExistsError, match="overwrite"):
        write_ome_zarr(path, array, axes="TYX")
    write_ome_zarr(path, array[::-1], axes="TYX", overwrite=True)
    store = ZipStore(path, mode="r")
    np.testing.assert_array_equal(levels_of(store)[0], array[::-1])
    store.close()
    url = "memory://napari-tessera-tests/a.ome.zarr"
    assert write_ome_zarr(url, array, axes="TYX", overwrite=True) == url
    np.testing.assert_array_equal(levels_of(url)[0], array)
    url = tmp_path.as_uri() + "/b.ome.zarr"
    assert write_ome_zarr(url, array, axes="TYX") == tmp_path / "b.ome.zarr"
    local = LocalStore(tmp_path / "c.ome.zarr")
    assert write_ome_zarr(local, array, axes="TYX") is local
    np.testing.assert_array_equal(levels_of(local)[0], array)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "a.ome.zarr.zip",
        "b.ome.zarr",
        "c.ome.zarr",
    ]


def test_what_made_an_image_stands_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    array = image("SYX")
    made_by = {"version": "1.2", "plan": {"patch_size": [64]}, "fingerprint": "f00d"}
    write_ome_zarr(path, array, axes="SYX", made_by=made_by)
    attributes = zarr.open_group(path, mode="r").attrs.asdict()
    assert attributes["napari_tessera"].items() >= made_by.items()
    assert attributes["napari_tessera"]["axes"] == "SYX"
    assert attributes["napari_tessera"]["state"] == "finished"
    stored = read_unfinished(path)
    assert stored is None or stored.completed


def test_stores_are_replaced_only_if_asked_and_nothing_else_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    write_ome_zarr(path, image("CYX"), axes="CYX")
    with pytest.raises(FileExistsError, match="overwrite"):
        write_ome_zarr(path, image("YX"), axes="YX")
    assert levels_of(path)[0].ndim == 3
    write_ome_zarr(path, image("YX"), axes="YX", overwrite=True)
    np.testing.assert_array_equal(levels_of(path)[0], image("YX"))
    other = tmp_path / "b.zarr"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no Zarr store, so it is never replaced"):
        write_ome_zarr(other, image("YX"), axes="YX", overwrite=True)
    assert (other / "notes.txt").read_text() == "mine"
    empty = tmp_path / "c.zarr"
    empty.mkdir()
    write_ome_zarr(empty, image("YX"), axes="YX")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.ome.zarr", "b.zarr", "c.zarr"}


def test_a_store_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    write_ome_zarr(path, image("YX"), axes="YX")
    with lock_store(path), pytest.raises(StoreBusyError, match="is being written"):
        write_ome_zarr(path, image("CYX"), axes="CYX", overwrite=True)
    np.testing.assert_array_equal(levels_of(path)[0], image("YX"))


def test_what_a_killed_write_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".a.ome.zarr.{'0' * 32}.unfinished"
    left.mkdir()
    (left / "zarr.json").write_text("{}")
    write_ome_zarr(tmp_path / "a.ome.zarr", image("YX"), axes="YX")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.zarr"]


class Unreadable:
    """An image of which a part cannot be read."""

    shape, dtype = (3, 40, 50), np.dtype(np.uint8)

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        if index[0].stop > 2:
            raise RuntimeError("chunk 2 is damaged")
        return np.ones([part.stop - part.start for part in index], np.uint8)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ome.zarr.zip", "memory"])
def test_after_an_error_nothing_is_left(tmp_path: Path, name: str, there: bool) -> None:
    where: Any = MemoryStore() if name == "memory" else tmp_path / name
    if there and name != "memory":
        write_ome_zarr(where, image("YX"), axes="YX")
    with pytest.raises(RuntimeError, match="chunk 2 is damaged"):
        write_ome_zarr(where, Unreadable(), axes="ZYX", overwrite=there, memory_limit=1)
    if name == "memory":
        assert where._store_dict == {}
        return
    assert [entry.name for entry in tmp_path.iterdir()] == ([name] if there else [])
    if there:
        with open_stack(where) as stack:
            assert stack.original_axes == "YX"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_an_image_that_cannot_be_packed_stays_in_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "does not work")

    array = image("ZYX")
    monkeypatch.setattr(zipfile.ZipFile, "write", fail)
    with pytest.raises(OSError, match=r"cannot be packed .* is left as the folder") as caught:
        write_ome_zarr(tmp_path / "a.ome.zarr.zip", array, axes="ZYX")
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    folder.rename(tmp_path / "a.ome.zarr")
    np.testing.assert_array_equal(levels_of(tmp_path / "a.ome.zarr")[0], array)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ome_version": "0.3"}, "0.3"),
        ({"compression": "zlib"}, "zlib"),
        ({"chunks": (1, 2, 3)}, "at most 2"),
        ({"axes": "ZYX"}, "ZYX has 3 letters, the image 2 axes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    settings = {"axes": "YX", **changes}
    with pytest.raises(ValueError, match=message):
        write_ome_zarr(tmp_path / "a.ome.zarr", image("YX"), **settings)
    assert list(tmp_path.iterdir()) == []
