"""Every format through one call, and what goes wrong with all of them alike."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import open_stack, read_metadata
from napari_tessera.writing import FORMATS, FileFormat, format_of, write_file

from .images import NAMES, all_axes, disk_letters, image, ordered

NAMED = [f"a{ending}" for known in FORMATS for ending in known.endings]
FILES = ["a.ome.zarr", "a.ome.zarr.zip", "a.ome.tif", "a.tif", "a.npy"]


@settings(max_examples=20, deadline=None)
@given(axes=all_axes(), name=st.sampled_from(FILES), steps=st.floats(0.01, 100))
def test_what_is_written_is_opened_again(
    axes: str, name: str, steps: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = image(axes)
    path = tmp_path_factory.mktemp("files") / name
    metadata = ImageMetadata(
        axes,
        scale=tuple(steps * (2 if letter == "Z" else 1) for letter in axes),
        units=tuple("micrometer" if letter in "ZYX" else None for letter in axes),
        channel_names=NAMES if "C" in axes else None,
    )
    assert write_file(path, array, axes=axes, metadata=metadata) == path
    with open_stack(path, axes if name == "a.npy" else None) as stack:
        own = stack.original_axes
        expected = array if name == "a.npy" else ordered(array, axes, own)
        assert stack.original_data_shape == expected.shape
        if name != "a.npy":
            assert own == disk_letters(axes, "TZCYX" if "tif" in name else "TCZYX")
            known = read_metadata(stack)
            for letter in "ZYX":
                if letter in axes:
                    step, unit, start = known.along(letter)
                    assert step == pytest.approx(metadata.along(letter)[0], rel=1e-6)
                    assert (unit, start) == ("micrometer", 0)
            assert known.channel_names == (NAMES if "C" in axes else None) or "C" not in axes
        transposed = expected.transpose([own.index(letter) for letter in "STCZYX" if letter in own])
        sizes = dict(zip(own, expected.shape, strict=True))
        whole = transposed.reshape([sizes.get(letter, 1) for letter in "STCZYX"])
        space = (4, 15, 18) if "Z" in own else (15, 18)
        last = whole[-1, -1] if "Z" in own else whole[-1, -1, :, 0]
        n_samples = sizes.get("S", 1) * sizes.get("T", 1)
        patch = stack.extract_patch(n_samples - 1, None, (0,) * len(space), space)
        np.testing.assert_array_equal(patch, last)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_each_compression_of_each_format_is_written(tmp_path: Path, known: FileFormat) -> None:
    array = image("CYX", Y=200, X=200)
    for name in known.compressions:
        path = tmp_path / f"{name}{known.ending}"
        write_file(path, array, axes="CYX", format=known.label, compression=name)
        with open_stack(path, "CYX") as stack:
            patch = stack.extract_patch(0, None, (0, 0), (200, 200))
            np.testing.assert_array_equal(patch, array)
    if len(known.compressions) > 1:
        write_file(tmp_path / f"const{known.ending}", array * 0, axes="CYX")
        assert size(tmp_path / f"const{known.ending}") < array.nbytes / 4


def size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_the_name_decides_what_a_tif_is(tmp_path: Path) -> None:
    array = image("YX")
    write_file(tmp_path / "a.tif", array, axes="YX", format="OME-TIFF", tile=(16, 16))
    write_file(tmp_path / "b.tif", array, axes="YX")
    assert b"openmicroscopy" in (tmp_path / "a.tif").read_bytes()
    assert b"ImageJ" in (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_files_are_kept_unless_asked(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_file(path, image("YX"), axes="YX")
    with pytest.raises(FileExistsError, match="overwrite it"):
        write_file(path, image("CYX"), axes="CYX")
    write_file(path, image("TYX"), axes="TYX", overwrite=True)
    with open_stack(path, "TYX") as stack:
        assert stack.original_data_shape == (3, 15, 18)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FILES)
def test_places_that_cannot_be_written_are_told_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist: create it") as missing:
        write_file(tmp_path / "none" / name, image("YX"), axes="YX")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="is a file: choose another place") as a_file:
        write_file(tmp_path / "file" / name, image("YX"), axes="YX")
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("x")
    with pytest.raises(FileExistsError, match="never replaced: choose another name") as taken:
        write_file(tmp_path / name, image("YX"), axes="YX", overwrite=True)
    for caught in (missing, a_file, taken):
        assert "\n" not in str(caught.value)
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", name}


@pytest.mark.parametrize("name", FILES)
def test_read_only_folders_are_told(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may write anywhere, so that the question is answered here
    real = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK and real(place, mode))
    with pytest.raises(PermissionError, match="is read-only: choose another place"):
        write_file(tmp_path / name, image("YX"), axes="YX")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond a size: what a full disk is, but for its number."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
@pytest.mark.parametrize("compression", [None, "none"])
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_no_room_is_told_and_leaves_what_was_there(
    tmp_path: Path, name: str, there: bool, compression: str | None
) -> None:
    noise = image("ZYX", "uint8", Y=600, X=600)
    if there:
        write_file(tmp_path / name, image("YX"), axes="YX")
    with (
        files_of_at_most(200_000),
        pytest.raises(OSError, match=r"no space left .*make room") as caught,
    ):
        write_file(tmp_path / name, noise, axes="ZYX", overwrite=there, compression=compression)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ([name] if there else [])
    if there:
        with open_stack(tmp_path / name, "YX") as stack:
            assert stack.original_data_shape == (15, 18)


class Unreadable:
    """An image whose last plane cannot be read."""

    shape, dtype = (3, 40, 50), np.dtype(np.uint8)

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        if index[0].stop > 2:
            raise RuntimeError("plane 2 is damaged")
        return np.ones([part.stop - part.start for part in index], np.uint8)


@pytest.mark.parametrize("name", FILES)
def test_what_cannot_be_read_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match="plane 2 is damaged"):
        write_file(tmp_path / name, Unreadable(), axes="ZYX", memory_limit=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMED)
def test_every_ending_is_written(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, image("YX"), axes="YX")
    with open_stack(tmp_path / name, "YX") as stack:
        patch = stack.extract_patch(0, None, (0, 0), (15, 18))
    np.testing.assert_array_equal(patch[0], image("YX"))
    assert format_of(tmp_path / name).name in {known.name for known in FORMATS}


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"

    class Slow(Unreadable):
        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
            path.write_bytes(b"of somebody else")
            return np.ones([part.stop - part.start for part in index], np.uint8)

    with pytest.raises(FileExistsError, match=r"a\.npy exists"):
        write_file(path, Slow(), axes="ZYX")
    assert path.read_bytes() == b"of somebody else"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", FILES)
def test_a_full_disk_is_told(tmp_path: Path, name: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        write_file(disk / name, image("YX"), axes="YX")
        noise = image("ZYX", "uint8", Y=600, X=900)
        with pytest.raises(OSError, match=r"no space left for .*, of up to .* MB: make") as full:
            write_file(disk / name, noise, axes="ZYX", overwrite=True)
        assert full.value.errno == errno.ENOSPC
        assert [entry.name for entry in disk.iterdir()] == [name]
        with open_stack(disk / name, "YX") as stack:
            assert stack.original_data_shape == (15, 18)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
