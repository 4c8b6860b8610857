"""Names for the results of several images in one folder: no two alike, folders kept."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path, PurePosixPath

from napari_tessera.writing.strategies.source_names import SourceName, parse_source, plain

LONGEST_STEM = 150
"""Characters of a name that are made out of a source; file systems take 255 bytes."""

UNNAMED = "array"
"""Source of images that have no name: each run over one is over another image."""

ENDING = re.compile(r"(\.ome)?(\.zarr)?\.[A-Za-z][A-Za-z0-9]{0,5}$", re.IGNORECASE)
"""What of a file's name says its kind, and is left out of the names of results."""

ImageKey = tuple[int, str]
"""An image of a run: its ``data_idx`` and its source."""


def common_source_base(sources: Iterable[str | Path]) -> Path | None:
    """The folder that holds all of some images.

    Parameters
    ----------
    sources : iterable of str or pathlib.Path
        Where the images came from; what is no local file does not count.

    Returns
    -------
    pathlib.Path or None
        None where fewer than two are files, or there is no such folder (two drives).
    """
    folders = [folder for source in sources if (folder := _folder(parse_source(source)))]
    if len(folders) < 2:
        return None
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        return None


class UniquePaths:
    """Hands out one path for each image, and never one path twice.

    The same image gets the same path again. Two paths that differ only in upper and lower case
    are one, as they are on many disks.
    """

    def __init__(self) -> None:
        self._paths: dict[tuple[Path, ImageKey], Path] = {}
        self._taken: set[str] = set()

    def path_for(
        self, dirpath: Path, key: ImageKey, candidates: Iterator[Path], beside: str = ""
    ) -> Path:
        """The path of an image, or the first candidate that no other image has.

        Where something is written ``beside`` it, which is called like it with this at the end, no
        other image has that one either.
        """
        known = self._paths.get((dirpath, key))
        if known is not None:
            return known
        for path in candidates:
            wanted = {_folded(path), _folded(path.with_name(path.name + beside))}
            if not wanted & self._taken:
                break
        self._taken |= wanted
        self._paths[dirpath, key] = path
        return path


class RunNumbers:
    """Numbers for images that have no name: those of each run come after those before it."""

    def __init__(self) -> None:
        self._first: Counter[Path] = Counter()
        self._next: Counter[Path] = Counter()

    def next_run(self) -> None:
        """Begin a run."""
        self._first = self._next.copy()

    def number_of(self, dirpath: Path, source: str | Path, data_idx: int) -> int:
        """The number for the name of an image; of one that has a name that of its stack."""
        return data_idx + (self._first[dirpath] if str(source) == UNNAMED else 0)

    def note_used(self, dirpath: Path, source: str | Path, number: int) -> None:
        """Say that something of that number was written."""
        if str(source) == UNNAMED:
            self._next[dirpath] = max(self._next[dirpath], number + 1)


class KnownSources:
    """Images that are known before any comes, so that names do not depend on which comes first.

    Parameters
    ----------
    sources : iterable of str or pathlib.Path
        Where they come from, in any order.
    """

    def __init__(self, sources: Iterable[str | Path]) -> None:
        self._order = sorted({str(source): None for source in sources})
        self._keys = {same_source(text): (-1 - at, text) for at, text in enumerate(self._order)}
        self._stack_of: dict[ImageKey, int] = {}
        self._placed: set[Path] = set()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return enumerate(self._order)

    def not_placed(self, dirpath: Path) -> Iterator[tuple[int, str]]:
        """All of them with their numbers, once for each folder."""
        if dirpath not in self._placed:
            self._placed.add(dirpath)
            yield from self

    def key_of(self, source: str | Path, data_idx: int) -> ImageKey:
        """What an image is called by; of two stacks of one source the first is the known one."""
        key = self._keys.get(same_source(source))
        if key is None or self._stack_of.setdefault(key, data_idx) != data_idx:
            return data_idx, str(source)
        return key

    def known_key(self, source: str) -> ImageKey:
        """What one of the known images is called by."""
        return self._keys[same_source(source)]


def same_source(source: str | Path) -> str:
    """A text that is the same for every way to write one local file."""
    text, folder = str(source), parse_source(source).folder
    return text if not folder else os.path.abspath(text.removeprefix("file://"))


class FileNames:
    """Files for the predictions of several images.

    ``/data/a/cells.tif`` → ``DIR/cells.tif``, and ``DIR/a/cells.tif`` where ``source_base`` is
    ``/data``. Parts of a file stand in the name: ``in.zarr/group/array`` → ``in_group_array``.
    Images without a file, and those whose name another one has, get the number of their stack
    behind it, those that are known by ``sources`` that among these.

    Parameters
    ----------
    extension : str
        What names end with, dot included.
    source_base : path-like, optional
        Common parent of the images (see `common_source_base`): the folders below it are kept.
        Default: that of ``sources``.
    sources : iterable of str or pathlib.Path, optional
        All images that come: their names are then the same in whatever order they come.
    """

    def __init__(
        self,
        extension: str,
        source_base: str | Path | None = None,
        sources: Iterable[str | Path] = (),
    ) -> None:
        self.extension = extension
        self._known = KnownSources(sources)
        self.source_base = base_of(source_base, self._known)
        self._unique = UniquePaths()

    def path_of(self, dirpath: Path, source: str | Path, data_idx: int) -> Path:
        """The file for an image below a folder; it may exist, and its folder may not.

        Parameters
        ----------
        dirpath : pathlib.Path
            Folder that results go into.
        source : str or pathlib.Path
            Where the image came from.
        data_idx : int
            Number of its stack.
        """
        for at, known in self._known.not_placed(dirpath):
            candidates = self._candidates(dirpath, known, at)
            self._unique.path_for(dirpath, self._known.known_key(known), candidates)
        candidates = self._candidates(dirpath, source, data_idx)
        return self._unique.path_for(dirpath, self._known.key_of(source, data_idx), candidates)

    def _candidates(self, dirpath: Path, source: str | Path, data_idx: int) -> Iterator[Path]:
        parsed = parse_source(source)
        folder = dirpath / folder_below(self.source_base, parsed)
        stem = _stem(parsed)
        if str(source) != UNNAMED:
            yield folder / f"{stem}{self.extension}"
        for other in numbered(stem, data_idx):
            yield folder / f"{other}{self.extension}"


def base_of(given: str | Path | None, known: KnownSources) -> Path | None:
    """The common parent that is given, else that of the images that are known."""
    if given is not None:
        return Path(given)
    return common_source_base(source for _, source in known)


def folder_below(base: Path | None, source: SourceName) -> Path:
    """Folder of an image below a common parent; empty where there is none, or it lies elsewhere."""
    folder = _folder(source)
    if base is None or folder is None:
        return Path()
    try:
        # without .. in it, which would lead out of the folder that results go into
        return Path(folder).relative_to(os.path.abspath(base))
    except ValueError:
        return Path()


def numbered(stem: str, data_idx: int) -> Iterator[str]:
    """Names to try where one is taken: with the number of the stack, then counted on."""
    yield f"{stem}_{data_idx}"
    yield from (f"{stem}_{data_idx}_{n}" for n in count(2))


def _folder(source: SourceName) -> str | None:
    """Absolute folder of a local file; None for what is none."""
    return os.path.abspath(source.folder) if source.folder else None


def _stem(source: SourceName) -> str:
    name = source.name
    if not name.startswith("layer:"):
        name = ENDING.sub("", name) or name
    # "0" is what the full size of an image is called that has levels
    inner = "" if source.part == "0" and source.in_store else source.part
    parts = [name, *PurePosixPath(inner).parts, f"level{source.level}" if source.level else ""]
    return "_".join(filter(None, map(plain, parts)))[:LONGEST_STEM] or "array"


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
