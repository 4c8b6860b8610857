"""Whether an image that is being written is still where it was begun."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import zarr

from napari_tessera.writing.ome.metadata import level_name
from napari_tessera.writing.places.keys import read_key
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
        self.check()
        store = self._image.group.store
        if any(read_key(store, key) is None for key in self._keys):
            raise self._gone()
        group = zarr.open_group(store, mode="r+", use_consolidated=False)
        stored: Any = group.attrs.asdict().get(ATTRIBUTE)
        own = self._image.stored
        if not isinstance(stored, dict) or any(stored.get(key) != own[key] for key in _SAME):
            raise self._gone()
        return group

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
