"""Images of any kind read block by block, in the order of axes that a file has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import validate_axes
from napari_tessera.stacks.array import ArrayLike

BLOCK_LIMIT = 64 * 2**20
"""Bytes of pixels to read at a time, where a row of tiles is not more."""


@dataclass(frozen=True)
class OrderedPixels:
    """An image as if its axes had another order; nothing is read before it is asked for.

    Parameters
    ----------
    img : array-like
        The image.
    axes : str
        Its axes, letters out of ``STCZYX``.
    order : str
        Its axes as they are wanted. Without S, samples go into T, S-major: sample 1 follows the
        last time point of sample 0.

    Raises
    ------
    ValueError
        If the axes do not describe the image.
    """

    img: ArrayLike
    axes: str
    order: str

    def __post_init__(self) -> None:
        validate_axes(self.axes, self.img.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes of `order`."""
        sizes = self._sizes(self.img.shape)
        return tuple(
            sizes["T"] * sizes["S"] if letter == "T" and self._merges else sizes[letter]
            for letter in self.order
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the pixels, in native byte order."""
        dtype: np.dtype[Any] = np.dtype(self.img.dtype)
        return dtype.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Lengths of the pieces that the image is stored in, 1 where it is not."""
        given = getattr(self.img, "chunks", None) or (1,) * len(self.axes)
        # dask tells the length of each chunk
        lengths = self._sizes([one if isinstance(one, int) else max(one) for one in given])
        if self._merges and "T" not in self.axes:
            lengths["T"] = lengths["S"]
        return tuple(lengths[letter] for letter in self.order)

    def __getitem__(self, part: tuple[slice, ...]) -> NDArray[Any]:
        return self.read(part)

    def read(self, part: Sequence[slice]) -> NDArray[Any]:
        """Pixels of a part.

        Parameters
        ----------
        part : sequence of slice
            Start and stop along each axis of `order`.

        Returns
        -------
        numpy.ndarray
            In this order of axes and native byte order.
        """
        wanted = dict(zip(self.order, part, strict=True))
        if not self._merges:
            return self._read(wanted)
        n_times = self._sizes(self.img.shape)["T"]
        start, stop = wanted["T"].start, wanted["T"].stop
        blocks = []
        for sample in range(start // n_times, (stop - 1) // n_times + 1):
            first = sample * n_times
            wanted["S"] = slice(sample, sample + 1)
            wanted["T"] = slice(max(start - first, 0), min(stop - first, n_times))
            blocks.append(self._read(wanted))
        at = self.order.index("T")
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=at)

    @property
    def _merges(self) -> bool:
        return "S" in self.axes and "S" not in self.order

    def _sizes(self, lengths: Sequence[int]) -> dict[str, int]:
        own = {letter: int(size) for letter, size in zip(self.axes, lengths, strict=True)}
        return {"S": 1, "T": 1} | own

    def _read(self, wanted: dict[str, slice]) -> NDArray[Any]:
        """Pixels where no more than one sample is asked for, if samples go into T."""
        block = np.asarray(self.img[tuple(wanted[letter] for letter in self.axes)])
        letters = self.axes
        if self._merges:
            at = letters.index("S")
            if "T" in letters:
                block, letters = block.take(0, axis=at), letters.replace("S", "")
            else:
                letters = letters.replace("S", "T")
        block = block.transpose([letters.index(letter) for letter in self.order])
        return block.astype(block.dtype.newbyteorder("="), copy=False)


def c_order_blocks(
    shape: Sequence[int],
    chunks: Sequence[int],
    itemsize: int,
    *,
    rows: int = 1,
    limit: int = BLOCK_LIMIT,
) -> Iterator[tuple[slice, ...]]:
    """Cut an array into blocks that follow each other in C order.

    Each block is one run of pixels in a file that holds them in C order.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    chunks : sequence of int
        Lengths of the pieces that it is stored in: blocks hold whole ones where the limit allows
        it, so that each is unpacked once.
    itemsize : int
        Bytes of a pixel.
    rows : int, optional
        Where a block is a part of a plane, it has a multiple of this many rows (axis −2).
    limit : int, optional
        Bytes of a block; more where ``rows`` whole rows take more.

    Yields
    ------
    tuple of slice
        Start and stop along each axis.
    """
    sizes = [int(size) for size in shape]
    behind = [itemsize * prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    last = max(len(sizes) - 2, 0)
    cut = next((axis for axis in range(last) if behind[axis] <= limit), last)
    length = max(limit // max(behind[cut], 1), 1)
    step = max(rows if cut == len(sizes) - 2 else 1, 1)
    for unit in (max(step, chunks[cut]), step):
        if unit % step == 0 and length >= unit:
            length = length // unit * unit
            break
    length = max(length, step)
    for outer in np.ndindex(*sizes[:cut]):
        for start in range(0, sizes[cut], length):
            yield (
                *(slice(at, at + 1) for at in outer),
                slice(start, min(start + length, sizes[cut])),
                *(slice(0, size) for size in sizes[cut + 1 :]),
            )


def blocks_of(
    pixels: OrderedPixels, *, rows: int = 1, limit: int = BLOCK_LIMIT
) -> Iterator[NDArray[Any]]:
    """Pixels of an image, block by block in C order; see `c_order_blocks`."""
    itemsize = pixels.dtype.itemsize
    for part in c_order_blocks(pixels.shape, pixels.chunks, itemsize, rows=rows, limit=limit):
        yield pixels.read(part)
