"""How a TIFF page is cut up into strips or tiles, and which of them make up a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import product
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from tifffile import TiffPage

_COMPLEX_INT = 5
_MOST_SAMPLES = 2**16 - 1
_MOST_DENSE = {1: 8, 5: 2000, 8: 1040, 32946: 1040, 32773: 128}
"""Bytes of pixels that a byte can hold at most, by compression: packed bits, LZW, deflate (two
numbers), PackBits.

A string of LZW has 4096 bytes at most and they grow by one with each code of 9 to 12 bits; deflate
repeats 258 bytes in 2 bits; PackBits repeats 128 in two bytes.
"""
_MOST_DENSE_ELSEWHERE = 2**16

Part = Sequence[tuple[int, int]]
"""Start and stop along each of a page's five axes, inside the page and not empty."""

Slices = tuple[slice, ...]


class Segment(NamedTuple):
    """A strip or tile that meets a part of a page."""

    number: int
    """Its place in the page's lists of offsets and byte counts."""
    span: tuple[tuple[int, int], ...]
    """What is wanted of it: start and stop along its own axes."""
    target: Slices
    """Where that goes in the part."""


class PageLayout:
    """What all pages that share a keyframe have in common.

    The five axes of a page are separate samples, depth, rows, columns and interleaved samples.

    Parameters
    ----------
    keyframe : tifffile.TiffPage
        The page that tells it.

    Raises
    ------
    ValueError
        If the page has no pixels, or strips or tiles without any, or cannot be decoded.
    """

    def __init__(self, keyframe: TiffPage) -> None:
        self.shape = tuple(int(size) for size in keyframe.shaped)
        """Size of a page along its five axes."""
        self.segment_shape = _segment_shape(keyframe)
        """Size of a strip or tile along the same axes."""
        if min(self.shape) < 1 or min(self.segment_shape) < 1:
            kind = "tiles" if keyframe.is_tiled else "strips"
            raise ValueError(f"pages of {self.shape} pixels in {kind} of {self.segment_shape}")
        if keyframe.samplesperpixel > _MOST_SAMPLES:
            raise ValueError(f"{keyframe.samplesperpixel} samples per pixel")
        if keyframe.dtype is None:
            raise ValueError(
                f"{keyframe.bitspersample} bits per sample in format {int(keyframe.sampleformat)}"
            )
        self.decode: Callable[..., Any] = keyframe.decode
        """Decodes a strip or tile; raises what is wrong where that is not possible."""
        _check_decoder(self.decode, keyframe.compression)
        self.dtype = np.dtype(keyframe.dtype).newbyteorder("=")
        """Type of the pixels, in native byte order."""
        self.nodata: float = keyframe.nodata
        """What pixels are that the file leaves out."""
        self.tiled = bool(keyframe.is_tiled)
        """Whether segments are tiles, not strips."""
        self.jpegheader: bytes | None = keyframe.jpegheader
        """What JPEG tiles share besides their tables."""
        self._keyframe = keyframe

    @cached_property
    def stored_dtype(self) -> np.dtype[Any]:
        """Type of uncompressed pixels as they lie in the file."""
        return self.dtype.newbyteorder(self._keyframe.parent.byteorder)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of a page's pixels."""
        return prod(self.shape) * self.dtype.itemsize

    @cached_property
    def segment_nbytes(self) -> int:
        """Bytes of a strip's or tile's pixels; the last strip of a page may have fewer."""
        return prod(self.segment_shape) * self.dtype.itemsize

    @property
    def most_dense(self) -> int:
        """Bytes of pixels that a stored byte can hold at most, generously."""
        return _MOST_DENSE.get(self._keyframe.compression, _MOST_DENSE_ELSEWHERE)

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """How many segments lie along each axis."""
        sizes = zip(self.shape, self.segment_shape, strict=True)
        return tuple(ceil(size / length) for size, length in sizes)

    def is_one_run(self, offsets: Sequence[int]) -> bool:
        """Whether a page's pixels lie in the file as they are, one after the other."""
        if not self._run or not offsets or not offsets[0]:
            return False
        # pages are taken for alike by their keyframe: that strips follow each other is looked up
        return len(offsets) == 1 or offsets[-1] - offsets[0] == self._last_offset

    @cached_property
    def is_raw(self) -> bool:
        """Whether the pixels of a segment lie in the file as they are."""
        page = self._keyframe
        return (
            page.compression == 1
            and page.predictor == 1
            and page.fillorder == 1
            and page.sampleformat != _COMPLEX_INT
            and page.bitspersample == 8 * self.dtype.itemsize
            and not page.is_subsampled
        )

    @cached_property
    def _run(self) -> bool:
        return bool(self._keyframe.is_final)

    @cached_property
    def _last_offset(self) -> int:
        offsets: Sequence[int] = self._keyframe.dataoffsets
        return offsets[-1] - offsets[0]

    def segments(self, part: Part) -> Iterator[Segment]:
        """The strips or tiles that meet a part of a page."""
        along = []
        step = prod(self.grid)
        for (start, stop), length, count in zip(part, self.segment_shape, self.grid, strict=True):
            step //= count
            cells = []
            for cell in range(start // length, ceil(stop / length)):
                origin = cell * length
                low, high = max(start, origin), min(stop, origin + length)
                cells.append(
                    (cell * step, (low - origin, high - origin), slice(low - start, high - start))
                )
            along.append(cells)
        for chosen in product(*along):
            numbers, spans, targets = zip(*chosen, strict=True)
            yield Segment(sum(numbers), spans, targets)

    def stored_nbytes(self, segment: int) -> int:
        """Bytes of a strip or tile where its pixels lie in the file as they are."""
        return prod(self.stored_shape(segment)) * self.dtype.itemsize

    def stored_shape(self, segment: int) -> tuple[int, ...]:
        """Shape of a strip or tile as it is stored: the last strip of a page may be shorter."""
        if self.tiled:
            return self.segment_shape
        rows, length = self.shape[2], self.segment_shape[2]
        at = segment % self.grid[2] * length
        return (*self.segment_shape[:2], min(length, rows - at), *self.segment_shape[3:])


def _check_decoder(decode: Callable[..., Any], compression: int) -> None:
    """Raise where no strip or tile could be decoded, whatever it holds."""
    # of unsupported pixels tifffile makes a function that raises
    decode(None, 0)
    if compression == 1:
        return
    try:
        decode(b"", 0)
    except ImportError as error:
        raise ValueError(f"imagecodecs, as it is installed, has no decoder: {error}") from None
    except Exception:
        # nothing cannot be decoded: only whether there is a decoder is of interest
        return


def _segment_shape(page: TiffPage) -> tuple[int, ...]:
    _, _, rows, columns, samples = (int(size) for size in page.shaped)
    if page.is_tiled:
        return (1, max(page.tiledepth, 1), page.tilelength, page.tilewidth, samples)
    return (1, 1, min(page.rowsperstrip, rows), columns, samples)
