"""A Zarr array for a prediction, with its mask, ledger and attributes: made, or reopened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from zarr.errors import ContainsArrayError

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.writing.ome.arrays import Compression, create_pixel_array, open_pixel_array
from napari_tessera.writing.places.removal import is_free, remove_leftovers
from napari_tessera.writing.places.target import open_store
from napari_tessera.writing.stored.differences import check_same_run
from napari_tessera.writing.stored.ledger import LEDGER_NAME, Ledger, remove_ledger
from napari_tessera.writing.stored.run_attributes import (
    ATTRIBUTE,
    ended_attributes,
    resumed_attributes,
)
from napari_tessera.writing.stored.stored_run import StoredRun, fill_done, run_of
from napari_tessera.writing.strategies.array_job import ArrayJob
from napari_tessera.writing.strategies.array_places import ArrayPlace
from napari_tessera.writing.strategies.file_names import same_source

MASK_OF = "mask_of"
"""Says of a mask whose it is."""


class ArrayNode:
    """The array of an image, and what stands beside it in its group.

    ``NAME`` holds the pixels, NaN where nothing was written; of an integer type ``NAME_done`` says
    where something was (1), and stays. While a run goes on a ledger stands beside them, which stays
    where tiles are skipped. The attribute ``napari_tessera`` of the array says what made it and how
    far it got. Everything that can be wrong is found before anything is written or deleted.

    Parameters
    ----------
    place : ArrayPlace
        Where the array lies.
    job : ArrayJob
        What comes into it.
    overwrite : bool
        Replace an array that is there.
    chunks : int, sequence of int or None
        Lengths of chunks along the last axes, or that along Y and X; None for the image's, or
        such that suit the tiles.
    compression : {"zstd", "lz4", "gzip", "none"}
        How chunks are packed.

    Raises
    ------
    FileExistsError
        If an array is there that may be neither replaced nor gone on with, or something else is.
    ValueError
        If the array that shall go on is of another run, shape or type, or lacks its mask, a run
        that goes on has no array here, or the chunks do not fit.
    """

    def __init__(
        self,
        place: ArrayPlace,
        job: ArrayJob,
        *,
        overwrite: bool,
        chunks: int | Sequence[int] | None,
        compression: Compression,
    ) -> None:
        self.place = place
        self._ledger_name = _ledger_name(place.name)
        chunking = job.chunking(chunks)
        self.goes_on = _check(place, job, overwrite)
        """Whether the array was there, of the same run."""
        self._group = _group(place)

        def create(name: str, dtype: np.dtype[Any], attribute: dict[str, Any]) -> zarr.Array[Any]:
            return create_pixel_array(
                self._group,
                name,
                axes=job.axes,
                shape=job.shape,
                chunks=chunking.chunks,
                shards=chunking.shards,
                dtype=dtype,
                compression=compression,
                overwrite=True,
                attributes={ATTRIBUTE: attribute},
            )

        mask = None if job.dtype.kind == "f" else place.mask.name
        self.mask: zarr.Array[Any] | None = None
        """Where something was written; None for floats, in which NaN tells."""
        if self.goes_on:
            remove_leftovers(place.store)
            self.array = open_pixel_array(self._group, place.name)
            self._stored = resumed_attributes(_attribute(self.array) or {})
            self.mask = None if mask is None else open_pixel_array(self._group, mask)
        else:
            remove_ledger(self._group, self._ledger_name)
            # the array itself comes last: where it is, the rest is
            if mask is not None:
                self.mask = create(mask, np.dtype(np.uint8), {MASK_OF: place.name})
            elif _is_mask_of(self._group.get(place.mask.name), place.name):
                del self._group[place.mask.name]
            self._stored = job.attributes()
            self.array = create(place.name, job.dtype, self._stored)
        self.was_completed = bool(self._stored["completed"])
        """Whether there was nothing left to do."""
        self.ledger: Ledger | None = None
        """What is done of a run; None where tiles are just handed over, or all is done."""
        if self.was_completed:
            # killed between saying so and removing it
            remove_ledger(self._group, self._ledger_name, keep=bool(job.n_tiles > job.n_coming))
        elif job.run is not None:
            clips = not np.can_cast(np.float32, job.dtype)
            self.ledger = Ledger(
                self._group,
                job.n_tiles,
                self._ledger_name,
                count_clipped=clips,
                skipped=job.run.skipped,
            )

    def say_it_goes_on(self) -> None:
        """Store that a run that was stopped is written to again."""
        self.array.update_attributes({ATTRIBUTE: self._stored})

    def say_how_it_ended(self, *, completed: bool, clipped_pixels: int) -> None:
        """Store how far the array got; the ledger goes, after that, where it is complete."""
        self._stored = ended_attributes(
            self._stored, completed=completed, clipped_pixels=clipped_pixels
        )
        self.array.update_attributes({ATTRIBUTE: self._stored})
        if completed and self.ledger is not None:
            self.ledger.remove()


def read_array_run(place: ArrayPlace, source: str) -> StoredRun | None:
    """The run that wrote an array, with the tiles that are done.

    Returns
    -------
    StoredRun or None
        None where there is no array, or none of a run over the image from there.
    """
    found = _found(place)
    run = run_of(_attribute(found))
    if run is None or _other_source(found, source) or not isinstance(found, zarr.Array):
        return None
    group = zarr.open_group(open_store(place.store), path=place.parent, mode="r")
    fill_done(run, group, _ledger_name(place.name))
    return run


def check_array(
    place: ArrayPlace, job: ArrayJob, *, overwrite: bool, chunks: int | Sequence[int] | None
) -> None:
    """Raise what making, or reopening, an `ArrayNode` would; nothing is made or deleted."""
    job.chunking(chunks)
    _check(place, job, overwrite)


def check_begun_here(place: ArrayPlace, job: ArrayJob) -> None:
    """Raise where a run has tiles that are done, though nothing of it is at a place."""
    if job.n_done:
        raise ValueError(
            f"{job.n_done} tiles of this run are done in another place, and none of them in "
            f"{place}: start the run anew, or leave this writer out"
        )


def _check(place: ArrayPlace, job: ArrayJob, overwrite: bool) -> bool:
    """Whether the array that is there goes on; raise where none can be made."""
    resume = job.run is not None and job.run.resume
    if resume and overwrite:
        raise ValueError(f"{place}: resume and overwrite exclude each other; choose one")
    if not is_free(place.store) and (place.store.is_symlink() or not is_zarr_folder(place.store)):
        raise FileExistsError(
            f"{place.store} exists and is no Zarr store: choose another folder, or delete it"
        )
    found = _found(place)
    if isinstance(found, zarr.Group):
        raise FileExistsError(f"{place} is a group: no array can be written there")
    whose = (_attribute(found) or {}).get(MASK_OF)
    if whose is not None:
        raise FileExistsError(
            f"{place} says what is done of {whose}: choose another folder, or delete both"
        )
    mask = _found(place.mask)
    if job.dtype.kind != "f" and mask is not None and not _is_mask_of(mask, place.name):
        # whatever it is, it was never asked whether that may go
        raise FileExistsError(
            f"{place}: {place.mask.name} stands where the mask of what is done goes: choose "
            "another folder, or give dtype='float32', which needs none"
        )
    other = _other_source(found, job.source)
    if other is not None:
        raise FileExistsError(
            f"{place} holds the prediction of {other}, not of {job.source}: choose another folder, "
            "delete it, or give the sources of all images, so that their folders are kept"
        )
    if found is None or overwrite:
        check_begun_here(place, job)
        return False
    stored = _attribute(found)
    run = run_of(stored)
    if not resume or job.run is None or stored is None or run is None:
        unfinished = run is not None and not run.completed
        raise FileExistsError(
            f"{place} exists: {'resume its run, ' if unfinished else ''}choose another folder, "
            "delete it, or give overwrite=True"
        )
    check_same_run(stored, job.run, place)
    there, wanted = (found.shape, found.dtype), (job.shape, job.dtype)
    if there != wanted:
        raise ValueError(
            f"{place} cannot be resumed: it is {there[1]} {there[0]}, {wanted[1]} {wanted[0]} is "
            "asked for; choose another folder, or give overwrite=True"
        )
    if job.dtype.kind != "f" and mask is None:
        raise ValueError(
            f"{place} cannot be resumed: {place.mask.name} beside it, which says what is done, is "
            "gone; choose another folder, or give overwrite=True"
        )
    return True


def _found(place: ArrayPlace) -> zarr.Array[Any] | zarr.Group | None:
    if is_free(place.store):
        return None
    try:
        root = zarr.open_group(open_store(place.store), mode="r")
        found: zarr.Array[Any] | zarr.Group | None = root.get(place.path)
    except (FileNotFoundError, ContainsArrayError):
        raise FileExistsError(
            f"{place.store} exists and is one array, no group: choose another folder, or delete it"
        ) from None
    except OSError:
        raise
    except Exception as error:
        # zarr raises whatever its parsers do
        raise FileExistsError(
            f"{place.store} exists and cannot be read ({error_line(error)}): choose another "
            "folder, or delete it"
        ) from error
    return found


def _group(place: ArrayPlace) -> zarr.Group:
    """The group of the array; what leads to it is made."""
    group = zarr.open_group(open_store(place.store), mode="a")
    for name in filter(None, place.parent.split("/")):
        group = group.require_group(name)
    return group


def _attribute(node: object) -> dict[str, Any] | None:
    if not isinstance(node, zarr.Array):
        return None
    stored: object = node.attrs.asdict().get(ATTRIBUTE)
    return dict(stored) if isinstance(stored, dict) else None


def _other_source(node: object, source: str) -> str | None:
    """Where the image of an array came from, if that is told and is not this source."""
    of_image = (_attribute(node) or {}).get("input")
    told = of_image.get("source") if isinstance(of_image, dict) else None
    if not isinstance(told, str) or same_source(told) == same_source(source):
        return None
    return told


def _is_mask_of(node: object, name: str) -> bool:
    return (_attribute(node) or {}).get(MASK_OF) == name


def _ledger_name(name: str) -> str:
    return f"{LEDGER_NAME}_{name}"
