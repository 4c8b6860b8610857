from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from napari_tessera.models import archive
from napari_tessera.models.archive import (
    ArchiveError,
    checked_members,
    is_zip,
    packed_anew,
    read_member,
)


def _zip(path: Path, *names: str, content: bytes = b"content") -> zipfile.ZipFile:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.filename = name
            new.writestr(info, content, zipfile.ZIP_DEFLATED)
    return zipfile.ZipFile(path)


def test_members_are_named_without_their_folder(tmp_path: Path) -> None:
    with _zip(tmp_path / "a.zip", "net/data.pkl", "net/code/a.py") as opened:
        members = checked_members(opened, 1000)
        assert set(members) == {"data.pkl", "code/a.py"}
        assert read_member(opened, members["code/a.py"]) == b"content"


@pytest.mark.parametrize(
    "name",
    ["../evil", "net/../../evil", "/evil", "net//evil", "net/./evil", "C:\\evil", "plain"],
)
def test_members_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with (
        _zip(tmp_path / "a.zip", "net/data.pkl", name) as opened,
        pytest.raises(ArchiveError, match="lies outside its folder"),
    ):
        checked_members(opened, 1000)


def test_members_in_two_folders_or_twice_are_refused(tmp_path: Path) -> None:
    with (
        _zip(tmp_path / "a.zip", "one/a", "two/a") as opened,
        pytest.raises(ArchiveError, match="more than one folder"),
    ):
        checked_members(opened, 1000)
    with (
        _zip(tmp_path / "b.zip", "net/a", "net/A") as opened,
        pytest.raises(ArchiveError, match="'net/A' stands twice"),
    ):
        checked_members(opened, 1000)


def test_bombs_are_refused_by_what_they_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zip"
    with _zip(path, "net/a", content=bytes(1_000_000)) as opened:
        checked_members(opened, path.stat().st_size)
        monkeypatch.setattr(archive, "SMALL", 1000)
        with pytest.raises(ArchiveError, match=r"unpacks to \d+ times its size"):
            checked_members(opened, path.stat().st_size)
        monkeypatch.setattr(archive, "MOST_BYTES", 999_999)
        with pytest.raises(ArchiveError, match="it unpacks to"):
            checked_members(opened, path.stat().st_size)
        monkeypatch.setattr(archive, "MOST_MEMBERS", 0)
        with pytest.raises(ArchiveError, match="it has 1 members, more than 0"):
            checked_members(opened, path.stat().st_size)


def test_a_member_that_is_longer_than_it_states_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with _zip(path, "net/a", content=bytes(5000)) as opened:
        info = opened.getinfo("net/a")
        info.file_size = 10
        with pytest.raises(ArchiveError, match="is damaged"):
            read_member(opened, info)


def test_damaged_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with _zip(path, "net/a", content=b"abcdef" * 100) as opened:
        start = opened.getinfo("net/a").header_offset + 35
    content = bytearray(path.read_bytes())
    content[start + 4] ^= 0xFF
    path.write_bytes(content)
    with zipfile.ZipFile(path) as opened, pytest.raises(ArchiveError, match="'net/a' is damaged"):
        read_member(opened, opened.getinfo("net/a"))


def test_packing_anew() -> None:
    with zipfile.ZipFile(packed_anew({"a": b"1", "b/c": b"2"}, "net")) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            "net/a": b"1",
            "net/b/c": b"2",
        }


def test_is_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    _zip(path, "net/a").close()
    assert is_zip(path)
    path.write_bytes(b"not a zip at first" + path.read_bytes())
    assert not is_zip(path)
