"""What may be deleted when people save over it: an image in a Zarr store, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore

from napari_tessera.stacks.zarr.nodes import attributes_of, is_zarr_folder, quiet_zarr
from napari_tessera.writing.places.heartbeat import HEARTBEAT
from napari_tessera.writing.stored.ledger import LEDGER_NAME

_PART_OF_IT = frozenset(
    {"zarr.json", ".zgroup", ".zattrs", ".zmetadata", ".DS_Store", LEDGER_NAME, HEARTBEAT}
)
"""What an image's folder has besides its levels."""


def enclosing_store(path: Path) -> Path:
    """The outermost Zarr store that a place lies in; the place itself where there is none.

    A file dialog goes into a folder that is chosen, so that people who type the name of a store
    that exists end up within it, with the same name once more.
    """
    found = path
    for parent in path.absolute().parents:
        if is_zarr_folder(parent):
            found = parent
    return found


def why_kept(path: Path) -> str:
    """Why a folder is never replaced; empty where it is one image in a Zarr store.

    Labels, tables, a plate's wells and other images in the store would be deleted with it.
    """
    if path.is_symlink() or not is_zarr_folder(path):
        return "it is no Zarr store"
    try:
        with quiet_zarr():
            node = zarr.open(LocalStore(path), mode="r")
            if isinstance(node, zarr.Array):
                return ""
            levels = _levels(attributes_of(node))
            if not levels:
                return "it is a Zarr group, but no image"
            others = sorted({child.name for child in path.iterdir()} - levels - _PART_OF_IT)
    except Exception as error:
        return f"it cannot be read ({error})"
    return f"it holds more than an image: {', '.join(others[:3])}" if others else ""


def _levels(attributes: Mapping[str, Any]) -> set[str]:
    """Outermost folders of an image's levels, in any version of OME-Zarr; none of a plate."""
    ome = attributes.get("ome", attributes)
    try:
        return {
            str(dataset["path"]).partition("/")[0]
            for multiscale in ome["multiscales"]
            for dataset in multiscale["datasets"]
        }
    except (KeyError, TypeError):
        return set()
