from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from zarr.storage import ZipStore

from napari_tessera.stacks.opening.file_kinds import FileKind, file_kind


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_tiffs(byteorder: Any, bigtiff: bool, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    tifffile.imwrite(path, np.eye(8), byteorder=byteorder, bigtiff=bigtiff)
    assert file_kind(path) is FileKind.TIFF


@pytest.mark.parametrize("user_block", [0, 512, 4096])
def test_hdf5_after_a_block_of_the_users_own(user_block: int, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "image.mat"
    with h5py.File(path, "w", userblock_size=user_block) as file:
        file["data"] = np.eye(8)
    assert file_kind(path) is FileKind.HDF5


@pytest.mark.parametrize(("format", "kind"), [("png", FileKind.PNG), ("jpeg", FileKind.JPEG)])
def test_pictures(format: str, kind: FileKind, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path, format=format)
    assert file_kind(path) is kind


def test_numpy_files(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as file:
        np.save(file, np.eye(8))
    assert file_kind(tmp_path / "image") is FileKind.NPY


@pytest.mark.parametrize("version", [2, 3])
def test_zip_files_with_and_without_zarr(version: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipStore(path, mode="w") as store:
        zarr.create_array(store, shape=(8, 8), dtype="u1", zarr_format=version)[...] = 1
    assert file_kind(path) is FileKind.ZARR_ZIP
    for name, kind in (
        ("a.zarr/zarr.json", FileKind.ZARR_ZIP),
        ("a/.zarray", FileKind.ZARR_ZIP),
        ("a.json", FileKind.ZIP),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "{}")
        assert file_kind(path) is kind
    path.write_bytes(b"PK\3\4 and no more")
    assert file_kind(path) is FileKind.ZIP


@pytest.mark.parametrize("content", [b"II", b"hello", b"x" * 5000])
def test_anything_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "image.tif").write_bytes(content)
    assert file_kind(tmp_path / "image.tif") is FileKind.OTHER
