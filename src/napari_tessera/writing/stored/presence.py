"""Whether an image that is being written is still where it was begun."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import zarr

from napari_tessera.writing.ome.metadata import level_name
from napari_tessera.writing.places.keys import read_keys
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target
from napari_tessera.writing.stored.image_store import ImageStore
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE

_SAME = ("fingerprint", "started")
"""What tells a run from any other."""


class Presence:
    """Finds out that an image was removed, moved or replaced while it was written.

    Writing would go on as if nothing were: a folder that is missing is made again by each chunk.

    Parameters
    ----------
    target : Target
        The place.
    image : ImageStore
        What is written there.
    """

    def __init__(self, target: Target, image: ImageStore) -> None:
        self.lost = False
        """Whether it was found to be gone: nothing may be written there then."""
        self._target = target
        self._image = image
        kinds = (".zgroup", ".zarray") if image.group.metadata.zarr_format == 2 else ("zarr.json",)
        self._keys = [
            kinds[0],
            *(f"{level_name(at)}/{kinds[-1]}" for at in range(len(image.arrays))),
        ]
        # whatever folder one works in later
        self._folder = None if target.folder is None else target.folder.absolute()
        self._looked_at = (
            [] if self._folder is None else [str(self._folder / key) for key in self._keys[:2]]
        )
        self._identity = _identity(self._folder)
        self._attributes_key = ".zattrs" if kinds[0] == ".zgroup" else kinds[0]
        # Attributes hold the plan, which takes long to parse: only where they have changed.
        self._seen: tuple[bytes | None, dict[str, Any]] | None = None

    def check(self) -> None:
        """Look whether it is there, where that takes no time: in a local folder.

        Raises
        ------
        StoreError
            If it is not.
        """
        folder = self._folder
        if folder is None:
            return
        # each batch looks, so no paths are put together here
        there = all(map(os.path.isfile, self._looked_at))
        if not there or _identity(folder) != self._identity:
            raise self._gone()

    def reopened(self) -> zarr.Group:
        """The group, with the attributes that it has by now, in whatever place.

        Raises
        ------
        StoreError
            If it is not there, or not all of it, or another run's.
        """
        self.stored()
        return self._opened()

    def stored(self) -> dict[str, Any]:
        """What is stored of the run by now, in whatever place.

        Raises
        ------
        StoreError
            As `reopened`.
        """
        self.check()
        store = self._image.group.store
        found = read_keys(store, {*self._keys, self._attributes_key})
        if any(found[key] is None for key in self._keys):
            raise self._gone()
        attributes = found[self._attributes_key]
        if self._seen is None or self._seen[0] != attributes:
            stored: Any = self._opened().attrs.asdict().get(ATTRIBUTE)
            own = self._image.stored
            if not isinstance(stored, dict) or any(stored.get(key) != own[key] for key in _SAME):
                raise self._gone()
            self._seen = attributes, stored
        return self._seen[1]

    def _opened(self) -> zarr.Group:
        return zarr.open_group(self._image.group.store, mode="r+", use_consolidated=False)

    def _gone(self) -> StoreError:
        self.lost = True
        return StoreError(
            f"{self._target.name} was removed, moved or replaced while it was written: resume it "
            "where it is now, or start anew"
        )


def _identity(folder: Path | None) -> tuple[int, int] | None:
    if folder is None:
        return None
    try:
        found = os.stat(folder)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
