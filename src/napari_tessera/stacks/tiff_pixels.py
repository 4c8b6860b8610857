"""Pixels of a TIFF series, read by runs of rows, or one strip or tile at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import FileCache, FileHandle, TiffFrame, TiffPage, TiffPageSeries

from napari_tessera.stacks.block_cache import BlockCache
from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.runs import read_runs

_OPEN_FILES = 16
_CACHED_BYTES = 64 * 2**20

Part = Sequence[tuple[int, int]]
"""Start and stop along each of a page's five axes, inside the page and not empty."""


class DamagedTiffError(OSError):
    """Part of a TIFF file cannot be read; the message names it."""


class TiffPixels:
    """Array-like over one series (image) of a TIFF file, at one resolution level.

    Uncompressed pages are read by the runs of rows that hold the pixels wanted, others by the
    strips or tiles that meet them; decoded strips and tiles are kept for a while (64 MiB at
    most), because neighbouring patches share them. Reading holds the file's lock, decoding not.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        A series of an open file; the other files of a multi-file series are opened as needed.

    Raises
    ------
    ValueError
        If the pixels are stored in a way that cannot be read.
    """

    def __init__(self, series: TiffPageSeries) -> None:
        self._series = series
        self._keyframe = series.keyframe
        self.shape: tuple[int, ...] = tuple(int(size) for size in series.shape)
        """Shape in the series' axes."""
        self.dtype: np.dtype[Any] = np.dtype(series.dtype)
        """Type of the pixels, in native byte order."""
        # separate samples, depth, rows, columns, interleaved samples
        self._page_shape = tuple(int(size) for size in self._keyframe.shaped)
        self._segment_shape = _segment_shape(self._keyframe)
        self._page_axes = _page_axes(self.shape, self._page_shape)
        self._keyframe.decode(None, 0)
        handle = self._keyframe.parent.filehandle
        handle.set_lock(True)
        self._lock = handle.lock
        self._files = FileCache(size=_OPEN_FILES, lock=self._lock)
        self._decoded: BlockCache[tuple[int, int]] = BlockCache(_CACHED_BYTES)
        self._start = series.dataoffset

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a strip or tile, in the series' axes."""
        sizes = zip(self._page_shape, self._segment_shape, strict=True)
        segment = [length for size, length in sizes if size > 1]
        return tuple(
            segment.pop(0) if axis >= self._page_axes and size > 1 else 1
            for axis, size in enumerate(self.shape)
        )

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        spans = [(i.start, i.stop) if isinstance(i, slice) else (i, i + 1) for i in index]
        pages, inner = spans[: self._page_axes], spans[self._page_axes :]
        sizes = zip(inner, self.shape[self._page_axes :], strict=True)
        own = [span for span, size in sizes if size > 1]
        part = [own.pop(0) if size > 1 else (0, 1) for size in self._page_shape]
        lengths = [stop - start for start, stop in spans]
        block = np.empty(
            (prod(lengths[: self._page_axes]), *(stop - start for start, stop in part)),
            self._keyframe.dtype,
        )
        positions = product(*(range(start, stop) for start, stop in pages))
        for target, position in zip(block, positions, strict=True):
            number = 0
            for at, size in zip(position, self.shape, strict=False):
                number = number * size + at
            self._fill(target, number, part)
        if self._series.transform is not None:
            block = self._series.transform(block)
        kept = zip(lengths, index, strict=True)
        return block.reshape([length for length, i in kept if isinstance(i, slice)])

    def close(self) -> None:
        """Close the files that were opened besides the first, and forget what was decoded."""
        self._files.clear()
        self._decoded.clear()

    def _fill(self, target: NDArray[np.generic], number: int, part: Part) -> None:
        """Read part of one page of the series into ``target``; a page left out reads as empty."""
        with self._lock:
            page = self._series[0 if self._start is not None else number]
        if page is None or not page.dataoffsets:
            target[...] = self._keyframe.nodata
        elif self._start is not None:
            offset = self._start + number * prod(self._page_shape) * self._stored_dtype.itemsize
            self._fill_from_runs(target, page, offset, number, part)
        elif self._keyframe.is_final and page.dataoffsets[0] > 0:
            self._fill_from_runs(target, page, page.dataoffsets[0], number, part)
        else:
            self._fill_from_segments(target, page, number, part)

    @property
    def _stored_dtype(self) -> np.dtype[Any]:
        """Type of uncompressed pixels as they lie in the file."""
        return np.dtype(self._keyframe.dtype).newbyteorder(self._keyframe.parent.byteorder)

    def _fill_from_runs(
        self,
        target: NDArray[np.generic],
        page: TiffPage | TiffFrame,
        offset: int,
        number: int,
        part: Part,
    ) -> None:
        read = partial(self._read, page.parent.filehandle, f"page {number}")
        target[...] = read_runs(read, offset, self._page_shape, self._stored_dtype, part)

    def _fill_from_segments(
        self, target: NDArray[np.generic], page: TiffPage | TiffFrame, number: int, part: Part
    ) -> None:
        for segment, at in self._segments(part):
            if segment >= len(page.dataoffsets) or page.databytecounts[segment] == 0:
                block = np.full(self._segment_shape[1:], self._keyframe.nodata, target.dtype)
            else:
                make = partial(self._decode, page, number, segment)
                block = self._decoded.get((number, segment), make)
            # a tile may end beyond the page, a last strip before its nominal end
            bounds = [
                (max(start, origin), min(stop, origin + length))
                for (start, stop), origin, length in zip(part, at, (1, *block.shape), strict=True)
            ]
            inner = tuple(
                slice(low - start, high - start)
                for (low, high), (start, _) in zip(bounds, part, strict=True)
            )
            outer = tuple(
                slice(low - origin, high - origin)
                for (low, high), origin in zip(bounds, at, strict=True)
            )
            target[inner] = block[np.newaxis][outer]

    def _segments(self, part: Part) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Number and origin of the strips or tiles that meet part of a page."""
        sizes = list(zip(self._page_shape, self._segment_shape, strict=True))
        grid = [ceil(size / length) for size, length in sizes]
        spans = (
            range(start // length, ceil(stop / length))
            for (start, stop), length in zip(part, self._segment_shape, strict=True)
        )
        for cell in product(*spans):
            number = 0
            for at, count in zip(cell, grid, strict=True):
                number = number * count + at
            yield (
                number,
                tuple(at * length for at, length in zip(cell, self._segment_shape, strict=True)),
            )

    def _decode(self, page: TiffPage | TiffFrame, number: int, segment: int) -> NDArray[np.generic]:
        """One decoded strip or tile: depth, rows, columns, interleaved samples."""
        offset, count = page.dataoffsets[segment], page.databytecounts[segment]
        name = f"{'tile' if self._keyframe.is_tiled else 'strip'} {segment} of page {number}"
        stored = self._read(page.parent.filehandle, name, offset, count)
        try:
            block = self._keyframe.decode(
                stored, segment, jpegtables=page.jpegtables, jpegheader=self._keyframe.jpegheader
            )[0]
        except Exception as error:
            raise DamagedTiffError(
                f"{name} at byte {offset} cannot be decoded: {one_line(error)}"
            ) from error
        return np.asarray(block)

    def _read(self, handle: FileHandle, name: str, offset: int, count: int) -> bytes:
        stored = self._files.read(handle, offset, count)
        if len(stored) < count:
            raise DamagedTiffError(
                f"{name} is cut off: {count} bytes from byte {offset} wanted, {len(stored)} there"
            )
        return stored


def _segment_shape(page: TiffPage) -> tuple[int, ...]:
    """Shape of a strip or tile along a page's five axes."""
    _, _, rows, columns, samples = page.shaped
    if page.is_tiled:
        return (1, max(page.tiledepth, 1), page.tilelength, page.tilewidth, samples)
    return (1, 1, min(page.rowsperstrip, rows), columns, samples)


def _page_axes(shape: Sequence[int], page_shape: Sequence[int]) -> int:
    """How many leading axes of a series count its pages; the others are those of a page."""
    for axis in reversed(range(len(shape))):
        if prod(shape[axis:]) == prod(page_shape):
            if [n for n in shape[axis:] if n > 1] == [n for n in page_shape if n > 1]:
                return axis
            break
    raise ValueError(f"pages of {tuple(page_shape)} do not make up an image of {tuple(shape)}")
