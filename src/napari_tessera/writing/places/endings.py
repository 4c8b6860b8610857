"""What the ending of a name says is written there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Literal

from napari_tessera.stacks.opening.location import local_path

Kind = Literal["zarr", "zip", "ome-tiff", "tiff", "npy"]

ENDINGS: Mapping[str, Kind] = {
    ".ome.zarr": "zarr",
    ".zarr": "zarr",
    ".ome.zarr.zip": "zip",
    ".zarr.zip": "zip",
    ".ome.tif": "ome-tiff",
    ".ome.tiff": "ome-tiff",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".npy": "npy",
}
"""What is written under a name, the usual ending of each kind first."""

_OFFERED = (".ome.zarr", ".zarr", ".ome.zarr.zip", ".ome.tif", ".tif", ".npy")


def endings_of(*kinds: Kind) -> tuple[str, ...]:
    """Endings of some kinds, the usual ones first."""
    return tuple(ending for wanted in kinds for ending, kind in ENDINGS.items() if kind == wanted)


def last_part(where: str | PathLike[str]) -> str:
    """The file's or folder's own name; of a URL without the question that follows it."""
    text = os.fspath(where)
    path = local_path(text) if isinstance(where, str) else Path(text)
    if path is not None:
        return path.name
    return text.partition("?")[0].rstrip("/").rpartition("/")[2]


def ending_of(where: str | PathLike[str]) -> str:
    """The longest ending out of `ENDINGS` that a place's name has, in any case; empty if none."""
    name = last_part(where).casefold()
    return max((ending for ending in ENDINGS if name.endswith(ending)), key=len, default="")


def unknown_ending(where: str | PathLike[str]) -> ValueError:
    """What is told of a name that does not say what it is."""
    name = last_part(where)
    return ValueError(
        f"output {name!r}: unknown ending {Path(name).suffix!r}; use "
        f"{', '.join(_OFFERED[:-1])} or {_OFFERED[-1]}"
    )
