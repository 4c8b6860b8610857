"""How an array is cut into chunks, and chunks are put into shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from napari_tessera.layout import Layout

MANY_CHUNKS = 4096
"""An array of more chunks than this gets shards: a folder of files that can still be copied."""

SHARD_BYTES = 16 * 2**20
"""Uncompressed size that shards grow to: a plane of 100,000² is 2,500 of them."""

SMALLEST_CHUNK, LARGEST_CHUNK = 64 * 2**10, 64 * 2**20
"""Uncompressed bytes between which an image's own chunks serve its prediction too."""

STRETCHED = 8
"""A chunk that is longer than this times its width is none for viewers."""

MOST_TILES, MOST_TILES_OF_SHARD = 2, 4
"""How many tiles an image's own chunk, or shard, may be long: a row of them is held in memory, and
a kill costs all that are in it."""

ROW_BYTES = 16 * 2**20
"""Uncompressed size of a row of chunks of a plane, from edge to edge, that may be begun: as tiles
come row by row, so much is held, and half as much again for smaller levels."""

_LOWEST_ROW = 256
"""Chunks get no lower than this for the sake of memory: more and smaller ones would slow readers
down. The row of a float32 plane is more than `ROW_BYTES` then from 16,384 pixels of width on."""

_SHORT, _LONG, _PLANES = 256, 512, 16
"""Lengths of chunks that are chosen along Y and X, and along Z."""

_GROWING = "XYZCTS"


@dataclass(frozen=True)
class Chunking:
    """Lengths of chunks and of shards.

    Parameters
    ----------
    chunks : tuple of int
        Along each axis; what a reader can read apart.
    shards : tuple of int or None, default None
        Along each axis, multiples of the chunks; what is one file. None for a file a chunk.
    """

    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None

    def cut_to(self, shape: Sequence[int]) -> Chunking:
        """The same for a smaller array: nothing longer than needed, no shard of one chunk.

        Parameters
        ----------
        shape : sequence of int
            Shape of the array.
        """
        chunks = tuple(
            min(length, int(size)) for length, size in zip(self.chunks, shape, strict=True)
        )
        if self.shards is None:
            return Chunking(chunks)
        shards = tuple(
            min(shard // length, -(-int(size) // length)) * own
            for shard, length, own, size in zip(
                self.shards, self.chunks, chunks, shape, strict=True
            )
        )
        return Chunking(chunks, None if shards == chunks else shards)

    def grown_to(self, axes: str, shape: Sequence[int], parts: int = 1) -> Chunking:
        """The same for a smaller array, where shards may have fewer pixels than here.

        Those that no longer fit along Y and X grow along the other axes: small planes of many would
        be a file each. Not along C where no shard here does.

        Parameters
        ----------
        axes, shape : str, sequence of int
            Axes and shape of the array.
        parts : int, default 1
            A shard has so many times fewer pixels: begun ones of many levels are held at once.
        """
        cut = self.cut_to(shape)
        if self.shards is None:
            return cut
        most = prod(self.shards) // parts
        room = max(1, most // prod(cut.chunks))
        if most >= prod(cut.shards or cut.chunks) > most // 2:
            return cut
        counts = [-(-int(n) // length) for n, length in zip(shape, cut.chunks, strict=True)]
        at = axes.find("C")
        apart = "C" if at >= 0 and self.shards[at] == self.chunks[at] else ""
        return Chunking(cut.chunks, _grown(axes, counts, cut.chunks, room, apart))


def tile_axes(layout: Layout) -> str:
    """Axes that one tile extends along: those of space, and C unless it is folded."""
    return layout.spatial_axes + ("" if "C" in layout.fold else "C")


def serving(
    lengths: Sequence[int] | None,
    axes: str,
    shape: Sequence[int],
    spanned: str,
    core_steps: Mapping[str, int],
    most_tiles: int = MOST_TILES,
) -> tuple[int, ...] | None:
    """The lengths of an image's own chunks or shards, where they suit tiles and viewers.

    They do not span what tiles do not: a chunk of many planes stays begun until the last one is
    predicted. They are no more than a few tiles long, as whole planes may be, and not the strips
    of a TIFF, which a viewer would read from edge to edge.

    Parameters
    ----------
    lengths : sequence of int or None
        Along each axis.
    axes : str
        Axes of the array.
    shape : sequence of int
        Its shape.
    spanned : str
        Axes that a chunk may be longer than 1 along: see `tile_axes`.
    core_steps : mapping of str to int
        Distance of two tiles in pixels along each axis that tiles extend along.
    most_tiles : int, default 2
        How many of these distances a length may be.

    Returns
    -------
    tuple of int or None
        The lengths as they were given; None where they do not serve.
    """
    if not lengths or len(lengths) != len(axes) or min(lengths) < 1:
        return None
    along = dict(zip(axes, map(min, lengths, shape), strict=True))
    if any(length > 1 for letter, length in along.items() if letter not in spanned):
        return None
    for letter, step in core_steps.items():
        # what would be chosen without an image's own serves however small tiles are
        usual = _PLANES if letter == "Z" else _LONG
        if along.get(letter, 1) > max(most_tiles * step, usual):
            return None
    short, long = sorted((along["Y"], along["X"]))
    return None if long > STRETCHED * short else tuple(int(length) for length in lengths)


def choose_chunking(
    axes: str,
    shape: Sequence[int],
    core_steps: Mapping[str, int],
    dtype: DTypeLike,
    *,
    asked: Sequence[int] | None = None,
    source_chunks: Sequence[int] | None = None,
    source_shards: Sequence[int] | None = None,
    sharding: bool = True,
    apart: str = "",
) -> Chunking:
    """Choose chunks and shards for an array that tiles are written to.

    What is asked for comes first, then the image's own chunks and shards where they serve, then
    `default_chunks`. An array of more than `MANY_CHUNKS` chunks gets shards. They follow the order
    in which tiles come: as long as possible along X, and only where they cover X grow along
    Y, and so on, so that no more than a row of chunks is begun at a time. Where planes are so wide
    that such a row is more than `ROW_BYTES`, chunks not asked for get lower and longer; the image's
    own shards do not serve where a row of them is more than 64 MiB.

    Parameters
    ----------
    axes : str
        Axes of the array.
    shape : sequence of int
        Its shape.
    core_steps : mapping of str to int
        Distance of two tiles in pixels along each axis that tiles extend along.
    dtype : dtype-like
        Its data type.
    asked : sequence of int, optional
        Lengths of chunks along the last axes; the others get 1.
    source_chunks, source_shards : sequence of int, optional
        Chunks and shards of the image, in the order of ``axes``. They serve if there is one for
        each axis and chunks have 64 KiB to 64 MiB, shards no more than that, uncompressed.
    sharding : bool, default True
        Whether the format knows shards; Zarr 2 does not.
    apart : str, default ""
        Axes along which no chunk and no shard is longer than 1, whatever is asked for: what lies
        there does not come together.

    Raises
    ------
    ValueError
        If lengths that are asked for do not fit the axes.
    """
    itemsize = np.dtype(dtype).itemsize
    if asked is not None:
        chunking = Chunking(_asked(asked, axes))
    elif _serves(source_chunks, shape, SMALLEST_CHUNK // itemsize, LARGEST_CHUNK // itemsize):
        chunks = tuple(int(length) for length in source_chunks or ())
        shards = tuple(int(length) for length in source_shards or ())
        fits = _serves(shards, shape, 1, LARGEST_CHUNK // itemsize) and not any(
            shard % length for shard, length in zip(shards, chunks, strict=True)
        )
        if fits and _lowered(shards, axes, shape, itemsize, LARGEST_CHUNK) == shards:
            chunking = Chunking(chunks, shards)
        else:
            chunking = Chunking(_lowered(chunks, axes, shape, itemsize))
    else:
        chunks = default_chunks(axes, shape, core_steps)
        chunking = Chunking(_lowered(chunks, axes, shape, itemsize))
    if not sharding:
        chunking = Chunking(chunking.chunks)
    chunking = chunking.cut_to([1 if a in apart else n for a, n in zip(axes, shape, strict=True)])
    counts = [-(-int(n) // length) for n, length in zip(shape, chunking.chunks, strict=True)]
    if sharding and chunking.shards is None and prod(counts) > MANY_CHUNKS:
        room = SHARD_BYTES // (prod(chunking.chunks) * itemsize)
        chunking = Chunking(chunking.chunks, _grown(axes, counts, chunking.chunks, room, apart))
    return chunking


def default_chunks(
    axes: str, shape: Sequence[int], core_steps: Mapping[str, int]
) -> tuple[int, ...]:
    """Choose the chunk shape for an array that tiles are written to.

    Any shape can be written once, as the assembler holds what is begun, so chunks serve readers:
    a power of two near the distance of two tiles, 256 or 512 along Y and X of planes (0.25 to
    1 MiB of float32: a viewer's window touches a few, and a plane of 20,000² is 1,600 files); 256
    along Y and X and 16 along Z (4 MiB) where tiles extend along Z, so that neither a plane
    nor a side view reads the whole volume; 1 along everything else, so that a time point or channel
    opens by itself. No chunk is larger than the array.

    Parameters
    ----------
    axes : str
        Axes of the array.
    shape : sequence of int
        Its shape.
    core_steps : mapping of str to int
        Distance of two tiles in pixels along each axis that tiles extend along.
    """
    chunks = []
    for letter, size in zip(axes, shape, strict=True):
        if letter not in core_steps:
            length = 1
        elif letter == "Z":
            length = _PLANES
        else:
            near_long = "Z" not in core_steps and core_steps[letter] >= 384
            length = _LONG if near_long else _SHORT
        chunks.append(min(length, int(size)))
    return tuple(chunks)


def _lowered(
    lengths: tuple[int, ...], axes: str, shape: Sequence[int], itemsize: int, most: int = ROW_BYTES
) -> tuple[int, ...]:
    """Lengths, halved along Y until a row of a plane has at most so many bytes.

    They get as much longer along X, while no more than four times as long as high, so that there
    are no more of them. Not where one covers X, or they are longer than 1 along other axes: what is
    begun is then one of them, or more than a row, and lower ones would not make it less.
    """
    along = {
        letter: (length, int(size))
        for letter, length, size in zip(axes, lengths, shape, strict=True)
    }
    low, _ = along.pop("Y")
    long, width = along.pop("X")
    if long >= width or any(min(both) > 1 for both in along.values()):
        return lengths
    while low * width * itemsize > most and low >= 2 * _LOWEST_ROW and low % 2 == 0:
        low //= 2
        if 2 * long <= STRETCHED // 2 * low:
            long *= 2
    return tuple(
        {"Y": low, "X": long}.get(letter, length)
        for letter, length in zip(axes, lengths, strict=True)
    )


def _asked(lengths: Sequence[int], axes: str) -> tuple[int, ...]:
    given = tuple(int(length) for length in lengths)
    if len(given) > len(axes) or any(length < 1 for length in given):
        raise ValueError(
            f"chunks {given} do not fit the axes {axes}: give sizes of at least 1 for the last "
            f"axes, at most {len(axes)}"
        )
    return (1,) * (len(axes) - len(given)) + given


def _serves(lengths: Sequence[int] | None, shape: Sequence[int], fewest: int, most: int) -> bool:
    if not lengths or len(lengths) != len(shape) or min(lengths) < 1:
        return False
    return fewest <= prod(map(min, lengths, shape)) <= most


def _grown(
    axes: str, counts: Sequence[int], chunks: tuple[int, ...], room: int, apart: str
) -> tuple[int, ...] | None:
    """Lengths of shards of at most so many chunks; None if that is one.

    Those that lie beside each other along axes that are apart are begun together: there are so many
    chunks in all of them.
    """
    per_shard = [1] * len(axes)
    for letter in (letter for letter in _GROWING if letter in axes):
        at = axes.index(letter)
        if letter in apart:
            room //= counts[at]
            continue
        fitting = max(1, min(counts[at], room))
        # shards of about the same length, and not full ones and a short last one
        per_shard[at] = -(-counts[at] // -(-counts[at] // fitting))
        room //= per_shard[at]
        if per_shard[at] < counts[at]:
            break
    shards = tuple(n * length for n, length in zip(per_shard, chunks, strict=True))
    return None if shards == chunks else shards
