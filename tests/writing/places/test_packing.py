from __future__ import annotations

import errno
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore, ZipStore

from napari_tessera.stacks import open_stack
from napari_tessera.writing.places import packing
from napari_tessera.writing.places.packing import pack
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target, zarr_target

PIXELS = np.arange(63 * 40, dtype="u2").reshape(63, 40)


def build(path: Path, version: int = 3) -> Target:
    target = zarr_target(path)
    group = zarr.create_group(target.open_store(), zarr_format=version)  # type: ignore[arg-type]
    group.create_array("0", shape=PIXELS.shape, dtype="u2", chunks=(16, 16))[:] = PIXELS
    group.create_array("1", data=PIXELS[::2, ::2])
    assert target.folder is not None
    (target.folder / "0" / f"9.{'0a' * 16}.partial").touch()
    return target


@pytest.mark.parametrize("version", [2, 3])
def test_a_packed_store_is_read_by_zarr_and_by_us(tmp_path: Path, version: int) -> None:
    target = build(tmp_path / "a.ome.zarr.zip", version)
    pack(target)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.zarr.zip"]
    with ZipStore(tmp_path / "a.ome.zarr.zip", mode="r") as store:
        array = zarr.open_group(store, mode="r")["0"]
        assert isinstance(array, zarr.Array)
        assert np.array_equal(array[:], PIXELS)
    with open_stack(f"{tmp_path}/a.ome.zarr.zip#0", "YX") as stack:
        assert np.array_equal(stack.extract_patch(0, None, (0, 0), (63, 40))[0], PIXELS)
    with zipfile.ZipFile(tmp_path / "a.ome.zarr.zip") as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    names = [entry.filename for entry in entries]
    first = "zarr.json" if version == 3 else ".zattrs"
    assert names[0] == first
    is_metadata = [name.rpartition("/")[2].startswith((".z", "zarr")) for name in names]
    assert is_metadata == sorted(is_metadata, reverse=True)
    assert not any("partial" in name for name in names)


def test_what_was_there_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    pack(build(path))
    first = path.read_bytes()
    target = build(path)
    assert path.read_bytes() == first
    zarr.open_group(target.open_store(), mode="r+").attrs["again"] = True
    pack(target)
    with ZipStore(path, mode="r") as store:
        assert zarr.open_group(store, mode="r").attrs["again"]


def test_nothing_is_packed_elsewhere(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "a.zarr")
    pack(tmp_path / "a.zarr")
    pack(MemoryStore())
    pack("memory://nowhere/a.zarr")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_a_disk_that_is_full_leaves_the_folder_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = build(tmp_path / "a.zarr.zip")

    class Full(zipfile.ZipFile):
        def write(self, filename: Any, *args: Any, **kwargs: Any) -> None:
            if "c/1" in Path(filename).as_posix():
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(filename, *args, **kwargs)

    monkeypatch.setattr(packing.zipfile, "ZipFile", Full)
    with pytest.raises(
        StoreError, match=r"a\.zarr\.zip cannot be packed .*: the image is left"
    ) as e:
        pack(target)
    assert "\n" not in str(e.value)
    assert e.value.full
    assert [entry.name for entry in tmp_path.iterdir()] == [".a.zarr.zip.unpacked"]
    monkeypatch.undo()
    pack(target)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr.zip"]


def test_an_interrupt_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = build(tmp_path / "a.zarr.zip")

    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pack(target)
    assert [entry.name for entry in tmp_path.iterdir()] == [".a.zarr.zip.unpacked"]
