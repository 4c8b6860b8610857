"""The prediction of one image in a Zarr array, with what is done of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from napari_tessera.patching import is_tile_specs
from napari_tessera.region import Region
from napari_tessera.writing.chunks.grid import ChunkGrid, Slices
from napari_tessera.writing.region_data import (
    ImageRegionData,
    layout_of,
    output_core,
    tile_block,
)
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.coming import coming_into
from napari_tessera.writing.stored.copied_channels import copied_blocks, with_all_channels
from napari_tessera.writing.stored.full_disk import telling_what_is_saved
from napari_tessera.writing.stored.ledger import Ledger
from napari_tessera.writing.stored.lost_chunks import kept_chunks, lost_tiles
from napari_tessera.writing.stored.tile_sink import TileSink
from napari_tessera.writing.strategies.array_job import ArrayJob
from napari_tessera.writing.strategies.array_node import ArrayNode
from napari_tessera.writing.strategies.arrivals import Arrivals
from napari_tessera.writing.strategies.masked_blocks import MaskedBlocks


class SourceArray:
    """Takes the tiles of one image and writes each chunk once.

    The array is finished when its last tile came: then channels that are not predicted are copied,
    the array says so in its attributes, and there is no ledger any more.

    Parameters
    ----------
    node : ArrayNode
        The array, new or of a run that goes on.
    job : ArrayJob
        What comes into it.
    memory_limit : int
        Bytes of begun chunks to keep in memory.

    Raises
    ------
    ValueError
        If the run counts tiles as done that are not in the array, and nobody can be asked for
        them (see `RunInfo.predict_again`).
    """

    def __init__(self, node: ArrayNode, job: ArrayJob, memory_limit: int) -> None:
        self._node = node
        self._job = job
        self._memory_limit = memory_limit
        self._whole = Region.from_selection(job.axes, job.shape)
        self._wanted = self._whole if job.run is None else job.run.region
        self._pixels = self._blocks()
        self._came = Arrivals(job.n_coming, None if job.run is None else job.n_tiles)
        self._clipped = 0
        self._finished = node.was_completed
        if not self._finished:
            self._go_on()

    @property
    def finished(self) -> bool:
        """Whether all is there."""
        return self._finished

    @property
    def clipped_pixels(self) -> int:
        """Pixels clipped to the data type, in what is durable."""
        return self._clipped if self._node.ledger is None else self._node.ledger.clipped_pixels

    def add(self, tile: ImageRegionData) -> None:
        """Take a core (or a whole tile); after the last one all is on disk.

        Raises
        ------
        ValueError
            If it is no tile of the image, came before, or is one more than were expected.
        """
        if self._node.was_completed:
            # resumed though there was nothing left to do
            return
        number, layout = self._number(tile), self._job.layout
        with self._telling_what_is_saved():
            placed = self._wanted.place(tile_block(tile, layout))
            if placed is not None:
                within, target = placed
                pixels = output_core(tile, layout)[within]
                self._pixels.add(_in_image(self._wanted, target), pixels, number)
            self._came.add(number)
            self._enter_durable()
            if self._came.complete:
                self._finish()

    def flush(self) -> None:
        """Write all chunks that are begun, then their tiles' entries in the ledger."""
        if not self._finished:
            with self._telling_what_is_saved():
                self._flush()

    def stop(self) -> None:
        """Write what is held and say that it is not all; what is finished stays so."""
        if self._finished:
            return
        try:
            with self._telling_what_is_saved():
                if self._came.complete:
                    # what went wrong at the last tile may go well now
                    self._finish()
                    return
                self._flush()
        except BaseException:
            # the error is what matters, and this may fail for the same reason
            with suppress(OSError):
                self._say_it_is_not_all()
            raise
        self._say_it_is_not_all()

    def check_whole(self, completed: bool) -> None:
        """Raise ValueError if all tiles are said to have come, and some did not."""
        if completed and not self._finished:
            raise ValueError(
                f"{self._came.n_tiles - len(self._came)} tiles of {self._job.source} did not come: "
                f"{self._node.place} is not whole"
            )

    def _flush(self) -> None:
        self._pixels.flush()
        self._enter_durable()

    def _say_it_is_not_all(self) -> None:
        self._node.say_how_it_ended(completed=False, clipped_pixels=self.clipped_pixels)

    @contextmanager
    def _telling_what_is_saved(self) -> Iterator[None]:
        ledger = self._node.ledger
        if ledger is None:
            yield
            return
        with telling_what_is_saved(str(self._node.place), ledger, self._enter_durable):
            yield

    def _go_on(self) -> None:
        """Count what an earlier run left."""
        ledger, run = self._node.ledger, self._job.run
        if ledger is None or run is None:
            return
        if self._node.goes_on:
            ledger.mark_waiting(self._tiles_without_pixels(ledger, run))
        done = ledger.done_tiles()
        counted = np.flatnonzero(np.frombuffer(run.done or b"", np.uint8))
        lost = np.setdiff1d(counted, done).tolist()
        if lost and run.predict_again is not None:
            run.predict_again(lost)
        elif lost:
            raise ValueError(
                f"{len(lost)} tiles that this run counts as done are not in {self._node.place}: "
                "start it anew and resume with those that are, or leave this writer out"
            )
        if not self._node.goes_on:
            return
        for number in done:
            placed = self._wanted.place(run.tile_index_block(number))
            if placed is not None:
                self._pixels.note_durable(_in_image(self._wanted, placed[1]), number)
        self._came.update(done)
        self._node.say_it_goes_on()
        if self._came.complete:
            # stopped while channels were copied
            self._finish()

    def _tiles_without_pixels(self, ledger: Ledger, run: RunInfo) -> list[int]:
        """Tiles that are entered as done, and chunks of which somebody deleted or a crash cut."""
        node, grid = self._node, ChunkGrid.of(self._node.array)
        kept = kept_chunks(node.array)
        if node.mask is not None:
            kept &= kept_chunks(node.mask)

        def chunks_of(tile: int) -> Slices | None:
            placed = self._wanted.place(run.tile_index_block(tile))
            return None if placed is None else grid.meeting(_in_image(self._wanted, placed[1]))

        return lost_tiles(ledger.done_tiles(), kept, chunks_of)

    def _number(self, tile: ImageRegionData) -> Any:
        """What the tile is called: its number in the run, else where it lies."""
        specs = tile.region_spec
        if not is_tile_specs(specs):
            raise ValueError(
                f"a region of {tile.source} is no tile; WriteTilesZarr writes tiled predictions"
            )
        if layout_of(tile) != self._job.layout:
            raise ValueError(
                f"a tile of {tile.source} is of another image than {self._node.place} holds"
            )
        if self._job.run is None:
            number: Any = (int(specs["sample_idx"]), tuple(map(int, specs["stitch_coords"])))
            twice = number in self._came
        else:
            given = tile.additional_metadata.get("tile_index")
            number = None if given is None else int(given)
            # of a run that goes on, tiles may come that are there already
            twice = number is not None and not self._job.run.brings(number)
        if number is None or twice or self._finished:
            what = "has no tile_index" if number is None else "is one more than were expected"
            raise ValueError(
                f"a tile of {tile.source} {what}: {self._node.place} takes each of its "
                f"{self._job.n_coming} tiles once"
            )
        return number

    def _blocks(self) -> MaskedBlocks:
        run, limit = self._job.run, self._memory_limit
        coverage = None if run is None else coming_into(run, self._whole)
        sink = TileSink(
            self._node.array,
            self._job.layout,
            self._whole,
            memory_limit=limit,
            coverage=coverage,
            # a chunk of the mask must not be there before that of the pixels
            workers=None if run is None or self._node.mask is not None else run.workers,
        )
        return MaskedBlocks(sink, self._node.mask, limit, coverage)

    def _enter_durable(self) -> None:
        entered = self._pixels.take_durable()
        self._clipped += sum(entered.values())
        if self._node.ledger is not None:
            self._node.ledger.mark_done(entered, entered)

    def _finish(self) -> None:
        self._flush()
        clipped = self.clipped_pixels + self._copy_channels()
        self._node.say_how_it_ended(completed=True, clipped_pixels=clipped)
        self._finished = True

    def _copy_channels(self) -> int:
        """Copy what is not predicted; returns how many pixels were clipped."""
        run, channels = self._job.run, self._job.copied
        if run is None or run.read_input is None or not channels:
            return 0
        region = with_all_channels(run.region)
        grid = ChunkGrid.of(self._node.array)
        lengths = dict(zip(self._job.axes, grid.lengths, strict=True))
        blocks = self._blocks()
        for at, (target, pixels) in enumerate(
            copied_blocks(region, channels, lengths, run.read_input)
        ):
            blocks.add(_in_image(region, target), pixels, at)
        blocks.flush()
        return sum(blocks.take_durable().values())


def _in_image(region: Region, target: tuple[slice, ...]) -> tuple[slice, ...]:
    """Slices of the whole image that are a block of a region."""
    return tuple(
        slice(chosen[part.start], chosen[part.stop - 1] + 1)
        for chosen, part in zip(region.indices, target, strict=True)
    )
