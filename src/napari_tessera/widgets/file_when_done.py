"""A file of a format that is written when all is done, out of the output that is there then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.channel_look import ChannelLook, named_channels
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.disk_view import DiskView
from napari_tessera.widgets.lazy_array import Bounds, LazyArray
from napari_tessera.widgets.output_store import Store, own_bytes
from napari_tessera.widgets.save_target import ResolvedTarget
from napari_tessera.writing import (
    ArrayWriter,
    ImageRegionData,
    RunInfo,
    fill_value,
    read_unfinished,
    to_dtype,
)
from napari_tessera.writing.files.any_format import write_file
from napari_tessera.writing.files.formats import NPY
from napari_tessera.writing.ome.order import disk_metadata
from napari_tessera.writing.stored.copied_channels import copied_channels, with_all_channels
from napari_tessera.writing.stored.run_attributes import made_by

BLOCK_BYTES = 16 * 2**20


class WritingStoppedError(Exception):
    """A file was not written because somebody stopped it; nothing of it is left."""


class FileWhenDone:
    """Writes a run's result into one file, once all tiles are there.

    A write strategy, too: where the output on display has other pixels than those that are to be
    saved (colours of 8 bits, float32 for integers), it keeps its own.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    save : ResolvedTarget
        Where the file goes, and what it is.
    store : MemoryStore or DiskStore
        The output on display.
    block_bytes : int
        Bytes of pixels to write at a time; between two of them somebody can stop it.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        save: ResolvedTarget,
        store: Store,
        *,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._plan = plan
        self._save = save
        self._store = store
        self._block_bytes = block_bytes
        self._run: RunInfo | None = None
        self._own: ArrayWriter | None = None
        self.written = False
        """Whether the file is there."""
        colours = None if store.colours is None else store.colours.n
        if not isinstance(store, DiskStore) and own_bytes(plan, colours, save):
            dtype = np.dtype(plan.output_dtype)
            array = np.full(plan.region.selected_shape, fill_value(dtype), dtype)
            self._own = ArrayWriter(array, plan.region)

    @property
    def path(self) -> Path:
        """The file."""
        return self._save.path

    @property
    def clipped_pixels(self) -> int:
        """Pixels clipped to the file's data type so far; of an output on disk once it is whole."""
        if isinstance(self._store, DiskStore):
            stored = read_unfinished(self._store.path)
            return 0 if stored is None else stored.clipped_pixels
        return 0 if self._own is None else self._own.clipped_pixels

    def open(self, run: RunInfo) -> None:
        """Take note of what is told in the file."""
        self._run = run

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Keep pixels that nobody else keeps."""
        if self._own is not None:
            self._own.write_batch(dirpath, predictions)

    def write(self, cancel: threading.Event, looks: Sequence[ChannelLook] = ()) -> None:
        """Write the file. It appears under its name when it is complete.

        Parameters
        ----------
        cancel : threading.Event
            Set to stop; nothing is left then.
        looks : sequence of ChannelLook, optional
            How the channels of the layer are shown.

        Raises
        ------
        WritingStoppedError
            If it was stopped.
        OSError
            Whatever writing raises; nothing is left then.
        """
        run = self._run
        assert run is not None
        axes = run.region.axes
        result = ResultPixels(run, self._source(), cancel)
        metadata = disk_metadata(run.metadata.with_axes(axes), result.region)
        pixels: Any = result
        if self._save.file_format is not NPY:
            pixels, axes, metadata = named_channels(pixels, axes, metadata, looks)
        write_file(
            self.path,
            pixels,
            axes=axes,
            metadata=metadata,
            format=self._save.file_format.name,
            compression=self._save.compression,
            made_by=made_by(
                run.plan, run.fingerprint, run.model, clipped_pixels=self.clipped_pixels
            ),
            overwrite=self._save.overwrite,
            memory_limit=self._block_bytes,
        )
        self.written = True

    def _source(self) -> Callable[[tuple[slice, ...]], NDArray[Any]]:
        """Reads parts of the region, in the order of its axes."""
        store, region = self._store, self._plan.region
        if self._own is not None:
            own: Any = self._own.array
            return lambda part: np.asarray(own[part])
        if isinstance(store, DiskStore):
            view = DiskView(store.array, store.held, region.axes)
            return lambda part: view[part]
        # Held by this alone as well: the layer may be removed while the file is written.
        array, held = store.array, store.held

        def read(part: tuple[slice, ...]) -> NDArray[Any]:
            block = array
            for at, (letter, cut) in enumerate(zip(region.axes, part, strict=True)):
                own = held.along(letter)
                within = [own.index(index) for index in region.along(letter)[cut]]
                if within[-1] - within[0] == len(within) - 1:
                    whole: list[slice] = [slice(None)] * block.ndim
                    whole[at] = slice(within[0], within[-1] + 1)
                    block = block[tuple(whole)]
                else:
                    block = block.take(within, axis=at)
            return block

        return read


class ResultPixels(LazyArray):
    """The result of a run as the array that a file is written of.

    Channels that the run leaves out are the image's, where the output has the image's channels.

    Parameters
    ----------
    run : RunInfo
        The run.
    read : callable
        Gives parts of the run's region.
    cancel : threading.Event
        Once it is set, reading raises `WritingStoppedError`.
    """

    def __init__(
        self,
        run: RunInfo,
        read: Callable[[tuple[slice, ...]], NDArray[Any]],
        cancel: threading.Event,
    ) -> None:
        copied = copied_channels(run.layout, run.region) if run.read_input is not None else ()
        self.region = with_all_channels(run.region) if copied else run.region
        super().__init__(self.region.selected_shape, run.output_dtype)
        self._run = run
        self._copied = copied
        self._read = read
        self._cancel = cancel

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        if self._cancel.is_set():
            raise WritingStoppedError
        part = [slice(start, stop) for start, stop in bounds]
        if not self._copied:
            return self._read(tuple(part)).astype(self.dtype, copy=False)
        at = self.region.axes.index("C")
        predicted = list(self._run.region.along("C"))
        channels = []
        for channel in range(part[at].start, part[at].stop):
            if channel in predicted:
                where = predicted.index(channel)
                part[at] = slice(where, where + 1)
                channels.append(self._read(tuple(part)).astype(self.dtype, copy=False))
            else:
                part[at] = slice(channel, channel + 1)
                channels.append(self._copy(part))
        return np.concatenate(channels, axis=at)

    def _copy(self, part: list[slice]) -> NDArray[Any]:
        """Pixels of the image, rounded and clipped as the result is."""
        assert self._run.read_input is not None
        wanted = [
            list(self.region.along(letter)[cut])
            for letter, cut in zip(self.region.axes, part, strict=True)
        ]
        around = tuple(slice(indices[0], indices[-1] + 1) for indices in wanted)
        block = self._run.read_input(around)
        within = np.ix_(*([i - indices[0] for i in indices] for indices in wanted))
        pixels, _ = to_dtype(block[within], self.dtype)
        return pixels
