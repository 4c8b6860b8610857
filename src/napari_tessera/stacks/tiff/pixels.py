"""Pixels of a TIFF series, read by runs of rows, or one strip or tile at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFrame, TiffPage, TiffPageSeries

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.patch_index import spans_of
from napari_tessera.stacks.reading.block_cache import BlockCache
from napari_tessera.stacks.reading.number_set import NumberSet
from napari_tessera.stacks.reading.runs import read_runs
from napari_tessera.stacks.tiff.layout import PageLayout, Part
from napari_tessera.stacks.tiff.open_files import OpenFiles, Read

_OPEN_FILES = 16
_CACHED_BYTES = 64 * 2**20
_LARGE_BYTES = 256 * 2**20
_MOST_MISSING = 10**6

AnyPage = TiffPage | TiffFrame


class DamagedTiffError(OSError):
    """Part of a TIFF file cannot be read; the message names it."""


class TiffPixels:
    """Array-like over one series (image) of a TIFF file, at one resolution level.

    Uncompressed pixels are read by the runs of rows that hold those wanted, others by the strips
    or tiles that meet them; decoded strips and tiles are kept for a while (64 MiB at most, or
    the last one), because neighbouring patches share them. Neither reading nor decoding holds a
    lock.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        A series of an open file, which may be closed afterwards; the other files of a multi-file
        series are opened as needed.
    absent : callable, optional
        Says why the page of this number (None, or one without pixels) is not there, or None
        where the format means that it is empty (zero, or the file's own value for no data). All
        are empty by default.

    Raises
    ------
    ValueError
        If the pixels are stored in a way that cannot be read, or pages are missing.
    """

    gives_new_arrays = True
    """What is read is nobody else's memory, so that no copy of it is needed."""

    decodes_chunks = True
    """Of a strip or tile any pixel is had by decoding all of them, but see `keeps_chunks`."""

    def __init__(
        self,
        series: TiffPageSeries,
        absent: Callable[[int, AnyPage | None], str | None] | None = None,
    ) -> None:
        self.shape: tuple[int, ...] = tuple(int(size) for size in series.shape)
        """Shape in the series' axes."""
        self.dtype: np.dtype[Any] = np.dtype(series.dtype)
        """Type of the pixels, in native byte order."""
        self._transform = series.transform
        self._absent = absent or (lambda number, page: None)
        layout = PageLayout(series.keyframe)
        self._layouts = {id(series.keyframe): layout}
        self._paths: dict[int, str] = {}
        self._layout = layout
        self._page_axes = _page_axes(self.shape, layout.shape)
        self._n_pages = prod(self.shape[: self._page_axes])
        # where the pages of one file follow each other; an offset of 0 means that there are none
        self._start: int | None = None if series.is_multifile else series.dataoffset or None
        if self._start is not None:
            self._pages: list[AnyPage | None] = [series[0]]
            there = (series.keyframe.parent.filehandle.size - self._start) // layout.nbytes
        else:
            self._pages = list(series)
            there = sum(page is not None for page in self._pages)
        if self._n_pages > there + _MOST_MISSING:
            raise ValueError(f"the image is said to have {self._n_pages} pages, there are {there}")
        handle = series.keyframe.parent.filehandle
        self._main = str(handle.path)
        self._files = OpenFiles(_OPEN_FILES)
        if not handle.closed:
            # the very file that was opened, though another one may take its name
            self._files.keep(self._main, os.dup(handle.fileno()))
        self._decoded: BlockCache[tuple[int, int]] = BlockCache(_CACHED_BYTES)
        self._left_out = NumberSet()

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a strip or tile, in the series' axes."""
        sizes = zip(self._layout.shape, self._layout.segment_shape, strict=True)
        segment = [length for size, length in sizes if size > 1]
        return tuple(
            segment.pop(0) if axis >= self._page_axes and size > 1 else 1
            for axis, size in enumerate(self.shape)
        )

    @property
    def keeps_chunks(self) -> bool:
        """Whether to keep strips or tiles gains nothing: of plain pixels rows are read."""
        return self._start is not None or self._layout.is_raw

    def for_one_pass(self) -> Self:
        """The same pixels, for who keeps strips and tiles: all but the last one are forgotten."""
        other = copy(self)
        other._decoded = BlockCache(0)
        return other

    @property
    def segment_name(self) -> str:
        """What the image is stored in: ``strip`` or ``tile``."""
        return "tile" if self._layout.tiled else "strip"

    @property
    def fill_value(self) -> float:
        """What pixels are whose strips or tiles are not in the file."""
        return self._layout.nodata

    @property
    def absent(self) -> int:
        """How many strips or tiles without bytes were met, those of absent planes among them."""
        return len(self._left_out)

    def count_absent(self) -> tuple[int, int]:
        """How many strips or tiles have no bytes, and how many make up the image."""
        per_page = prod(self._layout.grid)
        total = self._n_pages * per_page
        if self._start is not None:
            return 0, total
        absent = 0
        for number, page in enumerate(self._pages):
            if page is not None:
                segments = zip(page.dataoffsets, page.databytecounts, strict=False)
                absent += sum(1 for offset, count in segments if not offset or not count)
            elif self._absent(number, None) is None:
                absent += per_page
        return absent, total

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that hold the pixels, as far as they are there."""
        paths = {self._path(page): None for page in self._pages if page is not None}
        return tuple(Path(path) for path in paths)

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[np.generic]:
        """Pixels at one int or slice of step 1 per axis, inside the image and not empty."""
        spans = spans_of(index)
        lengths = [stop - start for start, stop in spans]
        block: NDArray[np.generic] = np.empty(lengths, self._layout.dtype)
        if self._start is not None:
            with self._files.reading(self._main) as read:
                whole = partial(self._read_run, read)
                stored = self._layout.stored_dtype
                read_runs(whole, self._start, self.shape, stored, spans, block)
        else:
            self._fill_from_pages(block, spans)
        if self._transform is not None:
            block = self._transform(block)
        kept = zip(lengths, index, strict=True)
        return block.reshape([length for length, i in kept if isinstance(i, slice)])

    def close(self) -> None:
        """Close the files, and forget what was decoded."""
        self._files.close()
        self._decoded.clear()

    def _fill_from_pages(
        self, block: NDArray[np.generic], spans: Sequence[tuple[int, int]]
    ) -> None:
        pages, inner = spans[: self._page_axes], spans[self._page_axes :]
        sizes = zip(inner, self.shape[self._page_axes :], strict=True)
        own = [span for span, size in sizes if size > 1]
        part = [own.pop(0) if size > 1 else (0, 1) for size in self._layout.shape]
        positions = product(*(range(start, stop) for start, stop in pages))
        targets = block.reshape((-1, *(stop - start for start, stop in part)))
        for target, position in zip(targets, positions, strict=True):
            number = 0
            for at, size in zip(position, self.shape, strict=False):
                number = number * size + at
            self._fill(target, number, part)

    def _fill(self, target: NDArray[np.generic], number: int, part: Part) -> None:
        """Read part of one page of the series into ``target``."""
        if number >= len(self._pages):
            raise DamagedTiffError(
                f"the image is said to have {self._n_pages} pages, there are {len(self._pages)}"
            )
        page = self._pages[number]
        if page is None or page.dataoffsets[:1] == (0,) == page.databytecounts[:1]:
            reason = self._absent(number, page)
            if reason is not None:
                raise DamagedTiffError(reason)
        if page is None:
            target[...] = self._layout.nodata
            for segment, _, _ in self._layout.segments(part):
                self._miss(number, segment)
            return
        layout = self._layout_of(page)
        offsets = page.dataoffsets
        with self._opened(page) as read:
            if layout.is_one_run(offsets):
                whole = partial(self._read_all, read, page, None)
                read_runs(whole, offsets[0], layout.shape, layout.stored_dtype, part, target)
            else:
                self._fill_from_segments(target, page, number, part, layout, read)

    def _fill_from_segments(
        self,
        target: NDArray[np.generic],
        page: AnyPage,
        number: int,
        part: Part,
        layout: PageLayout,
        read: Read,
    ) -> None:
        offsets, counts = page.dataoffsets, page.databytecounts
        for segment, span, inner in layout.segments(part):
            if segment >= min(len(offsets), len(counts)):
                raise DamagedTiffError(
                    f"{self._name(page, segment)} is not listed: of "
                    f"{prod(layout.grid)} there are {len(offsets)} offsets, {len(counts)} sizes"
                )
            offset, count = offsets[segment], counts[segment]
            if not offset or not count:
                target[inner] = layout.nodata
                self._miss(number, segment)
            elif layout.is_raw and count >= layout.stored_nbytes(segment):
                whole = partial(self._read_all, read, page, segment)
                shape = layout.stored_shape(segment)
                read_runs(whole, offset, shape, layout.stored_dtype, span, target[inner])
            else:
                make = partial(self._decode, page, segment, layout, read)
                block = self._decoded.get((number, segment), make)
                target[inner] = block[tuple(slice(*ends) for ends in span)]

    def _miss(self, number: int, segment: int) -> None:
        self._left_out.add(number * prod(self._layout.grid) + segment)

    def _decode(
        self, page: AnyPage, segment: int, layout: PageLayout, read: Read
    ) -> NDArray[np.generic]:
        """One decoded strip or tile, along a page's five axes."""
        offset, count = page.dataoffsets[segment], page.databytecounts[segment]
        nbytes = layout.segment_nbytes
        stored = self._read_all(read, page, segment, offset, count)
        if nbytes > max(_LARGE_BYTES, layout.most_dense * count):
            # asked for room for so much, the system might kill the process
            raise DamagedTiffError(
                f"{self._name(page, segment)} at byte {offset} cannot hold {nbytes} bytes of "
                f"pixels in {count} bytes"
            )
        try:
            block = layout.decode(
                stored, segment, jpegtables=page.jpegtables, jpegheader=layout.jpegheader
            )[0]
        except MemoryError:
            raise DamagedTiffError(
                f"{self._name(page, segment)} at byte {offset} takes {nbytes} bytes when decoded: "
                "more than there is memory for; store the image in smaller tiles"
            ) from None
        except Exception as error:
            raise DamagedTiffError(
                f"{self._name(page, segment)} at byte {offset} cannot be decoded: "
                f"{error_line(error)}; copy the file again"
            ) from error
        if not _goes_into(block.dtype, layout.dtype):
            raise DamagedTiffError(
                f"{self._name(page, segment)} at byte {offset} holds {block.dtype}, the image is "
                f"{layout.dtype}"
            )
        return np.asarray(block)[np.newaxis]

    def _layout_of(self, page: AnyPage) -> PageLayout:
        """Layout of a page; each file of a multi-file series has one of its own."""
        keyframe = page.keyframe
        layout = self._layouts.get(id(keyframe))
        if layout is None:
            if keyframe is None:
                raise DamagedTiffError(f"{self._name(page)} is of no known kind")
            layout = PageLayout(keyframe)
            if (layout.shape, layout.dtype) != (self._layout.shape, self._layout.dtype):
                raise DamagedTiffError(
                    f"{self._name(page)} has pixels {layout.shape} {layout.dtype}, others "
                    f"{self._layout.shape} {self._layout.dtype}"
                )
            self._layouts[id(keyframe)] = layout
        return layout

    @contextmanager
    def _opened(self, page: AnyPage) -> Iterator[Read]:
        path = self._path(page)
        try:
            with self._files.reading(path) as read:
                yield read
        except DamagedTiffError:
            raise
        except OSError as error:
            raise DamagedTiffError(f"{Path(path).name}: {error.strerror or error}") from error

    def _read_run(self, read: Read, offset: int, count: int) -> bytes:
        """Read from the pages of a series that follow each other."""
        stored = read(offset, count)
        if len(stored) < count:
            assert self._start is not None
            first = self._pages[0]
            assert first is not None
            number = first.index + (offset + len(stored) - self._start) // self._layout.nbytes
            raise _cut_off(f"page {number}", offset, count, len(stored))
        return stored

    def _read_all(
        self, read: Read, page: AnyPage, segment: int | None, offset: int, count: int
    ) -> bytes:
        stored = read(offset, count)
        if len(stored) < count:
            raise _cut_off(self._name(page, segment), offset, count, len(stored))
        return stored

    def _path(self, page: AnyPage) -> str:
        path = self._paths.get(id(page.parent))
        if path is None:
            path = self._paths[id(page.parent)] = str(page.parent.filehandle.path)
        return path

    def _name(self, page: AnyPage, segment: int | None = None) -> str:
        """What messages call a page, or a strip or tile of it."""
        path, number = self._path(page), ".".join(map(str, page.treeindex))
        name = f"page {number}" + (f" of {Path(path).name}" if path != self._main else "")
        if segment is None:
            return name
        return f"{'tile' if self._layout_of(page).tiled else 'strip'} {segment} of {name}"


def _cut_off(name: str, offset: int, wanted: int, there: int) -> DamagedTiffError:
    return DamagedTiffError(
        f"{name} is cut off: {wanted} bytes from byte {offset} wanted, {there} there; copy the "
        "file again"
    )


def _goes_into(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether decoded pixels are of the image's type, or fit it."""
    return (
        found == wanted
        or wanted.kind == "b"
        or found.itemsize == wanted.itemsize
        or np.can_cast(found, wanted)
    )


def _page_axes(shape: Sequence[int], page_shape: Sequence[int]) -> int:
    """How many leading axes of a series count its pages; the others are those of a page."""
    for axis in reversed(range(len(shape))):
        if prod(shape[axis:]) == prod(page_shape):
            if [n for n in shape[axis:] if n > 1] == [n for n in page_shape if n > 1]:
                return axis
            break
    raise ValueError(f"pages of {tuple(page_shape)} do not make up an image of {tuple(shape)}")
