"""The image of a run whose blocks several processes write: made, watched and ended by one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store

from napari_tessera.writing.chunks.grid import ChunkGrid
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.lock import StoreLock, lock_store
from napari_tessera.writing.places.removal import is_free, remove_leftovers
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_choice import choose_cut, cut_to
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.block_ledger import (
    BlockEntry,
    create_block_ledger,
    enter_block,
    open_block_ledger,
    read_entries,
    remove_block_ledger,
)
from napari_tessera.writing.stored.block_levels import level_blocks
from napari_tessera.writing.stored.coming import coming_into
from napari_tessera.writing.stored.crossing import blocks_of_tiles, stored_cut
from napari_tessera.writing.stored.ending import say_how_it_ended
from napari_tessera.writing.stored.image_store import (
    ImageOptions,
    ImageStore,
    create_image,
    reopen_image,
)
from napari_tessera.writing.stored.ledger import Ledger, remove_ledger
from napari_tessera.writing.stored.lost_chunks import kept_chunks
from napari_tessera.writing.stored.presence import Presence
from napari_tessera.writing.stored.run_attributes import (
    ATTRIBUTE,
    BLOCKS,
    RUN,
    resumed_attributes,
)
from napari_tessera.writing.stored.targets import check_store


class BlockStore:
    """The OME-Zarr image of a run that is written block by block, from several processes.

    Whoever has this holds the place's lock, makes the image or goes on with it, hands out numbers
    of blocks, and says at the end how it went. Who writes a block opens a `BlockTarget` by place
    and ``run_id``, and enters it itself.

    Parameters
    ----------
    where : str, path-like, zarr store or Target
        The store; it is made here, or reopened where ``run.resume``.
    run : RunInfo
        The run; its plan is stored with it, and says what the tiles are.
    options : ImageOptions, optional
        How the image is stored.
    overwrite : bool, default False
        Replace a Zarr store that is there.
    slots : int, default 1
        How many blocks will be worked on at once; a run that goes on keeps the cut that it has.
    lengths : sequence of int, optional
        Of blocks along the axes on disk, instead of those that suit so many slots.

    Raises
    ------
    FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError, ValueError
        As of `OmeImageRun`; ValueError too for a ZIP file.
    StoreBusyError
        If another run writes to the place.
    """

    def __init__(
        self,
        where: str | PathLike[str] | Store | Target,
        run: RunInfo,
        *,
        options: ImageOptions | None = None,
        overwrite: bool = False,
        slots: int = 1,
        lengths: Sequence[int] | None = None,
    ) -> None:
        self.target = zarr_target(where)
        if self.target.zipped:
            raise ValueError(
                f"output {self.target.name!r}: a ZIP file is packed by one process; use .ome.zarr"
            )
        self._run = run
        self.run_id = uuid.uuid4().hex
        """Name of this run: who comes later to the same image has another."""
        check_place(self.target, (run.source, *run.origins))
        self._lock: StoreLock = lock_store(self.target)
        try:
            self._open(overwrite, options or ImageOptions(), slots, lengths)
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def open(
        cls, where: str | PathLike[str] | Store | Target, run: RunInfo, **options: Any
    ) -> Self:
        """The same as making one."""
        return cls(where, run, **options)

    def _open(
        self, overwrite: bool, options: ImageOptions, slots: int, lengths: Sequence[int] | None
    ) -> None:
        run = self._run
        check_store(self.target, resume=run.resume, overwrite=overwrite)
        found = None
        if run.resume and not is_free(self.target):
            found = reopen_image(self.target, run, copy_channels=options.copy_channels)
        self._image: ImageStore = found or create_image(self.target, run, options)
        self._stored = self._image.stored
        self._presence = Presence(self.target, self._image)
        if found is not None:
            remove_leftovers(self.target)
        self.cut = self._cut(slots, lengths)
        """The blocks."""
        self._empty = self.cut.empty()
        self.completed = bool(self._stored["completed"])
        """Whether all is there, from the beginning on or since `finish`."""
        if self.completed:
            self._clean_up()
            self._entries = np.zeros((self.cut.n_blocks, len(BlockEntry._fields)), np.int64)
            self._entries[:, 0] = 1
            return
        self._ledger = self._open_ledger(BLOCKS in self._stored)
        self._entries = read_entries(self._ledger)
        self._take_over_tiles()
        self._entries[self._lost(found is not None)] = 0
        self._stored = resumed_attributes(self._stored)
        self._stored[BLOCKS] = {**self.cut.to_json(), RUN: self.run_id}
        self._image.group.update_attributes({ATTRIBUTE: self._stored})
        # only now: until then it is what says which tiles are done
        remove_ledger(self._image.group)

    def _cut(self, slots: int, lengths: Sequence[int] | None) -> BlockCut:
        cells, held, array = TileCells.of_plan(self._run.plan), self._image.region, self.arrays[0]
        stored = stored_cut(self._stored, held, cells)
        if stored is not None:
            return stored
        units = array.shards or array.chunks
        if lengths is None:
            return choose_cut(cells, held, units, slots)
        return cut_to(cells, held, units, lengths)

    def _open_ledger(self, named: bool) -> zarr.Array[Any]:
        """The ledger of this cut; one whose cut is not named in the attribute is nobody's."""
        group, n_blocks = self._image.group, self.cut.n_blocks
        found = open_block_ledger(group, n_blocks) if named else None
        return create_block_ledger(group, n_blocks) if found is None else found

    def _take_over_tiles(self) -> None:
        """Enter the blocks whose tiles an earlier run of one process has done."""
        clipped = blocks_of_tiles(self._image.group, self._run, self.cut)
        for number in np.flatnonzero((clipped >= 0) & (self._entries[:, 0] == 0)).tolist():
            if self._empty[number]:
                continue
            entry = BlockEntry(1, self.cut.n_owned(number), int(clipped[number]), 0)
            enter_block(self._ledger, number, entry)
            self._entries[number] = entry

    def _lost(self, found: bool) -> NDArray[np.bool_]:
        """Blocks that are entered, and chunks of which somebody deleted or a crash cut."""
        lost = np.zeros(self.cut.n_blocks, np.bool_)
        if not found:
            return lost
        array = self._image.arrays[0]
        kept = kept_chunks(array)
        coverage = coming_into(self._run, self._image.region, self._image.order)
        grid = ChunkGrid.of(array)
        if coverage is not None:
            kept |= coverage.absent(grid)
        for number in np.flatnonzero(self._entries[:, 0]).tolist():
            lost[number] = not kept[grid.meeting(self.cut.window(number))].all()
        return lost

    @property
    def group(self) -> zarr.Group:
        """Group of the image."""
        return self._image.group

    @property
    def arrays(self) -> list[zarr.Array[Any]]:
        """The levels of the image, the full size first."""
        return self._image.arrays

    @property
    def done(self) -> NDArray[np.bool_]:
        """Of each block whether it is done, those into which nothing comes included; a copy."""
        done: NDArray[np.bool_] = (self._entries[:, 0] == 1) | self._empty
        return done

    @property
    def n_tiles_done(self) -> int:
        """Tiles that the blocks own that are done."""
        return int(self._run.total_tiles if self.completed else self._entries[:, 1].sum())

    @property
    def clipped_pixels(self) -> int:
        """Pixels of blocks that are done that were clipped to the output's data type."""
        return int(self._entries[:, 2].sum())

    @property
    def nonfinite(self) -> int:
        """Input pixels of blocks that are done that are NaN or infinite."""
        return int(self._entries[:, 3].sum())

    @property
    def levels(self) -> list[ChunkGrid]:
        """The blocks of each level, in the order of levels; the first are those of the cut."""
        return [self.cut.grid, *map(level_blocks, self._image.arrays[1:])]

    def note_done(self, number: int, *, tiles: int, clipped: int, nonfinite: int) -> None:
        """Take note that a worker has stored and entered a block."""
        self._entries[number] = BlockEntry(1, tiles, clipped, nonfinite)

    def check(self) -> None:
        """Say that the place is still written, and look that it is there; to be called often.

        Raises
        ------
        StoreBusyError
            If another writer has taken it over.
        StoreError
            If it was removed, moved or replaced.
        """
        self._lock.refresh()
        self._presence.check()

    def finish(self, failed: Sequence[int] = ()) -> None:
        """Say that all is there, all levels included: an image like any other, without ledger.

        Where tiles were skipped a ledger of tiles says which, as after a run of one process.

        Parameters
        ----------
        failed : sequence of int
            Blocks that could not be made: where there are any, the run counts as stopped.

        Raises
        ------
        ValueError
            If blocks are missing.
        """
        if self.completed:
            return
        if failed:
            self.stop()
            return
        missing = int(np.count_nonzero(~self.done))
        if missing:
            raise ValueError(f"{missing} blocks of {self.target.name} are not done")
        self.check()
        if self._run.skipped is not None:
            Ledger(self.group, self._run.n_tiles, skipped=self._run.skipped).mark_rest_done()
        self._end(True)
        self.completed = True
        remove_block_ledger(self.group)

    def stop(self) -> None:
        """Say that the run was stopped; what is done is gone on with by another."""
        if not self.completed:
            self.check()
            self._end(False)

    def _end(self, completed: bool) -> None:
        self._stored = say_how_it_ended(
            self._presence,
            self._image,
            self._run,
            self._stored,
            completed=completed,
            clipped_pixels=self.clipped_pixels,
            partial_levels=True,
        )

    def _clean_up(self) -> None:
        """Remove what a run that was killed after it said that all is there had left to remove."""
        remove_ledger(self.group, keep=self._run.skipped is not None)
        remove_block_ledger(self.group)

    def close(self) -> None:
        """Let others write; does nothing the second time."""
        if not (self._lock.lost or self._presence.lost):
            with suppress(OSError):
                remove_leftovers(self.target)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
