"""The other files that pixels of an HDF5 dataset lie in: HDF5 reads zeros where one is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Lock

import h5py
import numpy as np

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.hdf5.filters import check_filters
from napari_tessera.stacks.hdf5.links import find_source, find_storage, node_at
from napari_tessera.stacks.hdf5.nodes import open_hdf5
from napari_tessera.stacks.hdf5.parts import Part, parts_of
from napari_tessera.stacks.patch_index import Index
from napari_tessera.stacks.protocol import StackReadError

_MOST_CHECKED_AT_OPENING = 1000
_MOST_HELD = 64


class LostPixelsError(OSError):
    """A file that holds pixels is gone, cut off, or another one than was opened."""


@dataclass(frozen=True)
class _File:
    """A file as it was when it was opened."""

    path: Path
    size: int
    identity: tuple[int, int]

    def check(self) -> None:
        """Compare with the file that is there now."""
        try:
            now = os.stat(self.path)
        except OSError:
            raise LostPixelsError(
                f"{self.path}, which holds pixels of it, does not exist any more: put it back, and "
                "open the image again"
            ) from None
        if now.st_size < self.size:
            raise LostPixelsError(
                f"{self.path}, which holds pixels of it, had {self.size} bytes when it was "
                f"opened, now it has {now.st_size}"
            )
        if (now.st_dev, now.st_ino) != self.identity:
            raise LostPixelsError(
                f"{self.path}, which holds pixels of it, was replaced: open the image again"
            )


class OtherFiles:
    """Files of external storage and of virtual datasets, at any depth of these.

    HDF5 opens them when pixels of them are read for the first time, and takes what it does not
    find for the fill value. So all are looked for when the image is opened, the datasets in them
    too, and the files that a patch needs are looked at again with every read. Of more than a
    thousand parts the further ones are opened when they are read. Some files stay open, so that no
    other program writes to them in the meantime.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    source : str
        What messages call it.

    Raises
    ------
    FileNotFoundError
        If a file, or a dataset in it, is missing.
    StackReadError
        If external storage ends too early, or a file cannot be opened.
    ValueError
        If a compression filter is missing.
    """

    def __init__(self, dataset: h5py.Dataset, source: str) -> None:
        self._source = source
        self._files: dict[Path, _File] = {}
        self._held: dict[Path, h5py.File] = {}
        self._lock = Lock()
        self._external = self._storage(dataset)
        self._parts = list(parts_of(dataset))
        self._swmr = dataset.file.swmr_mode if self._parts else False
        # another opening of it might not be allowed, if it is read while it is written
        self._own_file = dataset.file if self._parts else None
        self._own = Path(dataset.file.filename).resolve()
        self._low = np.array([part.low for part in self._parts])
        self._high = np.array([part.high for part in self._parts])
        self._needed: list[tuple[_File, ...] | None] = [None] * len(self._parts)
        try:
            for part in self._parts:
                self._located(self._own, part.file_name)
            for number in range(min(len(self._parts), _MOST_CHECKED_AT_OPENING)):
                self._files_of(number)
        except BaseException:
            self.close()
            raise

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order in which they are named."""
        return tuple(self._files)

    def check(self, index: Index) -> None:
        """Check that the files are there that a part of the image needs.

        Raises
        ------
        LostPixelsError
            If one is gone, shorter than it was, or replaced.
        """
        files = set(self._external)
        if self._parts:
            spans = [(i.start, i.stop) if isinstance(i, slice) else (i, i + 1) for i in index]
            starts, stops = np.array(spans).T
            met = ((self._high >= starts) & (self._low < stops)).all(axis=1)
            for number in np.flatnonzero(met).tolist():
                files.update(self._needed[number] or self._found_late(number))
        for file in files:
            file.check()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            while self._held:
                self._held.popitem()[1].close()
            self._own_file = None

    def _found_late(self, number: int) -> tuple[_File, ...]:
        try:
            with self._lock:
                return self._files_of(number)
        except (OSError, ValueError) as error:
            raise LostPixelsError(error_line(error)) from error

    def _files_of(self, number: int) -> tuple[_File, ...]:
        """The files that a part needs, of which all is looked for that should be in them."""
        files = self._needed[number]
        if files is None:
            part = self._parts[number]
            files = tuple(dict.fromkeys(self._walk(self._own, part, set())))
            self._needed[number] = files
        return files

    def _walk(self, parent: Path, part: Part, seen: set[tuple[Path, str]]) -> Iterable[_File]:
        path = self._located(parent, part.file_name)
        if (path, part.name) in seen:
            return
        seen.add((path, part.name))
        if part.file_name:
            yield self._file(path)
        with self._opened(path) as file:
            dataset = self._dataset(file, path, part.name)
            check_filters(dataset, f"{path}#{dataset.name}")
            yield from self._storage(dataset)
            for inner in parts_of(dataset):
                yield from self._walk(path, inner, seen)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[h5py.File]:
        """A file that is open, or opened for the moment or for good."""
        file = self._own_file if path == self._own else self._held.get(path)
        if file is not None:
            yield file
            return
        file = self._newly_opened(path)
        if len(self._held) < _MOST_HELD:
            self._held[path] = file
            yield file
            return
        with file:
            yield file

    def _newly_opened(self, path: Path) -> h5py.File:
        try:
            file = open_hdf5(path)
        except StackReadError as error:
            raise StackReadError(f"{self._source} has pixels in another file: {error}") from error
        if file.swmr_mode and not self._swmr:
            file.close()
            raise StackReadError(
                f"{self._source} has pixels in {path}, which is open for writing in another "
                "program: close it there"
            )
        return file

    def _dataset(self, file: h5py.File, path: Path, name: str) -> h5py.Dataset:
        try:
            found = node_at(file, name)
        except KeyError:
            found = None
        if not isinstance(found, h5py.Dataset):
            raise FileNotFoundError(
                f"{self._source} has pixels in {path}#/{name.lstrip('/')}, which does not exist: "
                "put the file there that has it, or save the image as one file"
            )
        return found

    def _storage(self, dataset: h5py.Dataset) -> tuple[_File, ...]:
        """Files of external storage, each long enough for what lies in it."""
        left = prod(dataset.shape) * dataset.dtype.itemsize
        own = Path(dataset.file.filename).resolve()
        files = []
        for name, offset, size in dataset.external or ():
            taken = min(size, left)
            left -= taken
            path = self._located(own, name, find_storage)
            file = self._file(path)
            if file.size < offset + taken:
                raise StackReadError(
                    f"{self._source} is cut off: its pixels in {path} should end at byte "
                    f"{offset + taken}, the file ends at byte {file.size}"
                )
            files.append(file)
        return tuple(files)

    def _located(
        self, own: Path, name: str, find: Callable[[Path, str], Path | None] = find_source
    ) -> Path:
        """Path of a file that another one names."""
        if not name:
            return own
        path = find(own, name)
        if path is None:
            raise FileNotFoundError(
                f"{self._source} has pixels in {own.parent / name}, which does not exist: put it "
                "there, or save the image as one file"
            )
        self._file(path)
        return path

    def _file(self, path: Path) -> _File:
        file = self._files.get(path)
        if file is None:
            now = os.stat(path)
            file = self._files[path] = _File(path, now.st_size, (now.st_dev, now.st_ino))
        return file
