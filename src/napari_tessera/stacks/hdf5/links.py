"""Other files that an HDF5 file names, looked at before HDF5 opens them.

HDF5 opens whatever a link, a virtual dataset or external storage names, and waits for ever where
that is a pipe, or a device without end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import h5py

from napari_tessera.stacks.protocol import StackReadError

NUMBER = re.compile(r"%([b%])")
"""What stands for a number, or a percent sign, in names of a virtual dataset (H5Pset_virtual)."""

_LINKS = "HDF5_EXT_PREFIX"
_SOURCES = "HDF5_VDS_PREFIX"


class NoRegularFileError(StackReadError):
    """A file names another one that is a pipe, a device or of the kernel."""


def node_at(group: h5py.Group, name: str) -> Any:
    """What has a name in a file, without opening what is no regular file on the way to it.

    Parameters
    ----------
    group : h5py.Group
        An open file or group.
    name : str
        Path from the group, or from the file with a ``/`` before it.

    Returns
    -------
    h5py.Group, h5py.Dataset or h5py.Datatype

    Raises
    ------
    NoRegularFileError
        If a link on the way, or a virtual dataset without end, leads to no regular file.
    KeyError
        If there is nothing of this name.
    """
    _check_links(group, name, set())
    node = group[name]
    if isinstance(node, h5py.Dataset):
        _check_endless_sources(node)
    return node


def optional_node(group: h5py.Group, name: str) -> Any:
    """What has a name in a file (see `node_at`), or None."""
    try:
        return node_at(group, name)
    except KeyError:
        return None


def find_source(own: Path, name: str) -> Path | None:
    """Where HDF5 finds a source of a virtual dataset of a file; None if nowhere.

    Raises
    ------
    NoRegularFileError
        If HDF5 would open what is no regular file.
    """
    return _first_file(own, _searched(own, name, _SOURCES))


def find_storage(own: Path, name: str) -> Path | None:
    """Where the external storage of a name lies: beside its file, then where we are; or None.

    Raises
    ------
    NoRegularFileError
        If that is no regular file.
    """
    return _first_file(own, (own.parent / name, Path(name)))


def _first_file(own: Path, candidates: Iterable[Path]) -> Path | None:
    for path in candidates:
        try:
            found = path.stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISDIR(found.st_mode):
            continue
        if not stat.S_ISREG(found.st_mode):
            raise NoRegularFileError(
                f"{own} refers to {path}, which is no regular file: pipes and devices cannot be "
                "read; put the file there"
            )
        return path.resolve()
    return None


def _searched(own: Path, name: str, prefix: str) -> Iterator[Path]:
    """In HDF5's order (H5F_prefix_open_file); of what is absolute and not there, the last part."""
    if not name:
        return
    asked = Path(name)
    if asked.is_absolute():
        yield asked
        asked = Path(asked.name)
    for folder in filter(None, os.environ.get(prefix, "").split(os.pathsep)):
        yield Path(folder) / asked
    yield own.parent / asked
    yield asked
    yield own.resolve().parent / asked


def _check_links(group: h5py.Group, name: str, seen: set[tuple[str, str]]) -> None:
    """Look at each link of a path before HDF5 follows it; what else is wrong HDF5 will say."""
    within: Any = group.file if name.startswith("/") else group
    for part in name.split("/"):
        if part in ("", "."):
            continue
        try:
            link = within.get(part, getlink=True)
        except TypeError:
            # links of a kind that h5py does not know lead nowhere
            return
        known = (within.file.filename, f"{within.name}/{part}")
        if known in seen or link is None:
            return
        if not isinstance(link, h5py.HardLink):
            seen.add(known)
        if isinstance(link, h5py.SoftLink):
            _check_links(within, link.path, seen)
        elif isinstance(link, h5py.ExternalLink):
            _check_other(Path(within.file.filename), link, seen)
        try:
            within = within[part]
        except (KeyError, OSError):
            return
        if not isinstance(within, h5py.Group):
            return


def _check_other(own: Path, link: h5py.ExternalLink, seen: set[tuple[str, str]]) -> None:
    path = _first_file(own, _searched(own, link.filename, _LINKS))
    # files of the kernel are regular ones of no bytes, and some wait
    if path is not None and not path.stat().st_size:
        raise NoRegularFileError(f"{own} refers to {path}, which is empty; put the file there")
    if path is None:
        return
    try:
        other = h5py.File(path, "r")
    except OSError:
        return
    with other:
        _check_links(other, link.path, seen)


def _check_endless_sources(dataset: h5py.Dataset) -> None:
    """Look at the sources that HDF5 opens as soon as it is asked for the shape of a dataset."""
    if not dataset.is_virtual:
        return
    own = Path(dataset.file.filename)
    for entry in dataset.virtual_sources():
        if endless_axis(entry.vspace) is None or entry.file_name == ".":
            continue
        numbered = "b" in NUMBER.findall(entry.file_name)
        for number in count():
            there = find_source(own, with_number(entry.file_name, number))
            if there is None or not numbered:
                break


def endless_axis(space: h5py.h5s.SpaceID) -> int | None:
    """The axis along which a selection goes on for as long as its sources do."""
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    _, _, counts, blocks = space.get_regular_hyperslab()
    sizes = enumerate(zip(counts, blocks, strict=True))
    return next((axis for axis, both in sizes if h5py.h5s.UNLIMITED in both), None)


def with_number(name: str, number: int) -> str:
    """A name of a virtual dataset's source, for the block of a number."""
    return NUMBER.sub(lambda found: str(number) if found[1] == "b" else "%", name)
