"""What a store says of the run that wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any
from zipfile import BadZipFile

import numpy as np
import zarr
from zarr.abc.store import Store

from napari_tessera.stacks.zarr.nodes import quiet_zarr
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.stored.crossing import tiles_of_blocks
from napari_tessera.writing.stored.ledger import LEDGER_NAME, read_done
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE, SKIPPED_TILES, WRITING


@dataclass(frozen=True)
class StoredRun:
    """A run as it stands in a store.

    Parameters
    ----------
    plan : mapping
        The plan it was started with.
    fingerprint : str
        Hash of what decides the pixels.
    completed : bool
        Whether it is finished.
    total_tiles : int
        Number of tiles that the plan predicts.
    done : list of int
        Numbers of the tiles that are on disk.
    clipped_pixels : int
        Pixels clipped to the output's data type, counted when it was last closed.
    state : {"writing", "stopped", "finished"}
        How it was left: ``"writing"`` of a run that goes on, or was killed.
    skipped_tiles : int
        Number of tiles that are never predicted, beside those in ``total_tiles``.
    owned : list of int
        Where several processes wrote, block by block: how many tiles each block owns that is done.
    """

    plan: Mapping[str, Any]
    fingerprint: str
    completed: bool
    total_tiles: int
    done: list[int] = field(repr=False)
    clipped_pixels: int = 0
    state: str = WRITING
    skipped_tiles: int = 0
    owned: list[int] = field(default_factory=list, repr=False)

    @property
    def n_done(self) -> int:
        """Number of tiles that are on disk.

        Of a run by several processes it may be more than there are in ``done``: tiles that lie over
        several blocks are only done with the last of them, and where a block has clipped pixels
        which of its tiles have is not known.
        """
        return min(max(len(self.done), sum(self.owned)), self.total_tiles)

    @property
    def n_tiles(self) -> int:
        """Number of tiles that have a number, those that are skipped included."""
        return self.total_tiles + self.skipped_tiles


def read_unfinished(where: str | PathLike[str] | Store | Target) -> StoredRun | None:
    """Read what there is to go on with.

    Parameters
    ----------
    where : str, path-like, zarr store or Target
        An OME-Zarr image of either version that may or may not exist: a folder, a URL, a store,
        or a packed ``.zarr.zip`` (which is always finished).

    Returns
    -------
    StoredRun or None
        The run that wrote the store (finished or not: ``completed`` tells); None where there is
        no store, or one that is not ours.

    Raises
    ------
    OSError
        If the place cannot be read.
    """
    target = zarr_target(where)
    try:
        store = target.open_store(read_only=True)
    except (FileNotFoundError, BadZipFile):
        return None
    try:
        with quiet_zarr():
            return stored_run(zarr.open_group(store, mode="r", use_consolidated=False))
    except (
        AttributeError,
        FileNotFoundError,
        KeyError,
        NotADirectoryError,
        TypeError,
        ValueError,
    ):
        # what zarr raises of metadata that make no sense
        return None
    finally:
        if target.zipped:
            # of what others gave, or will be asked for again, nothing is closed
            store.close()


def stored_run(node: zarr.Group, name: str = LEDGER_NAME) -> StoredRun | None:
    """Read the run that a group's attributes and ledger tell of; None where it is not ours.

    Parameters
    ----------
    node : zarr.Group
        Group of the image.
    name : str
        Name of the ledger in it.
    """
    run = run_of(node.attrs.asdict().get(ATTRIBUTE))
    if run is None:
        return None
    fill_done(run, node, name)
    if not run.completed:
        _fill_from_blocks(run, node)
    return run


def _fill_from_blocks(run: StoredRun, node: zarr.Group) -> None:
    """Name the tiles too that are done where several processes wrote, block by block."""
    stored: Any = node.attrs.asdict()[ATTRIBUTE]
    try:
        dtype = np.dtype(stored["plan"]["fingerprint_of"]["output_dtype"])
        found = tiles_of_blocks(node, stored, dtype)
    except (KeyError, TypeError, ValueError, IndexError):
        # a damaged plan, of which others tell
        return
    if found is not None and len(found.tiles) == run.n_tiles:
        run.done[:] = np.union1d(run.done, np.flatnonzero(found.tiles)).astype(np.int64).tolist()
        run.owned.extend(found.owned.tolist())


def fill_done(run: StoredRun, node: zarr.Group, name: str) -> None:
    """Name the tiles of a run that are done, as the ledger of that name in a group tells."""
    if run.completed and not run.skipped_tiles:
        run.done.extend(range(run.total_tiles))
        return
    ledger = read_done(node, name)
    # one for other tiles says nothing of these
    if ledger is not None and len(ledger) == run.n_tiles:
        run.done.extend(int(tile) for tile in np.flatnonzero(np.frombuffer(ledger, np.uint8)))


def run_of(stored: object) -> StoredRun | None:
    """The run that the attribute `ATTRIBUTE` tells of, no tile done; None where it is not ours."""
    if not isinstance(stored, Mapping):
        return None
    try:
        completed, total_tiles = stored["completed"], stored["total_tiles"]
        skipped = stored.get(SKIPPED_TILES, 0)
        if not isinstance(completed, bool) or type(total_tiles) is not int or total_tiles < 1:
            return None
        if type(skipped) is not int or skipped < 0:
            return None
        return StoredRun(
            plan=dict(stored["plan"]),
            fingerprint=str(stored["fingerprint"]),
            completed=completed,
            total_tiles=total_tiles,
            done=[],
            clipped_pixels=int(stored["clipped_pixels"]),
            state=str(stored.get("state", WRITING)),
            skipped_tiles=skipped,
        )
    except (ValueError, KeyError, TypeError):
        return None
