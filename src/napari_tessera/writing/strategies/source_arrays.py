"""All arrays that one writer fills, each named after its image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from napari_tessera.writing.ome.arrays import Compression
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.lock import StoreLock, lock_store
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.strategies.array_job import ArrayJob
from napari_tessera.writing.strategies.array_node import (
    ArrayNode,
    check_array,
    check_begun_here,
    read_array_run,
)
from napari_tessera.writing.strategies.array_places import ArrayPlace, ArrayPlaces
from napari_tessera.writing.strategies.file_names import UNNAMED, ImageKey, RunNumbers
from napari_tessera.writing.strategies.source_array import SourceArray


class SourceArrays:
    """Arrays of one or several images, made as their tiles come.

    A store is locked while an array in it is not finished.

    Parameters
    ----------
    places : ArrayPlaces
        Where arrays go.
    overwrite : bool
        Replace arrays that are there.
    chunks : int, sequence of int or None
        Lengths of chunks along the last axes, or that along Y and X; None for the image's, or
        such that suit the tiles.
    compression : {"zstd", "lz4", "gzip", "none"}
        How chunks are packed.
    memory_limit : int
        Bytes of begun chunks to keep in memory, for each image.
    """

    def __init__(
        self,
        places: ArrayPlaces,
        *,
        overwrite: bool,
        chunks: int | Sequence[int] | None,
        compression: Compression,
        memory_limit: int,
    ) -> None:
        self._places = places
        self._overwrite = overwrite
        self._chunks = chunks
        self._compression: Compression = compression
        self._memory_limit = memory_limit
        self._numbers = RunNumbers()
        self._arrays: dict[ImageKey, SourceArray] = {}
        self._locks: dict[Path, tuple[StoreLock, set[ImageKey]]] = {}

    def check(self, dirpath: Path, job: ArrayJob) -> None:
        """Raise what `begin_run` would, as far as looking tells; nothing is made or deleted."""
        self._numbers.next_run()
        _, place = self._checked_place(dirpath, job, 0)
        if place.store.exists():
            with lock_store(place.store):
                check_array(place, job, overwrite=self._overwrite, chunks=self._chunks)
        else:
            job.chunking(self._chunks)

    def begin_run(self, dirpath: Path, job: ArrayJob) -> None:
        """Make, or reopen, the array of a run's image before its first tile comes.

        Raises
        ------
        FileExistsError, NotADirectoryError, PermissionError, ValueError, OSError
            See `WriteTilesZarr.open`.
        """
        self._numbers.next_run()
        self._begin(dirpath, job, 0)

    def _begin(self, dirpath: Path, job: ArrayJob, data_idx: int) -> None:
        key = (data_idx, job.source)
        number, place = self._checked_place(dirpath, job, data_idx)
        place.store.parent.mkdir(parents=True, exist_ok=True)
        self._lock(place.store, key)
        try:
            node = ArrayNode(
                place,
                job,
                overwrite=self._overwrite,
                chunks=self._chunks,
                compression=self._compression,
            )
            array = SourceArray(node, job, self._memory_limit)
        except BaseException:
            self._unlock(key)
            raise
        self._arrays[key] = array
        self._numbers.note_used(dirpath, job.source, number)
        if array.finished:
            self._unlock(key)

    def add(
        self, dirpath: Path, tile: ImageRegionData, job_of: Callable[[ImageRegionData], ArrayJob]
    ) -> None:
        """Take a tile; the array of its image is made where it is the first one."""
        key = (int(tile.region_spec["data_idx"]), str(tile.source))
        if key not in self._arrays:
            self._begin(dirpath, job_of(tile), key[0])
        array = self._arrays[key]
        array.add(tile)
        if array.finished:
            self._unlock(key)
        else:
            self._refresh(key)

    def flush(self) -> None:
        """Write all chunks that are begun."""
        for array in self._arrays.values():
            array.flush()

    def close(self, completed: bool) -> None:
        """Write what is held; arrays that are not finished say so.

        Raises
        ------
        OSError
            The first thing that writing raises, when all else is written.
        ValueError
            If all tiles are said to have come, and some did not.
        """
        arrays, self._arrays = self._arrays, {}
        self._numbers.next_run()
        # what another run has taken over is its own
        lost = {key for lock, keys in self._locks.values() if lock.lost for key in keys}
        first: Exception | None = None
        for key, array in arrays.items():
            if key in lost:
                continue
            try:
                array.stop()
                array.check_whole(completed)
            except Exception as error:
                first = first or error
        locks, self._locks = self._locks, {}
        for lock, _ in locks.values():
            lock.release()
        if first is not None:
            raise first

    def _checked_place(self, dirpath: Path, job: ArrayJob, data_idx: int) -> tuple[int, ArrayPlace]:
        """As `_find`; raises unless a store can be made there, or is there, and holds no input."""
        number, place = self._find(dirpath, job, data_idx)
        sources: list[str | Path] = [job.source, *(() if job.run is None else job.run.origins)]
        # a folder that is missing is made, and it is asked whether it can be
        missing = [folder for folder in place.store.parents if not folder.exists()]
        check_place(missing[-1] if missing else place.store, sources)
        if not place.store.exists():
            check_begun_here(place, job)
        return number, place

    def _find(self, dirpath: Path, job: ArrayJob, data_idx: int) -> tuple[int, ArrayPlace]:
        """The number and the place of an image; of one without a name that of the run resumed."""
        run = job.run
        if run is not None and run.resume and job.source == UNNAMED:
            for number in count(data_idx):
                place = self._places.place_of(dirpath, job.source, number)
                stored = read_array_run(place, job.source)
                if stored is None:
                    break
                if stored.fingerprint == run.fingerprint:
                    return number, place
        number = self._numbers.number_of(dirpath, job.source, data_idx)
        return number, self._places.place_of(dirpath, job.source, number)

    def _lock(self, store: Path, key: ImageKey) -> None:
        if store not in self._locks:
            self._locks[store] = (lock_store(store), set())
        self._locks[store][1].add(key)

    def _refresh(self, key: ImageKey) -> None:
        for lock, keys in self._locks.values():
            if key in keys:
                lock.refresh()

    def _unlock(self, key: ImageKey) -> None:
        for store, (lock, keys) in list(self._locks.items()):
            keys.discard(key)
            if not keys:
                lock.release()
                del self._locks[store]
