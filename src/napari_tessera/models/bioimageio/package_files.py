"""The files of a package: a folder, or a zip archive that is read in place and never unpacked."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from napari_tessera.models.archive import (
    ArchiveError,
    bounded_files,
    is_zip,
    opened,
    read_member,
)
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.sources import Source, is_inside
from napari_tessera.models.ways_out import PACKAGE_AGAIN

DESCRIPTIONS = ("bioimageio.yaml", "rdf.yaml")
"""Names of the file that describes a package, the newer one first."""


class PackageFiles(Protocol):
    """What a package holds."""

    description: str
    """Path of the file that describes it."""

    def has(self, source: Source) -> bool:
        """Whether the package holds a file."""
        ...

    def read(self, name: str, most: int) -> bytes:
        """Content of a file of no more than ``most`` bytes."""
        ...

    def head(self, name: str, count: int) -> tuple[bytes, int]:
        """The first bytes of a file, and its size."""
        ...

    def on_disk(self, name: str, *, with_others: bool = False) -> Path:
        """Path of a file on disk, with the other files of its folder beside it if asked for."""
        ...


class FolderFiles:
    """A package that is a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    description : str
        Name of the file that describes it.
    """

    def __init__(self, folder: Path, description: str) -> None:
        self._folder = folder
        self._root = folder.resolve(strict=True)
        self.description = description

    def has(self, source: Source) -> bool:
        """Whether the package holds a file; a link that leads nowhere counts as one."""
        return not source.is_remote and os.path.lexists(self._folder / source.name)

    def read(self, name: str, most: int) -> bytes:
        """Content of a file of no more than ``most`` bytes."""
        path = self.on_disk(name)
        _check_size(name, path.stat().st_size, most)
        return self.head(name, most)[0]

    def head(self, name: str, count: int) -> tuple[bytes, int]:
        """The first bytes of a file, and its size."""
        path = self.on_disk(name)
        with path.open("rb") as file:
            return file.read(count), path.stat().st_size

    def on_disk(self, name: str, *, with_others: bool = False) -> Path:
        """Path of a file, which its others are beside anyway."""
        try:
            path = (self._folder / name).resolve()
        except RuntimeError:
            # a link that leads to itself, before Python 3.13
            path = self._root / name
        if not path.is_relative_to(self._root):
            raise DescriptionError(
                f"its file {name[:80]!r} is a link that leads out of the package",
                "Put the file itself there",
            )
        if not path.is_file():
            raise DescriptionError(f"it lacks the file {name[:80]!r}", PACKAGE_AGAIN)
        return path


class ZipFiles:
    """A package that is a zip archive.

    Parameters
    ----------
    archive : zipfile.ZipFile
        Open for reading.
    packed : int
        Its size in bytes.
    scratch : Path
        An empty folder for files that can only be read from disk.
    """

    def __init__(self, archive: zipfile.ZipFile, packed: int, scratch: Path) -> None:
        self._archive = archive
        self._scratch = scratch
        self._members = _checked(archive, packed)
        path = _description_among(list(self._members))
        self._root, _, self.description = path.rpartition("/")

    def has(self, source: Source) -> bool:
        """Whether the package holds a file."""
        return not source.is_remote and self._path(source.name) in self._members

    def read(self, name: str, most: int) -> bytes:
        """Content of a file of no more than ``most`` bytes."""
        info = self._member(name)
        _check_size(name, info.file_size, most)
        return self._whole(info)

    def head(self, name: str, count: int) -> tuple[bytes, int]:
        """The first bytes of a file, and its size."""
        info = self._member(name)
        return read_member(self._archive, info, count), info.file_size

    def on_disk(self, name: str, *, with_others: bool = False) -> Path:
        """Path of a copy in the scratch folder, which holds no links."""
        wanted = [self._member(name)]
        if with_others:
            folder = PurePosixPath(self._path(name)).parent
            wanted += [
                info for path, info in self._members.items() if PurePosixPath(path).parent == folder
            ]
        for info in wanted:
            copy = self._scratch / info.filename
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(self._whole(info))
        return self._scratch / wanted[0].filename

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self._root) / name)

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._members[self._path(name)]
        except KeyError:
            raise DescriptionError(f"it lacks the file {name[:80]!r}", PACKAGE_AGAIN) from None

    def _whole(self, info: zipfile.ZipInfo) -> bytes:
        content = read_member(self._archive, info)
        if len(content) != info.file_size:
            raise ArchiveError(f"its member {info.filename[:80]!r} is damaged")
        return content


@contextmanager
def opened_package(path: Path) -> Iterator[PackageFiles]:
    """Open a package.

    Parameters
    ----------
    path : Path
        A zip archive, a folder, or the description in a folder.

    Raises
    ------
    ArchiveError
        If the archive is damaged, holds too much, or names what lies outside it.
    DescriptionError
        If there is no description.
    """
    if path.is_dir():
        names = [entry.name for entry in path.iterdir()]
        yield FolderFiles(path, _description_among(names))
    elif is_zip(path):
        with ExitStack() as stack:
            archive = stack.enter_context(opened(path))
            scratch = stack.enter_context(
                # a network may keep its file open on Windows; it is the system's to clear then
                tempfile.TemporaryDirectory(prefix="tessera-", ignore_cleanup_errors=True)
            )
            yield ZipFiles(archive, path.stat().st_size, Path(scratch))
    else:
        yield FolderFiles(path.parent, path.name)


def _checked(archive: zipfile.ZipFile, packed: int) -> dict[str, zipfile.ZipInfo]:
    """Members by name; refuse an archive whose names or sizes are not safe."""
    members: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in bounded_files(archive, packed):
        name = info.filename
        if not is_inside(name) or {"", "."} & set(name.split("/")):
            raise ArchiveError(f"its member {name[:80]!r} lies outside its folder")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ArchiveError(f"its member {name[:80]!r} is a link")
        if name.lower() in seen:
            raise ArchiveError(f"its member {name[:80]!r} stands twice")
        seen.add(name.lower())
        members[name] = info
    return members


def _description_among(names: list[str]) -> str:
    """The description, at the top or in the one folder there."""
    for depth in (0, 1):
        here = [name for name in names if name.count("/") == depth]
        for wanted in DESCRIPTIONS:
            found = [name for name in here if name.rpartition("/")[2] == wanted]
            if len(found) == 1:
                return found[0]
            if found:
                raise DescriptionError(
                    f"it holds {len(found)} packages", "Unpack it and choose one of its folders"
                )
    raise DescriptionError(
        f"it holds no {' or '.join(DESCRIPTIONS)}", "Choose the folder or archive that does"
    )


def _check_size(name: str, size: int, most: int) -> None:
    if size > most:
        raise DescriptionError(
            f"its file {name[:80]!r} has {size:,} bytes, more than {most:,}", PACKAGE_AGAIN
        )
