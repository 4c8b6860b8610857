"""One run into one OME-Zarr image: made or reopened, written, stopped or finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store

from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.chunks.pyramid import Pyramid
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.lock import StoreLock, lock_store
from napari_tessera.writing.places.removal import is_free, remove_leftovers
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.block_ledger import remove_block_ledger
from napari_tessera.writing.stored.coming import coming_into
from napari_tessera.writing.stored.copied_channels import copied_blocks
from napari_tessera.writing.stored.crossing import counts_clipped, tiles_of_blocks
from napari_tessera.writing.stored.ending import PARTIAL_LEVELS, say_how_it_ended
from napari_tessera.writing.stored.full_disk import telling_what_is_saved
from napari_tessera.writing.stored.image_levels import factors_of
from napari_tessera.writing.stored.image_store import (
    ImageOptions,
    ImageStore,
    create_image,
    reopen_image,
)
from napari_tessera.writing.stored.ledger import Ledger, remove_ledger
from napari_tessera.writing.stored.lost_chunks import kept_chunks, lost_tiles
from napari_tessera.writing.stored.pace import Pace
from napari_tessera.writing.stored.presence import Presence
from napari_tessera.writing.stored.run_attributes import (
    ATTRIBUTE,
    BLOCKS,
    resumed_attributes,
)
from napari_tessera.writing.stored.targets import check_store
from napari_tessera.writing.stored.tile_sink import TileSink
from napari_tessera.writing.stored.zipped import end_zip, pack_what_is_whole, way_out

MOST_UNSAVED = 16
"""Tiles whose pixels are written that may wait for their entry in the ledger: a kill costs them."""


class OmeImageRun:
    """Writes the tiles of a run, and all levels of its pyramid, into the OME-Zarr image at a place.

    Everything that can be wrong is found before anything is written or deleted. The place is
    locked until the run is closed.

    Parameters
    ----------
    where : str, path-like, zarr store or Target
        The store; it is made here, or reopened where ``run.resume``.
    run : RunInfo
        The run.
    overwrite : bool, default False
        Replace a Zarr store that is there.
    options : ImageOptions, optional
        How the image is stored.
    memory_limit : int, default 512 MiB
        Bytes of begun chunks of the full size to keep in memory; half of it for other levels.

    Raises
    ------
    FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError, ValueError
        As `check_target`, and ValueError where the run to resume is another one or an option does
        not fit.
    StoreBusyError
        If another run writes to the place.
    """

    def __init__(
        self,
        where: str | PathLike[str] | Store | Target,
        run: RunInfo,
        *,
        overwrite: bool = False,
        options: ImageOptions | None = None,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
    ) -> None:
        self.target = zarr_target(where)
        self._run = run
        check_place(self.target, (run.source, *run.origins))
        self._lock: StoreLock = lock_store(self.target)
        try:
            self._open(overwrite, options or ImageOptions(), memory_limit)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, overwrite: bool, options: ImageOptions, memory_limit: int) -> None:
        run = self._run
        if pack_what_is_whole(self.target) and not overwrite:
            raise FileExistsError(
                f"{self.target.name} was predicted whole by an earlier run, and is packed now: "
                "take it, overwrite it, or choose another name"
            )
        check_store(self.target, resume=run.resume, overwrite=overwrite)
        found = None
        if run.resume and not is_free(self.target):
            found = reopen_image(self.target, run, copy_channels=options.copy_channels)
        n_done = int(np.count_nonzero(np.frombuffer(run.done or b"", np.uint8)))
        if found is None and n_done:
            raise ValueError(
                f"{n_done} tiles of this run are done in another place, and none of them in "
                f"{self.target.name}: start the run anew, or leave this writer out"
            )
        self._image: ImageStore = found or create_image(self.target, run, options)
        image = self._image
        self._stored = image.stored
        self._presence = Presence(self.target, image)
        coverage = coming_into(run, image.region, image.order)
        self._pyramid = Pyramid(
            image.arrays,
            factors_of(image.arrays),
            memory_limit=memory_limit // 2,
            coverage=coverage,
        )
        self._sink = TileSink(
            image.arrays[0],
            run.layout,
            image.region,
            order=image.order,
            memory_limit=memory_limit,
            on_complete=self._pyramid.take,
            coverage=coverage,
            workers=run.workers,
        )
        self._ledger: Ledger | None = None
        self._pace = Pace()
        self._told_of_folder = False
        if found is not None:
            remove_leftovers(self.target)
        if self._stored["completed"]:
            # Killed between saying so and removing the ledger.
            remove_ledger(image.group, keep=run.skipped is not None)
            remove_block_ledger(image.group)
            return
        ledger = self._open_ledger(found is not None)
        if found is not None:
            with self._telling_what_is_saved(ledger):
                self._go_on(ledger)
        self._ledger = ledger

    def _open_ledger(self, found: bool) -> Ledger:
        ledger = Ledger(
            self._image.group,
            self._run.n_tiles,
            count_clipped=counts_clipped(self._run.output_dtype),
            skipped=self._run.skipped,
        )
        if BLOCKS in self._stored:
            # several processes wrote until now; from here on tiles are entered
            done = tiles_of_blocks(self._image.group, self._stored, self._run.output_dtype)
            if done is not None:
                known = np.frombuffer(ledger.done(), np.bool_)
                ledger.mark_done(np.flatnonzero(done.tiles & ~known).tolist())
        if found:
            ledger.mark_waiting(self._tiles_without_pixels(ledger))
        counted = np.flatnonzero(np.frombuffer(self._run.done or b"", np.uint8))
        lost = np.setdiff1d(counted, ledger.done_tiles()).tolist()
        if lost and self._run.predict_again is not None:
            self._run.predict_again(lost)
        elif lost:
            raise ValueError(
                f"{len(lost)} tiles that this run counts as done are not in {self.target.name}, "
                "as a write failed: start it anew and resume, then they are predicted again"
            )
        return ledger

    def _tiles_without_pixels(self, ledger: Ledger) -> list[int]:
        """Tiles that are entered as done, and chunks of which somebody deleted or a crash cut."""
        kept, *_ = [kept_chunks(array) for array in self._image.arrays]
        block = self._run.tile_index_block
        return lost_tiles(ledger.done_tiles(), kept, lambda tile: self._sink.chunks_of(block(tile)))

    def _go_on(self, ledger: Ledger) -> None:
        """Take up what an earlier run left."""
        for tile in ledger.done_tiles():
            self._sink.note_durable(self._run.tile_index_block(tile), tile)
        for chunk in self._sink.complete_chunks():
            self._pyramid.note_complete(chunk)
        self._pyramid.restore(anew=BLOCKS in self._stored)
        self._stored = resumed_attributes(self._stored)
        self._stored.pop(PARTIAL_LEVELS, None)
        self._stored.pop(BLOCKS, None)
        self._image.group.update_attributes({ATTRIBUTE: self._stored})
        remove_block_ledger(self._image.group)

    @property
    def array(self) -> zarr.Array[Any]:
        """The image's array of the full size, in the order that it has on disk."""
        return self._image.arrays[0]

    def add(self, predictions: Sequence[ImageRegionData]) -> None:
        """Take a batch; enter in the ledger, as often as it may be, tiles that became durable."""
        if self._ledger is None:
            return
        for prediction in predictions:
            tile = prediction.additional_metadata.get("tile_index")
            if tile is None or not self._run.brings(int(tile)):
                what = "no tile_index" if tile is None else f"tile_index {tile}, which is skipped"
                raise ValueError(
                    f"a region of {prediction.source} has {what}; regions for a store come from a "
                    "run of the pipeline"
                )
        with self._telling_what_is_saved(self._ledger):
            self._check_ours()
            for prediction in predictions:
                self._sink.add(prediction, int(prediction.additional_metadata["tile_index"]))
            self._note_durable(self._ledger)
            unsaved = self._ledger.n_unsaved
            if unsaved >= MOST_UNSAVED or (unsaved and self._pace.due):
                with self._pace.taking():
                    self._enter_durable(self._ledger)

    @property
    def _is_ours(self) -> bool:
        """Whether what is there may be written to: nobody has taken it over, or away."""
        return not self._lock.lost and not self._presence.lost

    def _check_ours(self) -> None:
        self._lock.refresh()
        self._presence.check()

    def _note_durable(self, ledger: Ledger) -> None:
        durable = self._sink.take_durable()
        # what was copied is no tile
        ledger.note_done([tile for tile in durable if isinstance(tile, int)], durable)

    def _enter_durable(self, ledger: Ledger) -> None:
        self._presence.check()
        self._note_durable(ledger)
        ledger.save()

    def flush(self) -> None:
        """Write the chunks that are begun, their tiles into the ledger, then the other levels."""
        if self._ledger is None:
            return
        with self._telling_what_is_saved(self._ledger):
            self._check_ours()
            self._sink.flush()
            self._enter_durable(self._ledger)
            self._pyramid.flush()

    def close(self, completed: bool) -> None:
        """Write what is held, and say in the store how the run ended.

        Finished, the store has no ledger any more: it is an OME-Zarr image like any other. The
        attribute says so before the ledger goes. Where tiles were skipped it stays, and says which.
        """
        ledger, self._ledger = self._ledger, None
        try:
            if ledger is not None and self._is_ours:
                self._check_ours()
                with self._telling_what_is_saved(ledger):
                    completed = self._end(ledger, completed)
                if not self._told_of_folder:
                    end_zip(self.target, completed)
        finally:
            if self._is_ours:
                with suppress(OSError):
                    remove_leftovers(self.target)
            self._lock.release()

    def _end(self, ledger: Ledger, completed: bool) -> bool:
        """Write what is held; returns whether all is there."""
        clipped = 0
        try:
            self._sink.flush()
            self._enter_durable(ledger)
            completed = completed and ledger.complete
            if completed:
                clipped = self._copy_channels()
                self._pyramid.finish()
            else:
                self._pyramid.flush()
        except BaseException:
            # the error is what matters, and this may fail for the same reason
            if self._is_ours:
                with suppress(OSError):
                    self._say_how_it_ended(ledger.clipped_pixels, False)
            raise
        self._say_how_it_ended(ledger.clipped_pixels + clipped, completed)
        if completed:
            ledger.remove()
        return completed

    def _copy_channels(self) -> int:
        """Copy the channels that were not predicted; returns how many pixels were clipped."""
        image, read_input = self._image, self._run.read_input
        if not image.copied or read_input is None:
            return 0
        units = self.array.shards or self.array.chunks
        lengths = dict(zip(image.order.disk_axes, units, strict=True))
        blocks = copied_blocks(image.region, image.copied, lengths, read_input)
        clipped = 0
        for number, (target, pixels) in enumerate(blocks):
            self._lock.refresh()
            self._sink.add_pixels(target, pixels, ("copied", number))
            clipped += sum(self._sink.take_durable().values())
        self._sink.flush()
        return clipped + sum(self._sink.take_durable().values())

    def _say_how_it_ended(self, clipped_pixels: int, completed: bool) -> None:
        self._stored = say_how_it_ended(
            self._presence,
            self._image,
            self._run,
            self._stored,
            completed=completed,
            clipped_pixels=clipped_pixels,
            partial_levels=not self._pyramid.complete,
        )

    @contextmanager
    def _telling_what_is_saved(self, ledger: Ledger) -> Iterator[None]:
        try:
            with telling_what_is_saved(
                self.target.name,
                ledger,
                lambda: self._enter_durable(ledger),
                way_out=way_out(self.target),
            ):
                yield
        except StoreError as error:
            # what a ZIP file was built in is named then, and so is left
            self._told_of_folder |= error.full
            raise
