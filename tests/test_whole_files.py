"""A file is there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from napari_tessera.whole_files import whole_file


def write(path: Path, content: bytes = b"new", *, overwrite: bool = True) -> None:
    with whole_file(path, overwrite=overwrite) as partial:
        partial.write_bytes(content)


def test_a_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    write(path, overwrite=False)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["m.pt"]


def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match=r"m\.pt exists: choose another name, or overwrite"):
        write(path, overwrite=False)
    assert path.read_bytes() == b"old"
    write(path)
    assert path.read_bytes() == b"new"


def test_places_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"is a folder: choose the name of a file"):
        write(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*no: make it"):
        write(tmp_path / "no" / "m.pt")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "no space left for .*: make room"),
        (errno.EDQUOT, "no space left for"),
        (errno.EROFS, "cannot be written to .*choose another folder"),
        (errno.EIO, r"cannot be written \(Input/output error\)"),
    ],
)
def test_what_goes_wrong_leaves_the_old_file(tmp_path: Path, number: int, says: str) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(b"old")

    def failing() -> None:
        with whole_file(path, overwrite=True) as partial:
            partial.write_bytes(b"ne")
            raise OSError(number, os.strerror(number))

    with pytest.raises(OSError, match=says) as raised:
        failing()
    assert "\n" not in str(raised.value)
    assert raised.value.errno == number
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.pt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """The system's own error: every write to this device finds no space."""
    path = tmp_path / "m.pt"

    def failing() -> None:
        with whole_file(path, overwrite=True) as partial:
            partial.symlink_to("/dev/full")
            partial.write_bytes(b"new" * 10_000)

    with pytest.raises(OSError, match="no space left for"):
        failing()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere"
)
def test_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="cannot be written to"):
            write(tmp_path / "m.pt")
    finally:
        tmp_path.chmod(0o700)


def test_other_errors_come_through(tmp_path: Path) -> None:
    def failing() -> None:
        with whole_file(tmp_path / "m.pt", overwrite=True) as partial:
            partial.write_bytes(b"n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert os.listdir(tmp_path) == []
