"""Whether a result can be written to a place: what is there, and whether it may go on or go."""

from __future__ import annotations

from os import PathLike

from zarr.abc.store import Store

from napari_tessera.writing.places.checks import Sources, check_file, check_place
from napari_tessera.writing.places.lock import check_not_written
from napari_tessera.writing.places.removal import is_free, is_zarr
from napari_tessera.writing.places.replaceable import why_kept
from napari_tessera.writing.places.target import Target, parse_target, zarr_target
from napari_tessera.writing.stored.stored_run import read_unfinished


def check_target(
    where: str | PathLike[str] | Store | Target,
    *,
    resume: bool = False,
    overwrite: bool = False,
    source: Sources = None,
) -> None:
    """Raise unless a result can be written to a place. Nothing is written or deleted.

    Parameters
    ----------
    where : str, path-like, zarr.abc.store.Store or Target
        What `parse_target` takes.
    resume : bool, default False
        An unfinished run of ours may be there. Nothing there is no error.
    overwrite : bool, default False
        A Zarr store, or a file where a file is to be written, may be there.
    source : str, pathlib.Path or several of them, optional
        Where the image comes from, as `stacks.read_origins` gives it; the result may not replace
        any of it, nor lie in the Zarr store that it is a part of.

    Raises
    ------
    FileExistsError
        If something is there that was not asked to be continued or replaced, or that is neither
        a Zarr store nor a file of the kind: such a thing is never deleted.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    StoreBusyError
        If another run writes to a Zarr store that is local.
    StoreError
        If a place that is not local does not answer.
    ValueError
        If the ending is unknown, the input is there, or ``resume`` and ``overwrite`` are both
        given, or ``resume`` for anything that is written when all is done.
    """
    target = parse_target(where)
    if resume and target.kind != "zarr":
        raise _not_resumed(target)
    check_place(target, source)
    if target.is_zarr:
        check_not_written(target)
        check_store(target, resume=resume, overwrite=overwrite)
    else:
        assert target.path is not None
        check_file(target.path, overwrite=overwrite)


def check_store(
    where: str | PathLike[str] | Store | Target, *, resume: bool = False, overwrite: bool = False
) -> None:
    """Raise unless a Zarr store can be made at a place, continued or replaced as asked."""
    target = zarr_target(where)
    name = target.name
    if resume and overwrite:
        raise ValueError(f"{name}: resume and overwrite exclude each other; choose one")
    if resume and target.zipped:
        raise _not_resumed(target)
    if is_free(target):
        return
    if not is_zarr(target):
        raise FileExistsError(
            f"{name} exists and is no Zarr store, so it is never replaced: choose another name"
        )
    stored = None if target.zipped or overwrite else read_unfinished(target)
    if resume and stored is not None:
        return
    kept = why_kept(target)
    if overwrite and not kept:
        return
    if kept:
        nothing = ", holds no run of napari-tessera to resume" if resume else ""
        raise FileExistsError(
            f"{name} exists{nothing}, and {kept}, so it is never replaced: choose another name"
        )
    if resume:
        raise FileExistsError(
            f"{name} exists and holds no run of napari-tessera to resume: choose another "
            "name, or overwrite it"
        )
    continue_it = "" if stored is None or stored.completed else "resume it, "
    raise FileExistsError(f"{name} exists: {continue_it}overwrite it, or choose another name")


def _not_resumed(target: Target) -> ValueError:
    kinds = {"zip": "a ZIP file", "npy": "a npy file"}
    return ValueError(
        f"output {target.name!r}: {kinds.get(target.kind, 'a TIFF')} is written when all is done "
        "and cannot be resumed; use .ome.zarr"
    )
