"""Where chunks that are begun wait when memory has no room for them, outside their array."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from os import PathLike
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.writing.chunks.grid import ChunkIndex


class Overflow:
    """Begun chunks in one temporary file, which goes with the process however that ends.

    Of an array that several processes write nothing is stored that is not whole: a process that
    comes back late, after its part was given to another one, stores the same bytes or nothing.

    Parameters
    ----------
    folder : str or path-like, optional
        Where the file is; default: the system's folder for temporary files. It has no name there,
        and takes room only once a chunk is put in.
    """

    def __init__(self, folder: str | PathLike[str] | None = None) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._places: dict[ChunkIndex, tuple[int, int]] = {}
        self._free: dict[int, list[int]] = {}
        self._end = 0

    def __contains__(self, chunk: ChunkIndex) -> bool:
        return chunk in self._places

    def __iter__(self) -> Iterator[ChunkIndex]:
        """Indices of the chunks that wait here; they may be taken meanwhile."""
        return iter(list(self._places))

    def put(self, chunk: ChunkIndex, pixels: NDArray[Any]) -> None:
        """Keep the pixels of a chunk that is not here yet.

        Raises
        ------
        OSError
            If there is no room.
        """
        size = pixels.nbytes
        free = self._free.get(size)
        place = free.pop() if free else self._end
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - open until `close`
            self._file.seek(place)
            self._file.write(np.ascontiguousarray(pixels).data)
            self._file.flush()
        except OSError as error:
            raise OSError(
                f"begun chunks do not fit into {self._folder or tempfile.gettempdir()} "
                f"({error.strerror or error}): make room there, give another folder by TMPDIR, or "
                "allow the run more memory"
            ) from error
        self._end = max(self._end, place + size)
        self._places[chunk] = place, size

    def take(self, chunk: ChunkIndex, pixels: NDArray[Any]) -> None:
        """Put the pixels of a chunk into an array of its shape and type, and forget them here."""
        place, size = self._places.pop(chunk)
        self._free.setdefault(size, []).append(place)
        assert self._file is not None
        self._file.seek(place)
        found = np.frombuffer(self._file.read(size), pixels.dtype)
        pixels[...] = found.reshape(pixels.shape)

    def close(self) -> None:
        """Give the room back; does nothing the second time."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._places.clear()
        self._free.clear()
        self._end = 0
