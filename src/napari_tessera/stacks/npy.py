"""Arrays in NumPy's own files."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.patch_index import spans_of
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.reading.runs import read_runs
from napari_tessera.stacks.tiff.open_files import OpenFiles, Read

_ARCHIVE = "an archive of arrays"


class NpyStack(ArrayStack):
    """The array of a ``.npy`` file, of which a patch reads what it needs.

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
            pixels = NpyPixels(resolved)
        except (ValueError, EOFError, OverflowError) as error:
            raise StackReadError(
                f"{resolved} cannot be opened as NumPy file: {_why(error)}"
            ) from error
        # a stack that is dropped without close() must not leave its file open
        self._release = weakref.finalize(self, pixels.close)
        try:
            axes = guess_axes(pixels.shape) if axes is None else axes
            super().__init__(pixels, axes, source=str(resolved), channels=channels)
        except BaseException:
            self._release()
            raise
        self._path = resolved

    @property
    def origins(self) -> tuple[Path, ...]:
        """The file."""
        return (self._path,)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._release()


class NpyPixels:
    """Array-like over the array of a ``.npy`` file, in either order.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    FileNotFoundError, ValueError, EOFError, OverflowError
        If there is no such file, or no whole array of numbers in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._files = OpenFiles(1)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        # the very file that is opened, though another one may take its name
        self._files.keep(self._path, descriptor)
        try:
            # for its header only: pixels that are mapped end the program where the file is cut
            # short meanwhile
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if not isinstance(array, np.memmap):
                raise ValueError(_ARCHIVE)
        except BaseException:
            self._files.close()
            raise
        self.shape: tuple[int, ...] = array.shape
        """Shape of the array."""
        self.dtype = array.dtype
        """Type of the pixels, as stored."""
        self._offset: int = array.offset
        self._backwards = array.flags.f_contiguous and not array.flags.c_contiguous

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        spans = spans_of(index)
        # Fortran's order is C's with the axes turned round
        way = slice(None, None, -1 if self._backwards else 1)
        stored, part = self.shape[way], spans[way]
        block = np.empty([stop - start for start, stop in part], self.dtype)
        with self._files.reading(self._path) as read:
            read_runs(partial(_read_all, read), self._offset, stored, self.dtype, part, block)
        block = block.T if self._backwards else block
        return block[tuple(slice(None) if isinstance(i, slice) else 0 for i in index)]

    def close(self) -> None:
        """Close the file."""
        self._files.close()


def _why(error: Exception) -> str:
    """What is wrong with a file, by how NumPy refused it, and the way out."""
    text = str(error)
    if "Python objects" in text:
        return (
            "it holds Python objects, which are not unpickled as that may run a program: convert "
            "them to numbers with .astype('float32'), and save these"
        )
    if isinstance(error, EOFError) or text.startswith(("EOF", "mmap length")):
        return "it is cut off: the file ends before the array does; copy it again"
    if text == _ARCHIVE:
        return f"{text}: save one array with numpy.save"
    return "its header does not describe an array: copy it again, or save the array anew"


def _read_all(read: Read, offset: int, count: int) -> bytes:
    stored = read(offset, count)
    if len(stored) < count:
        raise OSError(
            f"cut off: {count} bytes from byte {offset} wanted, {len(stored)} are there; copy it "
            "again"
        )
    return stored
