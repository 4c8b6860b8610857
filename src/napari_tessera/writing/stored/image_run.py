"""One run into one OME-Zarr image: made or reopened, written, stopped or finished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_tessera.writing.ome.metadata import (
    LEVEL,
    channel_attributes,
    check_chunks,
    create_pixel_array,
    image_attributes,
    open_pixel_array,
)
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.places.checks import (
    check_place,
    check_store,
    delete_store,
    is_free,
    remove_leftovers,
)
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.ledger import Ledger, remove_ledger
from napari_tessera.writing.stored.stored_run import ATTRIBUTE, check_same_run, run_attributes
from napari_tessera.writing.stored.tile_sink import TileSink


class OmeImageRun:
    """Writes the tiles of a run into the OME-Zarr image at a path.

    Everything that can be wrong is found before anything is written or deleted.

    Parameters
    ----------
    path : pathlib.Path
        The store; it is made here, or reopened where ``run.resume``.
    run : RunInfo
        The run.
    overwrite : bool
        Replace a Zarr store that is there.
    chunks : sequence of int or None
        Chunk sizes along the last axes on disk; None for `default_chunks`.
    memory_limit : int
        Bytes of begun chunks to keep in memory.

    Raises
    ------
    FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError, ValueError
        As `check_target`, and ValueError where the run to resume is another one.
    """

    def __init__(
        self,
        path: Path,
        run: RunInfo,
        *,
        overwrite: bool,
        chunks: Sequence[int] | None,
        memory_limit: int,
    ) -> None:
        self.path = path
        self._run = run
        self._order = OmeOrder(run.region.axes, run.region.selected_shape)
        self._metadata = disk_metadata(run.metadata.with_axes(run.region.axes), run.region)
        steps = {
            letter: patch - overlap
            for letter, patch, overlap in zip(
                run.layout.spatial_axes, run.patch_size, run.overlaps, strict=True
            )
        }
        self._chunks = check_chunks(chunks, self._order.disk_axes, self._order.disk_shape, steps)
        name = path.name.removesuffix(".zarr").removesuffix(".ome")
        self._ome = image_attributes(self._metadata, name)
        check_place(path, (run.source, *run.origins))
        check_store(path, resume=run.resume, overwrite=overwrite)
        reopen = run.resume and not is_free(path)
        if not reopen:
            delete_store(path)
        self._group = self._reopen() if reopen else self._create()
        if LEVEL in self._group:
            array = open_pixel_array(self._group, LEVEL)
        else:
            array = create_pixel_array(
                self._group,
                LEVEL,
                axes=self._order.disk_axes,
                shape=self._order.disk_shape,
                chunks=self._chunks,
                dtype=run.output_dtype,
            )
        self._sink = TileSink(
            array, run.layout, run.region, order=self._order, memory_limit=memory_limit
        )
        if self._stored["completed"]:
            # Killed between saying so and removing the ledger.
            remove_ledger(self._group)
        self._ledger = None if self._stored["completed"] else self._open_ledger()

    def _create(self) -> zarr.Group:
        self._stored = run_attributes(self._run)
        return zarr.create_group(
            open_store(self.path), attributes={"ome": self._ome, ATTRIBUTE: self._stored}
        )

    def _reopen(self) -> zarr.Group:
        group = zarr.open_group(open_store(self.path), mode="r+")
        attributes: dict[str, Any] = group.attrs.asdict()
        self._stored = dict(attributes[ATTRIBUTE])
        check_same_run(self._stored, self._run, self.path)
        remove_leftovers(self.path)
        return group

    def _open_ledger(self) -> Ledger:
        ledger = Ledger(
            self._group,
            self._run.total_tiles,
            count_clipped=not np.can_cast(np.float32, self._run.output_dtype),
        )
        counted = np.flatnonzero(np.frombuffer(self._run.done or b"", np.uint8))
        lost = np.setdiff1d(counted, ledger.done_tiles()).size
        if lost:
            raise ValueError(
                f"{lost} tiles that this run counts as done are not in {self.path}, as a write "
                "failed: start it anew and resume, then they are predicted again"
            )
        for tile in ledger.done_tiles():
            self._sink.note_durable(self._run.tile_index_block(tile), tile)
        return ledger

    @property
    def array(self) -> zarr.Array[Any]:
        """The image's array, in the order that it has on disk."""
        return self._sink.array

    def add(self, predictions: Sequence[ImageRegionData]) -> None:
        """Take a batch; enter in the ledger the tiles that became durable."""
        if self._ledger is None:
            return
        for prediction in predictions:
            tile = prediction.additional_metadata.get("tile_index")
            if tile is None:
                raise ValueError(
                    f"a region of {prediction.source} has no tile_index; regions for a store come "
                    "from a run of the pipeline"
                )
            self._sink.add(prediction, int(tile))
        self._enter_durable()

    def _enter_durable(self) -> None:
        durable = self._sink.take_durable()
        if self._ledger is not None:
            self._ledger.mark_done(durable, durable)

    def flush(self) -> None:
        """Write all chunks that are begun, then their tiles' entries in the ledger."""
        self._sink.flush()
        self._enter_durable()

    def close(self, completed: bool) -> None:
        """Write what is held, and say in the store how the run ended.

        Finished, the store has no ledger any more: it is an OME-Zarr image like any other. The
        attribute says so before the ledger goes.
        """
        if self._ledger is None:
            return
        try:
            self.flush()
            self._say_how_it_ended(completed and self._ledger.complete)
            if self._stored["completed"]:
                self._ledger.remove()
        finally:
            self._ledger = None
            remove_leftovers(self.path)

    def _say_how_it_ended(self, completed: bool) -> None:
        if self._ledger is not None:
            self._stored["clipped_pixels"] = self._ledger.clipped_pixels
        self._stored["completed"] = completed
        attributes: dict[str, Any] = {ATTRIBUTE: self._stored}
        if completed and self._metadata.channel_names:
            omero = channel_attributes(self.array, self._metadata)
            attributes["ome"] = {**self._ome, "omero": omero}
        self._group.update_attributes(attributes)


def open_store(path: Path) -> Store:
    """The Zarr store of a folder that exists or will."""
    return LocalStore(path)
