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

from .conformance import check_image_stack

ARRAY = np.arange(1, 5 * 20 * 22 + 1, dtype=np.uint16).reshape(5, 20, 22)


def write(path: Path, fill: Callable[[Any], None]) -> Path:
    with ZipStore(path, mode="w") as store:
        fill(store)
    return path


def one_array(store: Any, version: Any = 3, name: str | None = None) -> None:
    array = zarr.create_array(
        store, name=name, shape=ARRAY.shape, chunks=(2, 7, 22), dtype="u2", zarr_format=version
    )
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
        check_image_stack(stack, ARRAY, "TYX")
        assert stack.source == str(path)
        assert stack.chunks == (2, 7, 22)
        assert read_origins(stack) == (path,)


@pytest.mark.parametrize("name", ["a", "group/b"])
def test_one_of_several(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", two_arrays)
    for source in (f"{path}#{name}", f"{path}#/{name}", path / name):
        with open_stack(source, "TYX") as stack:
            check_image_stack(stack, ARRAY, "TYX")
            assert stack.source == f"{path}#{name}"
    with pytest.raises(ValueError, match=r"name one of its images.*it holds a, group/b"):
        open_stack(path)
    with pytest.raises(FileNotFoundError, match=r"a\.zip holds no Zarr array or group 'c'"):
        open_stack(f"{path}#c")


def test_an_ome_zarr_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ozx", ome_image)
    with open_stack(path) as stack:
        check_image_stack(stack, ARRAY, "TYX")
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
