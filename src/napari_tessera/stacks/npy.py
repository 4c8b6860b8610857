"""Arrays in NumPy's own files."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.protocol import StackReadError


class NpyStack(ArrayStack):
    """The array of a ``.npy`` file, mapped into memory and not read as a whole.

    Parameters
    ----------
    path : str or path
        The file.
    axes : str, optional
        One letter per axis; by default a guess from the shape (see `guess_axes`).
    channels : sequence of int, optional
        The channels that the stack consists of.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StackReadError
        If it is no array, or cut off.
    ValueError
        If axes, channels or the type of the pixels do not go with it.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
    ) -> None:
        resolved = Path(path).resolve()
        try:
            array = np.load(resolved, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise StackReadError(
                f"{resolved} cannot be opened as NumPy file: {one_line(error)}"
            ) from error
        axes = guess_axes(array.shape) if axes is None else axes
        super().__init__(array, axes, source=str(resolved), channels=channels)
        self._path = resolved

    @property
    def origins(self) -> tuple[Path, ...]:
        """The file."""
        return (self._path,)

    def close(self) -> None:
        """Let go of the file: the mapping ends with the last reference to it."""
        super().close()
        # of the same shape, for what asks a closed stack of its chunks
        self._data = np.broadcast_to(np.zeros((), self.data_dtype), self._data_shape)
