"""Many TIFF files as one image: a file for each time point, plane, sample or channel."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from math import prod
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import AXES, validate_axes
from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.checks import at_level, error_line
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.tiff.listing import letters_in_names, list_tiffs
from napari_tessera.stacks.tiff.stack import TiffStack, alpha_text
from napari_tessera.stacks.tiff.stack_pool import StackPool

_CHECKED_AT_ONCE = 1000
_OPEN_FILES = 64
_OPEN_BYTES = 256 * 2**20
_FEWEST_OPEN = 4
_PLANES = ("YX", "YXC")


class TiffFilesStack(ArrayStack):
    """TIFF files of one shape as one image, of which a patch opens only those it needs.

    Up to 1000 files (the first, the last, the smallest and largest among them) are checked to
    have one shape, type and axes when the stack is opened; what is beyond that when it is first
    read. At most 64 files are open at a time.

    Parameters
    ----------
    source : str, path, or sequence of paths
        A folder, a pattern such as ``run1/*.tif``, or the files in their order. A folder's TIFF
        files are taken in natural order, img2 before img10; hidden files are left out.
    axes : str, optional
        The axis that counts the files, and those of each file: ``TYX``, ``ZYX``, ``TYXC`` for
        colours, ``TZYX`` for files of several planes. By default, for files of one plane: what
        stands before the number in the names (``_t001``, ``z01``), and else Z, as `guess_axes`.
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Which level, where the files are pyramids; 0 is the full size.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If files differ in shape, type or axes, or axes, channels or level do not go with them.
    StackReadError
        If a file is no TIFF, or damaged.
    """

    def __init__(
        self,
        source: str | PathLike[str] | Sequence[str | PathLike[str]],
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        name, files = list_tiffs(source)
        pixels = TiffFilesPixels(files, level)
        try:
            if axes is None:
                axes = _default_axes(pixels, files, name)
            if len(axes) != len(pixels.shape):
                raise ValueError(
                    f"{name}: axes {axes} have {len(axes)} letters; the first counts the files, "
                    f"the others are each file's, and {pixels.described}"
                )
            validate_axes(axes, pixels.shape)
            super().__init__(
                pixels,
                axes,
                source=at_level(name, level),
                channels=channels,
                metadata=_of_files(pixels.metadata, axes),
            )
            pixels.check_some()
        except BaseException:
            pixels.pool.close()
            raise
        self.left_out_channels = pixels.left_out_channels
        """Channels of each file that are alpha and none of the stack."""
        if self.left_out_channels:
            warnings.warn(
                f"{name}: {alpha_text(self.left_out_channels)} of every file; open a file by "
                "itself to have it",
                UserWarning,
                stacklevel=2,
            )
        self._files = tuple(files)
        # a stack that is dropped without close() must not leave files open
        self._release = weakref.finalize(self, pixels.pool.close)

    @property
    def origins(self) -> tuple[Path, ...]:
        """Each of the files."""
        return self._files

    def close(self) -> None:
        """Close the files."""
        super().close()
        self._release()

    def _reason(self, index: Index, error: Exception) -> str:
        # what a file's own stack raises names the file
        return str(error) if isinstance(error, OSError | ValueError) else error_line(error)


class TiffFilesPixels:
    """Array-like over files of one shape: the first axis counts them.

    Parameters
    ----------
    files : sequence of pathlib.Path
        The files.
    level : int
        Level of each file that is read.

    Raises
    ------
    ValueError, OSError
        As `TiffStack`, for the first file, or if that is a part of a larger image.
    """

    keeps_chunks = True
    """What is decoded is kept for a while, also where nobody asks for that."""

    def __init__(self, files: Sequence[Path], level: int) -> None:
        self._files = files
        self._level = level
        self._seen: dict[int, tuple[int, int]] = {}
        self._check_same(0)
        with TiffStack(files[0], level=level) as first:
            if len(first.origins) > 1:
                raise ValueError(
                    f"{files[0]} is one of the {len(first.origins)} files of an OME-TIFF image: "
                    "open this file by itself, the others are found"
                )
            if list(first._channels) != list(range(len(first._channels))):
                raise ValueError(
                    f"{files[0]} has alpha before its last channel, which is not read of many "
                    "files: open one, or save them without"
                )
            self.left_out_channels = first.left_out_channels
            """Channels of each file that are alpha, and not read."""
            self.shape = (len(files), *first.original_data_shape)
            """Number of files, and the shape of each."""
            self.dtype = first.data_dtype
            """Type of the pixels."""
            self.metadata = first.metadata
            """Axes, pixel size and units of the first file."""
            self.chunks = (1, *(first.chunks or first.original_data_shape))
            """Shape of what is read at once: a strip or tile of one file."""
            self.described = f"{files[0].name} has {_described(first)}"
            """What the first file is, and so all of them."""
            self._kind = _described(first)
        # a file that is open holds what was decoded of it last
        held = max(prod(self.shape[1:]) * self.dtype.itemsize, 1)
        most = min(max(_OPEN_BYTES // held, _FEWEST_OPEN), _OPEN_FILES)
        self.pool = StackPool(self._open, most)
        """The files that are open."""

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        which, *inner = index
        if not isinstance(which, slice):
            return self._read(which, tuple(inner))
        return np.stack([self._read(at, tuple(inner)) for at in range(which.start, which.stop)])

    def check_some(self) -> None:
        """Check up to 1000 files: all of no more, else those at even steps and of unusual size.

        A file that is cut off, or of another shape, is most often the smallest or the largest.

        Raises
        ------
        ValueError, OSError
            Naming a file that does not go with the first, or cannot be opened.
        """
        chosen: Sequence[int] = range(len(self._files))
        if len(chosen) > _CHECKED_AT_ONCE:
            sizes = [file.stat().st_size for file in self._files]
            even = np.linspace(0, len(sizes) - 1, _CHECKED_AT_ONCE - 2).astype(int)
            chosen = sorted({*even.tolist(), int(np.argmin(sizes)), int(np.argmax(sizes))})
        for number in chosen:
            with self.pool.use(number):
                pass

    def _open(self, number: int) -> TiffStack:
        self._check_same(number)
        stack = TiffStack(self._files[number], level=self._level)
        found = _described(stack)
        if found != self._kind:
            stack.close()
            raise ValueError(
                f"{self._files[number]} has {found}, but {self.described}: files of one image have "
                "one shape and type; leave out what does not belong"
            )
        return stack

    def _check_same(self, number: int) -> None:
        """Raise if a file is another one, or has been written to, since it was opened first."""
        file = self._files[number]
        try:
            found = file.stat()
        except FileNotFoundError:
            # its own stack tells that
            return
        now = found.st_size, found.st_mtime_ns
        # of two threads that open a file first, both are to compare with what one of them saw
        if self._seen.setdefault(number, now) != now:
            raise StackReadError(
                f"{file} was replaced or written to since it was opened: open the image again"
            )

    def _read(self, number: int, index: Index) -> NDArray[np.generic]:
        with self.pool.use(number) as stack:
            return stack._read(index)


def _described(stack: ArrayStack) -> str:
    shape = "×".join(map(str, stack.original_data_shape))
    return f"{stack.original_axes} {shape} {stack.data_dtype}"


def _of_files(metadata: ImageMetadata, axes: str) -> ImageMetadata:
    """Metadata of one file, for axes of which the first counts the files."""
    free = next(letter for letter in AXES if letter not in metadata.axes)
    return metadata.with_axes(free + metadata.axes).renamed(axes)


def _default_axes(pixels: TiffFilesPixels, files: Sequence[Path], name: str) -> str:
    """Axes of files that hold one plane each, from their names."""
    own = pixels.metadata.axes
    if own not in _PLANES:
        raise ValueError(
            f"{name}: {pixels.described}, more than one plane: give axes, that of the files first "
            f"(axes='T{own}'), or open one file"
        )
    letters = letters_in_names(files)
    if len(letters) > 1:
        raise ValueError(
            f"{name}: the names count {' and '.join(letters)}, which one axis cannot: open the "
            f"files of one of these, or give axes='{letters[0]}{own}' to have them one after "
            "another all the same"
        )
    return (letters if letters not in own else "Z") + own
