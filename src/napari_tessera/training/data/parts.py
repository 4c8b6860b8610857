"""A large image in parts, so that patches which are read together lie together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from napari_tessera.training.data.cells import Box, CellGrid
from napari_tessera.training.data.images import Images

_EDGE = {2: (2048, 2048), 3: (64, 512, 512)}
_CELLS = {2: (8, 8), 3: (2, 4, 4)}
_DEEP = 4


@dataclass(frozen=True)
class Part:
    """A box of an image, in some of its samples.

    Parameters
    ----------
    cells : Box
        Start and stop along (Z)YX in cells.
    samples : tuple of int
        Samples (folded) whose pixels are decoded together.
    """

    cells: Box
    samples: tuple[int, ...]


def boxes_of(images: Images, grid: CellGrid, *, whole: bool) -> tuple[Box, ...]:
    """Cut the space of an image into boxes of whole cells.

    Parameters
    ----------
    images : Images
        Their chunks decide: a box is as few of them as hold 8 × 8 patches (4 × 4 where chunks are
        several planes deep, in 3D 2 × 4 × 4), so that a chunk which is decoded gives several.
        Without chunks it is 2048 pixels wide (in 3D 64 × 512 × 512), or as many patches.
    grid : CellGrid
        The cells.
    whole : bool
        Whether to cut nothing, as of an image that is in memory.
    """
    if whole:
        return (tuple((0, n) for n in grid.shape),)
    dims = len(grid.shape)
    chunks = [images.chunk(letter) for letter in "ZYX"[-dims:]]
    least = _CELLS[dims]
    if dims == 2 and images.chunk("Z") >= _DEEP:
        least = tuple(n // 2 for n in least)
    along = []
    for n, p, chunk, edge, cells in zip(
        grid.shape, grid.patch, chunks, _EDGE[dims], least, strict=True
    ):
        wanted = cells * p if max(chunks) > 1 else max(edge, cells * p)
        each = max(1, round(-(-wanted // chunk) * chunk / p))
        starts = [at * each for at in range(max(1, n // each))]
        along.append(list(zip(starts, [*starts[1:], n], strict=True)))
    return tuple(product(*along))


def parts_of(images: Images, boxes: Sequence[Box], samples: Sequence[int]) -> Iterator[Part]:
    """All parts: box by box, the samples of a chunk together, in ascending order."""
    together = images.chunk("Z") if "Z" in images.layout.sample_sizes else 1
    planes = images.layout.sample_sizes.get("Z", 1)
    groups: dict[tuple[int, int], list[int]] = {}
    for sample in samples:
        volume, plane = divmod(sample, planes)
        groups.setdefault((volume, plane // together), []).append(sample)
    for box in boxes:
        for group in groups.values():
            yield Part(box, tuple(group))
