"""Tile sizes that are worth measuring, for an image and a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from napari_tessera.patching import TiledPatching
from napari_tessera.prediction.auto_tiles import automatic_tile
from napari_tessera.prediction.geometry import Sizes, cut_to_image, resolve_overlaps

if TYPE_CHECKING:
    from napari_tessera.models import ModelGeometry

LARGE = 2**36
"""Pixels along each axis of an image that stands for any: its edges make no difference."""

STEPS_2D = (1 / 4, 3 / 8, 1 / 2, 3 / 4, 1, 3 / 2, 2)
"""Edges that are tried, of the largest automatic one."""

STEPS_3D = ((1 / 4, 1 / 2), (1 / 2, 1 / 2), (1 / 4, 1), (1 / 2, 1), (1, 1 / 2), (1, 3 / 4), (1, 1))
"""The same for volumes: along Z, and along Y and X."""

PLENTY = 2**62


@dataclass(frozen=True)
class Grid:
    """Tiles of one size over an image.

    Parameters
    ----------
    patch_size, overlaps : tuple of int
        Tile size and total overlap along (Z)YX, in pixels.
    tiles : int
        How many there are, of all samples together.
    pixels : int
        Pixels of the image, of all samples together.
    """

    patch_size: tuple[int, ...]
    overlaps: tuple[int, ...]
    tiles: int
    pixels: int

    @property
    def tile_pixels(self) -> int:
        """Pixels of one tile, overlap included."""
        return prod(self.patch_size)

    def pixels_per_second(self, seconds: float, batch_size: int) -> float:
        """Pixels of cores that are made in a second, so that overlap costs what it costs.

        Parameters
        ----------
        seconds : float
            That a batch takes. The last batch is filled up, and takes as long.
        batch_size : int
            Tiles of a batch.
        """
        return self.pixels / (-(-self.tiles // batch_size) * seconds)


def grid_of(
    patch_size: Sequence[int],
    overlaps: Sizes,
    spatial: Sequence[int],
    samples: int,
    geometry: ModelGeometry,
    edges: Sequence[int],
) -> Grid | None:
    """The grid that a plan makes of a tile size; None where the overlap leaves no core.

    Parameters
    ----------
    patch_size : sequence of int
        Tile size along (Z)YX.
    overlaps : "auto", int or sequence of int
        Total overlap of neighbours.
    spatial : sequence of int
        Size of the image along (Z)YX.
    samples : int
        Images of that size.
    geometry : ModelGeometry
        Of the model.
    edges : sequence of int
        Largest automatic edges.
    """
    letters = "ZYX"[-len(spatial) :]
    patch = tuple(patch_size)
    overlap = resolve_overlaps(overlaps, letters, spatial, geometry, patch, edges)
    patch, overlap = cut_to_image(patch, overlap, spatial, geometry.period)
    try:
        grid = TiledPatching([(1, 1, *spatial)], patch, overlap, geometry.period)
    except ValueError:
        return None
    return Grid(patch, overlap, prod(grid.grid_shape(0)) * samples, prod(spatial) * samples)


def grids_to_try(
    spatial: Sequence[int] | None,
    samples: int,
    overlaps: Sizes,
    geometry: ModelGeometry,
    edges: Sequence[int],
) -> tuple[Grid, ...]:
    """Grids from small tiles to large ones, each of another size.

    Parameters
    ----------
    spatial : sequence of int or None
        Size of the image along (Z)YX; None for tiles that suit any large image.
    samples, overlaps, geometry, edges
        As for `grid_of`.
    """
    size = (LARGE,) * len(edges) if spatial is None else tuple(spatial)
    found: dict[tuple[int, ...], Grid] = {}
    for wanted in _edges(edges):
        letters = "ZYX"[-len(size) :]
        overlap = resolve_overlaps(overlaps, letters, size, geometry, "auto", wanted)
        patch = automatic_tile(size, overlap, geometry, wanted, PLENTY)
        grid = grid_of(patch, overlaps, size, samples, geometry, edges)
        if grid is not None:
            found[grid.patch_size] = grid
    return tuple(sorted(found.values(), key=lambda grid: grid.tile_pixels))


def _edges(largest: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if len(largest) == 2:
        for step in STEPS_2D:
            yield tuple(round(edge * step) for edge in largest)
    else:
        for deep, wide in STEPS_3D:
            yield tuple(
                round(edge * step) for edge, step in zip(largest, (deep, wide, wide), strict=True)
            )
