"""Zarr stores in ZIP files."""

from __future__ import annotations

import gc
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import ZipStore

from napari_tessera import open_stack
from napari_tessera.stacks import StackReadError, ZarrStack, read_metadata, read_origins

from .zarr_files import check_pixels

ARRAY = np.arange(1, 5 * 20 * 22 + 1, dtype=np.uint16).reshape(5, 20, 22)


def write(path: Path, fill: Callable[[Any], None]) -> Path:
    with ZipStore(path, mode="w") as store:
        fill(store)
    return path


def one_array(store: Any, version: Any = 3, name: str | None = None, **settings: Any) -> None:
    settings = {"shape": ARRAY.shape, "chunks": (2, 7, 22), "dtype": "u2", **settings}
    array = zarr.create_array(store, name=name, zarr_format=version, **settings)
    array[...] = ARRAY


def two_arrays(store: Any) -> None:
    zarr.create_group(store)
    for name in ("a", "group/b"):
        one_array(store, name=name)


def ome_image(store: Any) -> None:
    axes = [{"name": "t", "type": "time", "unit": "second"}] + [
        {"name": name, "type": "space", "unit": "micrometer"} for name in "yx"
    ]
    transform = [{"type": "scale", "scale": [2.0, 0.5, 0.25]}]
    levels = [{"path": "0", "coordinateTransformations": transform}]
    image = {"axes": axes, "datasets": levels}
    zarr.create_group(store, attributes={"ome": {"version": "0.5", "multiscales": [image]}})
    one_array(store, name="0")


@pytest.mark.parametrize("version", [2, 3])
def test_an_array(version: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr.zip", lambda store: one_array(store, version))
    with open_stack(path, "TYX") as stack:
        assert isinstance(stack, ZarrStack)
        check_pixels(stack, ARRAY, "TYX")
        assert stack.source == str(path)
        assert stack.chunks == (2, 7, 22)
        assert read_origins(stack) == (path,)


@pytest.mark.parametrize("name", ["a", "group/b"])
def test_one_of_several(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", two_arrays)
    for source in (f"{path}#{name}", f"{path}#/{name}", path / name):
        with open_stack(source, "TYX") as stack:
            check_pixels(stack, ARRAY, "TYX")
            assert stack.source == f"{path}#{name}"
    with pytest.raises(ValueError, match=r"name one of its images.*it holds a, group/b"):
        open_stack(path)
    with pytest.raises(FileNotFoundError, match=r"a\.zip holds no Zarr array or group 'c'"):
        open_stack(f"{path}#c")


def test_an_ome_zarr_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ozx", ome_image)
    with open_stack(path) as stack:
        check_pixels(stack, ARRAY, "TYX")
        assert read_metadata(stack).scale == (2.0, 0.5, 0.25)
    with pytest.raises(ValueError, match="level 1 is outside 0…0"):
        open_stack(path, level=1)


def test_a_file_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", one_array)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"a\.zip is a ZIP file \(unpack it\)"):
        open_stack(path)


def test_metadata_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", "{")
    with pytest.raises(ValueError, match=r"a\.zip cannot be opened as Zarr: "):
        open_stack(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed in /proc")
def test_no_file_is_left_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", one_array)

    def is_open() -> bool:
        gc.collect()
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return any(str(path) == os.readlink(link) for link in links if os.path.lexists(link))

    with open_stack(path) as stack:
        assert is_open()
    assert not is_open()
    with pytest.raises(ValueError, match="is closed"):
        stack.extract_patch(0, None, (0, 0, 0), (1, 1, 1))
    with pytest.raises(ValueError, match="letters"):
        open_stack(path, "YX")
    assert not is_open()
    dropped = open_stack(path)
    del dropped
    assert not is_open()


def test_a_chunk_that_cannot_be_decoded(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.zip", one_array)
    broken = tmp_path / "b.zip"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"x" * 9 if name == "c/1/0/0" else old.read(name))
    with open_stack(broken, "TYX") as stack:
        message = r"b\.zip cannot be read at T=2 Y=0…3 X=0…3: chunk c/1/0/0"
        with pytest.raises(StackReadError, match=message):
            stack.extract_patch(2, None, (0, 0), (4, 4))


def packed(path: Path, folders: dict[str, Callable[[Any], None]]) -> Path:
    """A ZIP file with stores in folders of their own, compressed, as file managers make it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, fill in folders.items():
            root = path.parent / name
            fill(root)
            archive.mkdir(name)
            for file in sorted(file for file in root.rglob("*") if file.is_file()):
                archive.write(file, file.relative_to(path.parent))
    return path


def test_a_folder_that_was_packed(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.zarr": two_arrays})
    for source, name in (
        (f"{path}#group/b", "a.zarr/group/b"),
        (f"{path}#a.zarr/group/b", "a.zarr/group/b"),
        (path / "a.zarr" / "a", "a.zarr/a"),
    ):
        with open_stack(source, "TYX") as stack:
            check_pixels(stack, ARRAY, "TYX")
            assert stack.source == f"{path}#{name}"
    with pytest.raises(ValueError, match=rf"e\.g\. {path}#a\.zarr/a; it holds a, group/b$"):
        open_stack(path)


def test_several_folders_that_were_packed(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"x.zarr": one_array, "y.zarr": ome_image})
    (tmp_path / "x.zarr").rename(tmp_path / "gone")
    with pytest.raises(ValueError, match=rf"holds x\.zarr, y\.zarr; .* {path}#x\.zarr$"):
        open_stack(path)
    with open_stack(f"{path}#y.zarr") as stack:
        assert stack.source == f"{path}#y.zarr/0"
        assert stack.metadata.along("X") == (0.25, "micrometer", 0.0)
    with pytest.raises(FileNotFoundError, match=r"holds no Zarr array or group 'z\.zarr'"):
        open_stack(f"{path}#z.zarr")


def test_chunks_that_are_absent_from_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    whole = write(tmp_path / "a.zip", one_array)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != "c/0/1/0":
                new.writestr(name, old.read(name))
    with open_stack(path, "TYX") as stack:
        expected = ARRAY.copy()
        expected[:2, 7:14] = 0
        check_pixels(stack, expected, "TYX")
        assert stack.absent_chunks == 1
        assert stack.count_absent() == (1, 9)


def test_a_byte_that_changed_in_a_zip(tmp_path: Path) -> None:
    """ZIP keeps a checksum of every file in it."""
    path = write(tmp_path / "a.zip", lambda store: one_array(store, compressors=None))
    whole = bytearray(path.read_bytes())
    at = whole.index(ARRAY[2:4, 7:14].tobytes())
    whole[at] ^= 1
    path.write_bytes(whole)
    place = r"chunk c/1/1/0 at T=2…3 Y=7…13 X=0…21: BadZipFile: Bad CRC-32"
    with open_stack(path, "TYX") as stack, pytest.raises(StackReadError, match=place):
        stack.extract_patch(3, None, (6, 2), (4, 4))


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(FileNotFoundError, match=r"a\.zip holds no Zarr array or group$"):
        ZarrStack(path)
    path.write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ValueError, match=r"a\.zip is not a Zarr array or group \(BadZipFile"):
        ZarrStack(path)
