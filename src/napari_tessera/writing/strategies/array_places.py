"""Arrays named after the image they come from: ``in.zarr/a`` → ``in_output.zarr/a``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_tessera.writing.strategies.file_names import (
    ENDING,
    UNNAMED,
    KnownSources,
    UniquePaths,
    base_of,
    folder_below,
    numbered,
)
from napari_tessera.writing.strategies.source_names import parse_source, plain

MASK_ENDING = "_done"
"""What the name of a mask has more than that of its array."""

WHOLE = "0"
"""What an array is called whose image is all that its file holds."""


@dataclass(frozen=True)
class ArrayPlace:
    """Where an array lies.

    Parameters
    ----------
    store : pathlib.Path
        The Zarr store.
    path : str
        The array's path in it.
    """

    store: Path
    path: str

    @property
    def parent(self) -> str:
        """Path of the group that holds it."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its name in that group."""
        return self.path.rpartition("/")[2]

    @property
    def mask(self) -> ArrayPlace:
        """Where the mask of what is done lies, if it has one."""
        return ArrayPlace(self.store, self.path + MASK_ENDING)

    def __str__(self) -> str:
        return str(self.store / self.path)


def output_location(dirpath: Path, source: str | Path) -> tuple[Path, str]:
    """Find the store and the path in it for the prediction of an image.

    Parameters
    ----------
    dirpath : pathlib.Path
        Folder that the store goes into.
    source : str or pathlib.Path
        Where the image came from: ``in.zarr/group/array``, ``in.zarr.zip#group/array``,
        ``file.h5#/path``, ``file.czi#scene``, ``file.tif``, ``"array"``, ``"layer:NAME"``, each
        of a lower resolution with ``", level 1"`` after it.

    Returns
    -------
    store : pathlib.Path
        ``dirpath/NAME_output.zarr``, for a lower resolution ``dirpath/NAME_level1_output.zarr``.
    path : str
        The array's path in the image's own store, or the name of the scene; ``"0"`` where the
        image is all that the file or store holds.
    """
    parsed = parse_source(source)
    name, part = parsed.name, parsed.part
    if parsed.in_store:
        name = re.sub(r"\.zarr(\.zip)?$", "", name, flags=re.IGNORECASE)
    elif parsed.is_path and part:
        name = PurePosixPath(name).stem
    else:
        name = name if name.startswith("layer:") else ENDING.sub("", name) or name
        part = _node_name(part)
    stem = plain(name.removesuffix(".ome")) or "array"
    stem = f"{stem}_level{parsed.level}" if parsed.level else stem
    return dirpath / f"{stem}_output.zarr", part or WHOLE


class ArrayPlaces:
    """Places for the predictions of several images and their masks, no two alike.

    Parameters
    ----------
    source_base : path-like, optional
        Common parent of the images (see `common_source_base`): the folders below it are kept.
        Default: that of ``sources``.
    sources : iterable of str or pathlib.Path, optional
        All images that come: their places are then the same in whatever order they come.
    """

    def __init__(
        self, source_base: str | Path | None = None, sources: Iterable[str | Path] = ()
    ) -> None:
        self._known = KnownSources(sources)
        self.source_base = base_of(source_base, self._known)
        self._unique = UniquePaths()

    def place_of(self, dirpath: Path, source: str | Path, data_idx: int) -> ArrayPlace:
        """The place for an image: `output_location`, with the stack's number where it is taken."""
        for at, known in self._known.not_placed(dirpath):
            self._place(dirpath, known, at, self._known.known_key(known))
        return self._place(dirpath, source, data_idx, self._known.key_of(source, data_idx))

    def _place(
        self, dirpath: Path, source: str | Path, number: int, key: tuple[int, str]
    ) -> ArrayPlace:
        folder = dirpath / folder_below(self.source_base, parse_source(source))
        store, path = output_location(folder, source)
        candidates = (store / name for name in _candidates(path, str(source), number))
        found = self._unique.path_for(dirpath, key, candidates, MASK_ENDING)
        return ArrayPlace(store, found.relative_to(store).as_posix())


def _candidates(path: str, source: str, data_idx: int) -> Iterator[str]:
    if source != UNNAMED:
        yield path
    if path == WHOLE:
        yield str(data_idx)
    yield from numbered(path, data_idx)


def _node_name(scene: str) -> str:
    """Name of one array for a scene, whose name may hold anything; others get other names."""
    named = re.sub(r"[^\w.\- ]", lambda match: f"%{ord(match[0]):02X}", scene)
    return named if named.strip(".") else named.replace(".", "%2E")
