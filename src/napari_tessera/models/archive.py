"""Opening a zip archive that a stranger packed."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MOST_MEMBERS = 100_000
"""Members of an archive."""

MOST_BYTES = 8 * 2**30
"""Unpacked size of an archive in bytes."""

MOST_INFLATED = 200
"""How many times its packed size an archive may unpack to, once it is no longer small."""

SMALL = 64 * 2**20
"""Unpacked size in bytes up to which any ratio is accepted."""


_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a version or a compression that Python does not know
    RuntimeError,  # encrypted
    ValueError,  # names that are no text, sizes below zero
)


class ArchiveError(ValueError):
    """An archive that is not read; half a sentence says why."""


@contextmanager
def opened(path: Path | IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open an archive for reading: a file, or its bytes in memory.

    Raises
    ------
    ArchiveError
        If its list of members is damaged.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise ArchiveError("it is a damaged zip archive") from error
    with archive:
        yield archive


def bounded_files(archive: zipfile.ZipFile, packed: int) -> list[zipfile.ZipInfo]:
    """List the files of an archive that do not unpack to too much, without reading any.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The archive.
    packed : int
        Size of the archive in bytes.

    Raises
    ------
    ArchiveError
        If they are too many or too large, or a multiple of the archive that no real file reaches.
    """
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MOST_MEMBERS:
        raise ArchiveError(f"it has {len(infos):,} members, more than {MOST_MEMBERS:,}")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise ArchiveError(f"it unpacks to {total / 2**30:.1f} GiB, more than {MOST_BYTES >> 30}")
    if total > SMALL and total > MOST_INFLATED * packed:
        raise ArchiveError(f"it unpacks to {total // packed} times its size")
    return infos


def checked_members(archive: zipfile.ZipFile, packed: int) -> dict[str, zipfile.ZipInfo]:
    """List the members of an archive whose names and sizes are safe, without reading any.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The archive.
    packed : int
        Size of the archive in bytes.

    Returns
    -------
    dict
        By their name without the one folder that holds all of them.

    Raises
    ------
    ArchiveError
        If a name leaves the folder or stands twice, or if the members unpack to too much.
    """
    infos = bounded_files(archive, packed)
    members: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    seen: set[str] = set()
    for info in infos:
        folder, _, name = info.filename.partition("/")
        parts = name.split("/")
        if "\\" in info.filename or not folder or {"", ".", ".."} & {folder, *parts}:
            raise ArchiveError(f"its member {info.filename[:80]!r} lies outside its folder")
        if info.filename.lower() in seen:
            raise ArchiveError(f"its member {info.filename[:80]!r} stands twice")
        seen.add(info.filename.lower())
        folders.add(folder)
        members[name] = info
    if len(folders) > 1:
        raise ArchiveError("its members lie in more than one folder")
    return members


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int | None = None) -> bytes:
    """Read one member, no more than the size it states and than ``most`` bytes.

    Raises
    ------
    ArchiveError
        If it is damaged, encrypted, or packed in a way Python does not know.
    """
    try:
        with archive.open(info) as member:
            return member.read(info.file_size + 1 if most is None else most)
    except _DAMAGE as error:
        raise ArchiveError(f"its member {info.filename[:80]!r} is damaged") from error


def packed_anew(members: Mapping[str, bytes], folder: str) -> io.BytesIO:
    """Pack members into a fresh archive, uncompressed, all in one folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(f"{folder}/{name}", content)
    buffer.seek(0)
    return buffer


def is_zip(source: Path | bytes) -> bool:
    """Whether a file, or its content, begins and ends as zip archives do."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
        try:
            return file.read(2) == b"PK" and zipfile.is_zipfile(file)
        except zipfile.BadZipFile:
            return False
