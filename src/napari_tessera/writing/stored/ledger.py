"""Which tiles of a run are on disk, kept inside the store beside the pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.writing.chunks.chunk_writer import ChunkWriter
from napari_tessera.writing.places.keys import delete_dir

LEDGER_NAME = "tessera_ledger"
"""Name of the array, where a group holds one run."""

WAITING, DONE, SKIPPED = 0, 1, 2
"""What an entry of the ledger says of its tile."""

ENTRIES_PER_CHUNK = 65_536


class Ledger:
    """One byte per tile in a Zarr array: 0 waiting, 1 done, 2 skipped.

    An entry is made after the tile's pixels are written, never before: what the ledger says is
    done, is there. Where the output clips, a second array counts clipped pixels per tile, so that
    their sum is right whenever a run was stopped or killed. What is there and cannot be read counts
    as empty.

    Parameters
    ----------
    group : zarr.Group
        Group of the image.
    n_tiles : int
        Number of tiles of the run.
    name : str, default "tessera_ledger"
        Name of the array: a group may hold the ledgers of several runs.
    count_clipped : bool, default False
        Keep the second array.
    skipped : numpy.ndarray of bool, optional
        Of each tile whether it is never predicted: these are entered at once.

    Raises
    ------
    ValueError
        If the group has a ledger for another number of tiles.
    """

    def __init__(
        self,
        group: zarr.Group,
        n_tiles: int,
        name: str = LEDGER_NAME,
        *,
        count_clipped: bool = False,
        skipped: NDArray[np.bool_] | None = None,
    ) -> None:
        self._group = group
        self.name = name
        """Name of the array."""
        self._entries, self._state, _ = _array(group, name, n_tiles, "uint8")
        self._unsaved: set[int] = set()
        self._miscounted: set[int] = set()
        self._counts: zarr.Array[Any] | None = None
        self._clipped: NDArray[Any] | None = None
        if count_clipped:
            self._counts, self._clipped, is_new = _array(group, _clipped(name), n_tiles, "uint32")
            if is_new:
                # of what is done nobody knows any more what was clipped
                self.mark_waiting(self.done_tiles())
        if skipped is not None:
            self._enter_skipped(skipped)

    def _enter_skipped(self, skipped: NDArray[np.bool_]) -> None:
        unknown = np.flatnonzero(skipped & (self._state == WAITING))
        self._state[unknown] = SKIPPED
        length = self._entries.chunks[0]
        _store(self._entries, self._state, set((np.unique(unknown // length) * length).tolist()))

    @property
    def n_tiles(self) -> int:
        """Number of tiles."""
        return int(self._state.size)

    @property
    def n_done(self) -> int:
        """Number of tiles that are entered as done."""
        return int(np.count_nonzero(self._state == DONE)) - len(self._unsaved)

    @property
    def n_unsaved(self) -> int:
        """Number of tiles that are noted as done and wait for the next `save`."""
        return len(self._unsaved)

    @property
    def complete(self) -> bool:
        """Whether no tile waits, and all is entered."""
        return not self._unsaved and bool(np.all(self._state != WAITING))

    @property
    def clipped_pixels(self) -> int:
        """Number of clipped pixels in the tiles that are done."""
        if self._clipped is None:
            return 0
        return int(self._clipped[self._state == DONE].sum(dtype=np.int64))

    def done(self) -> bytearray:
        """One byte per tile, 1 where it is done."""
        return bytearray((self._state == DONE).astype(np.uint8).tobytes())

    def done_tiles(self) -> list[int]:
        """Numbers of the tiles that are done."""
        return [int(tile) for tile in np.flatnonzero(self._state == DONE)]

    def mark_done(self, tiles: Iterable[int], clipped: Mapping[int, int] | None = None) -> None:
        """Enter tiles whose pixels are on disk, and those that could not be entered before.

        Parameters
        ----------
        tiles : iterable of int
            Tile numbers.
        clipped : mapping of int to int, optional
            Number of clipped pixels of a tile; 0 where it is not named.

        Raises
        ------
        OSError
            Whatever writing raises; the tiles are entered at the next call then.
        """
        self.note_done(tiles, clipped)
        self.save()

    def note_done(self, tiles: Iterable[int], clipped: Mapping[int, int] | None = None) -> None:
        """Take in tiles as `mark_done`, to be entered by the next `save`."""
        marked = np.fromiter(tiles, dtype=np.int64)
        if not marked.size:
            return
        if self._clipped is not None:
            counts = np.array([(clipped or {}).get(int(tile), 0) for tile in marked], np.uint32)
            self._miscounted.update(marked[self._clipped[marked] != counts].tolist())
            self._clipped[marked] = counts
        self._state[marked] = DONE
        self._unsaved.update(marked.tolist())

    def save(self) -> None:
        """Enter what was noted, and what could not be entered before.

        Raises
        ------
        OSError
            Whatever writing raises; the next call tries again.
        """
        if self._counts is not None and self._clipped is not None:
            _store(self._counts, self._clipped, self._miscounted)
            self._miscounted.clear()
        _store(self._entries, self._state, self._unsaved)
        self._unsaved.clear()

    def mark_waiting(self, tiles: Iterable[int]) -> None:
        """Enter that tiles are to be predicted again, as their pixels were lost."""
        marked = np.fromiter(tiles, dtype=np.int64)
        self._state[marked] = WAITING
        _store(self._entries, self._state, set(marked.tolist()))

    def mark_rest_done(self) -> None:
        """Enter all tiles that wait as done, without a list of them."""
        waiting = np.flatnonzero(self._state == WAITING)
        self._state[waiting] = DONE
        length = self._entries.chunks[0]
        _store(self._entries, self._state, set((np.unique(waiting // length) * length).tolist()))

    def remove(self) -> None:
        """Delete what nobody needs when the run is complete: all of it, if no tile was skipped."""
        remove_ledger(self._group, self.name, keep=bool((self._state == SKIPPED).any()))


def remove_ledger(group: zarr.Group, name: str = LEDGER_NAME, *, keep: bool = False) -> None:
    """Delete a group's ledger of that name, and what a removal that was cut short left of one.

    Parameters
    ----------
    group : zarr.Group
        The group.
    name : str
        Name of the array.
    keep : bool, default False
        Keep the entries, which say what was skipped; counts go all the same.
    """
    for array in (_clipped(name), *(() if keep else (name,))):
        _remove(group, array)


def read_done(group: zarr.Group, name: str = LEDGER_NAME) -> bytearray | None:
    """One byte per tile, 1 where it is done; None where a group has no ledger of that name.

    One that cannot be read, as it was cut off or changed, is none either.
    """
    entries = _node(group, name)
    state = _content(entries, "uint8") if isinstance(entries, zarr.Array) else None
    return None if state is None else bytearray((state == DONE).astype(np.uint8).tobytes())


def read_clipped(group: zarr.Group, name: str = LEDGER_NAME) -> NDArray[Any] | None:
    """Clipped pixels of each tile; None where a group's ledger of that name does not count them."""
    counts = _node(group, _clipped(name))
    return _content(counts, "uint32") if isinstance(counts, zarr.Array) else None


def _node(group: zarr.Group, name: str) -> zarr.Array[Any] | zarr.Group | None:
    """What a group has under a name; None where that is damaged."""
    try:
        return group.get(name)
    except OSError:
        raise
    except Exception:
        # zarr raises whatever its parsers do
        return None


def _content(array: zarr.Array[Any], dtype: str) -> NDArray[Any] | None:
    """All of a ledger's array; None where it is damaged, or of another type."""
    if array.dtype != np.dtype(dtype) or array.ndim != 1:
        return None
    try:
        return np.array(array[:])
    except OSError:
        raise
    except Exception:
        # of a chunk that was cut off a codec raises what it likes
        return None


def _remove(group: zarr.Group, array: str) -> None:
    # by its keys: where the metadata are gone, zarr knows of nothing to delete
    delete_dir(group.store, f"{group.path}/{array}".lstrip("/"))


def _clipped(name: str) -> str:
    return f"{name}_clipped"


def _array(
    group: zarr.Group, name: str, n_tiles: int, dtype: str
) -> tuple[zarr.Array[Any], NDArray[Any], bool]:
    """The named array of a group, its content, and whether it had to be made."""
    array = _node(group, name)
    if array is not None:
        if not isinstance(array, zarr.Array) or array.shape != (n_tiles,):
            place = str(group.store_path).removeprefix("file://")
            if isinstance(array, zarr.Array) and array.ndim == 1:
                raise ValueError(
                    f"{place} was begun with {array.shape[0]} tiles, this run has {n_tiles}: "
                    "overwrite it, or choose another name"
                )
            raise ValueError(
                f"{place} cannot be resumed, {name} in it is no list of the tiles that are done: "
                "overwrite it, or choose another name"
            )
        content = _content(array, dtype)
        if content is not None:
            return array, content, False
    # what is left of a damaged one may not be taken for part of the new one
    _remove(group, name)
    array = group.create_array(
        name,
        shape=(n_tiles,),
        chunks=(min(n_tiles, ENTRIES_PER_CHUNK),),
        dtype=dtype,
        fill_value=0,
        dimension_names=["tile"] if group.metadata.zarr_format == 3 else None,
    )
    return array, np.zeros(n_tiles, dtype=dtype), True


def _store(array: zarr.Array[Any], content: NDArray[Any], changed: set[int]) -> None:
    """Write the chunks in which entries changed."""
    if not changed:
        return
    length, writer = array.chunks[0], ChunkWriter(array)
    for chunk in sorted({entry // length for entry in changed}):
        writer.write((chunk,), content[chunk * length : (chunk + 1) * length])
