"""An image in a ZIP file: packed when it is whole, and never in the place of another one before."""

from __future__ import annotations

import zarr

from napari_tessera.stacks.zarr.nodes import quiet_zarr
from napari_tessera.writing.places.packing import pack
from napari_tessera.writing.places.removal import delete_store, is_free
from napari_tessera.writing.places.target import Target
from napari_tessera.writing.stored.ledger import remove_ledger
from napari_tessera.writing.stored.stored_run import stored_run


def end_zip(target: Target, completed: bool) -> None:
    """Pack what a run wrote; does nothing where no ZIP file is written.

    A file that was there before is replaced by a complete image only. What a run that was stopped
    has written goes then, as it could not be gone on with.

    Raises
    ------
    StoreError
        If it cannot be packed: the folder is then left, and named.
    """
    if not target.zipped:
        return
    if completed or is_free(target):
        pack(target)
    else:
        delete_store(target)


def pack_what_is_whole(target: Target) -> bool:
    """Pack the complete image that an earlier run could not, or was killed before it did.

    To be called by the one who has the place's lock.

    Returns
    -------
    bool
        Whether there was one, and no file of that name.

    Raises
    ------
    StoreError
        If it still cannot be packed; nothing is deleted.
    """
    if not target.zipped or target.folder is None or not target.folder.is_dir():
        return False
    if not is_free(target):
        return False
    try:
        with quiet_zarr():
            group = zarr.open_group(target.open_store(), mode="r", use_consolidated=False)
            run = stored_run(group)
    except (AttributeError, FileNotFoundError, KeyError, TypeError, ValueError):
        return False
    if run is None or not run.completed:
        return False
    group = zarr.open_group(target.open_store(), mode="r+", use_consolidated=False)
    remove_ledger(group, keep=bool(run.skipped_tiles))
    pack(target)
    return True


def way_out(target: Target) -> str:
    """What to do where a disk is full: of a ZIP file, only the folder can be gone on with."""
    if not target.zipped or target.path is None:
        return "make room and resume"
    name = target.path.name.removesuffix(target.path.suffix)
    return f"make room, rename the folder {target.folder} to {name} and resume that"
