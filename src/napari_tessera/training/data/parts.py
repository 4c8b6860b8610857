"""A large image in parts, so that patches which are read together lie together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from napari_tessera.training.data.cells import Box, CellGrid
from napari_tessera.training.data.images import Images

_EDGE = {2: (2048, 2048), 3: (64, 512, 512)}
_CELLS = 4


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
        Their chunks decide: a box is some of them, and about 2048 pixels wide (in 3D 64 × 512 ×
        512), but never less than 4 patches.
    grid : CellGrid
        The cells.
    whole : bool
        Whether to cut nothing, as of an image that is in memory.
    """
    if whole:
        return (tuple((0, n) for n in grid.shape),)
    along = []
    for letter, n, p, edge in zip(
        "ZYX"[-len(grid.shape) :], grid.shape, grid.patch, _EDGE[len(grid.shape)], strict=True
    ):
        chunk = images.chunk(letter)
        pixels = max(chunk, max(edge, _CELLS * p) // chunk * chunk)
        each = max(1, round(pixels / p))
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
