"""The place that workers write to, as each of them opens it."""

from __future__ import annotations

from zarr.storage import MemoryStore

from napari_tessera.stacks.zarr.nodes import innermost_store
from napari_tessera.writing.places.target import Target

IN_MEMORY = "memory://"
"""How URLs begin of what is in the memory of one process."""


def output_place(target: Target) -> str:
    """Path or URL by which another process opens a target.

    Raises
    ------
    ValueError
        If there is none: it is in this process' memory, or one file.
    """
    if not target.is_zarr or target.zipped:
        raise ValueError(
            f"output {target.name}: workers of a cluster write whole shards of OME-Zarr, and this "
            "is one file; use .ome.zarr"
        )
    if target.path is not None:
        return str(target.path)
    if target.store is None:
        return str(target.given)
    if isinstance(innermost_store(target.store), MemoryStore):
        raise ValueError(
            f"output {target.name} is in the memory of this process, where workers cannot write: "
            "give a path or a URL"
        )
    return target.name


def check_shared(where: str, process: str, own: str) -> str:
    """Why a worker cannot write to a place: it is in the memory of another process; or nothing.

    Parameters
    ----------
    where : str
        The place.
    process, own : str
        The worker's process, and this one.
    """
    if not where.startswith(IN_MEMORY) or process == own:
        return ""
    return (
        f"is a process of its own, and {where} is in the memory of this one: give a path or a URL "
        "that both see"
    )
