"""Pixels that wait on disk for the next level of a pyramid."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Spool:
    """Pixels of a level on disk, in C order, without a name: gone with the process.

    Parameters
    ----------
    folder : pathlib.Path
        Where there is room for it.
    dtype : dtype-like
        Data type of the pixels.
    """

    def __init__(self, folder: Path, dtype: DTypeLike) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._dtype = np.dtype(dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the pixels."""
        self._file.close()

    def append(self, pixels: NDArray[Any]) -> None:
        """Add the next pixels."""
        self._file.write(np.ascontiguousarray(pixels, self._dtype).data)

    def bands(self, n_planes: int, height: int, width: int, rows: int) -> Iterator[NDArray[Any]]:
        """Read the pixels from the beginning: each plane in bands of some rows, the last cut."""
        self._file.seek(0)
        for _ in range(n_planes):
            for top in range(0, height, rows):
                n_rows = min(rows, height - top)
                n_bytes = n_rows * width * self._dtype.itemsize
                yield np.frombuffer(self._file.read(n_bytes), self._dtype).reshape(n_rows, width)
