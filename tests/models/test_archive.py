from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from napari_tessera.models import archive
from napari_tessera.models.archive import (
    ArchiveError,
    checked_members,
    is_zip,
    opened,
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
    with _zip(tmp_path / "a.zip", "net/data.pkl", "net/code/a.py") as zipped:
        members = checked_members(zipped, 1000)
        assert set(members) == {"data.pkl", "code/a.py"}
        assert read_member(zipped, members["code/a.py"]) == b"content"


@pytest.mark.parametrize(
    "name",
    ["../evil", "net/../../evil", "/evil", "net//evil", "net/./evil", "C:\\evil", "plain"],
)
def test_members_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with (
        _zip(tmp_path / "a.zip", "net/data.pkl", name) as zipped,
        pytest.raises(ArchiveError, match="lies outside its folder"),
    ):
        checked_members(zipped, 1000)


def test_members_in_two_folders_or_twice_are_refused(tmp_path: Path) -> None:
    with (
        _zip(tmp_path / "a.zip", "one/a", "two/a") as zipped,
        pytest.raises(ArchiveError, match="more than one folder"),
    ):
        checked_members(zipped, 1000)
    with (
        _zip(tmp_path / "b.zip", "net/a", "net/A") as zipped,
        pytest.raises(ArchiveError, match="'net/A' stands twice"),
    ):
        checked_members(zipped, 1000)


def test_bombs_are_refused_by_what_they_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zip"
    with _zip(path, "net/a", content=bytes(1_000_000)) as zipped:
        checked_members(zipped, path.stat().st_size)
        monkeypatch.setattr(archive, "SMALL", 1000)
        with pytest.raises(ArchiveError, match=r"unpacks to \d+ times its size"):
            checked_members(zipped, path.stat().st_size)
        monkeypatch.setattr(archive, "MOST_BYTES", 999_999)
        with pytest.raises(ArchiveError, match="it unpacks to"):
            checked_members(zipped, path.stat().st_size)
        monkeypatch.setattr(archive, "MOST_MEMBERS", 0)
        with pytest.raises(ArchiveError, match="it has 1 members, more than 0"):
            checked_members(zipped, path.stat().st_size)


def test_a_member_that_is_longer_than_it_states_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with _zip(path, "net/a", content=bytes(5000)) as zipped:
        info = zipped.getinfo("net/a")
        info.file_size = 10
        with pytest.raises(ArchiveError, match="is damaged"):
            read_member(zipped, info)


def test_damaged_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with _zip(path, "net/a", content=b"abcdef" * 100) as zipped:
        start = zipped.getinfo("net/a").header_offset + 35
    content = bytearray(path.read_bytes())
    content[start + 4] ^= 0xFF
    path.write_bytes(content)
    with zipfile.ZipFile(path) as zipped, pytest.raises(ArchiveError, match="'net/a' is damaged"):
        read_member(zipped, zipped.getinfo("net/a"))


def test_a_damaged_list_of_members_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    _zip(path, "net/a").close()
    content = bytearray(path.read_bytes())
    for damage in (b"PK\x01\x02", b"net/a"):
        spoilt = bytearray(content)
        at = spoilt.rfind(damage)
        spoilt[at : at + 4] = b"\xff\xfe\xfd\xfc"
        # names are read as UTF-8 where the archive says so
        central = spoilt.rfind(b"PK\x01\x02")
        if central >= 0:
            spoilt[central + 9] |= 0x08
        path.write_bytes(spoilt)
        with pytest.raises(ArchiveError, match=r"^it is a damaged zip archive$"), opened(path):
            pass


def test_packing_anew() -> None:
    with zipfile.ZipFile(packed_anew({"a": b"1", "b/c": b"2"}, "net")) as zipped:
        assert {name: zipped.read(name) for name in zipped.namelist()} == {
            "net/a": b"1",
            "net/b/c": b"2",
        }


def test_is_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    _zip(path, "net/a").close()
    assert is_zip(path)
    content = path.read_bytes()
    path.write_bytes(b"not a zip at first" + content)
    assert not is_zip(path)
    # the end of an archive that goes on on another disk
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 2)
    path.write_bytes(content[:-22] + locator + content[-22:])
    assert not is_zip(path)
