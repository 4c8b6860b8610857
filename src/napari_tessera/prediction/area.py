"""The tiles of a region: numbered, found and ordered by arithmetic, never listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching, TileSpecs
from napari_tessera.patching.bins import unravel
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.region import Region, Selection


class TileArea:
    """Tiles of the grid over the whole image whose cores meet a region.

    The grid never depends on the region, so that a tile has the same pixels in a preview and in
    a full run. Tiles are numbered 0…n_tiles−1, sample by sample, in C order within a sample.

    Parameters
    ----------
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        Part of the output that is wanted.
    patching : TiledPatching
        The grid over one image stack of shape ``layout.view_shape``.
    kept : KeptTiles, optional
        Which of the tiles are predicted; None for all. The others keep their numbers.

    Raises
    ------
    ValueError
        If ``kept`` is for another grid.
    """

    def __init__(
        self,
        layout: Layout,
        region: Region,
        patching: TiledPatching,
        kept: KeptTiles | None = None,
    ) -> None:
        self.layout = layout
        self.region = region
        self.patching = patching
        self.kept = kept
        self._axes = patching.axes(0)
        self._samples = {letter: region.along(letter) for letter in layout.sample_sizes}
        self._grid = tuple(
            axis.meeting(*region.bounds(letter))
            for letter, axis in zip(layout.spatial_axes, self._axes, strict=True)
        )
        self._sample_shape = tuple(len(chosen) for chosen in self._samples.values())
        self._grid_shape = tuple(len(tiles) for tiles in self._grid)
        if kept is not None:
            kept.check(self.axes, self.shape)

    @property
    def axes(self) -> str:
        """Letters of the axes that tiles are numbered along: samples, then space."""
        return "".join(self._samples) + self.layout.spatial_axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of tiles along each of `axes`."""
        return self._sample_shape + self._grid_shape

    @property
    def n_samples(self) -> int:
        """Number of samples (of the folded image) that the region has."""
        return prod(self._sample_shape)

    @property
    def tiles_per_sample(self) -> int:
        """Number of tiles in each sample."""
        return prod(self._grid_shape)

    @property
    def n_tiles(self) -> int:
        """Number of tiles, those that are skipped included."""
        return self.n_samples * self.tiles_per_sample

    @property
    def n_predicted(self) -> int:
        """Number of tiles that are not skipped."""
        return self.n_tiles if self.kept is None else self.kept.share_of(self.n_tiles)

    @cached_property
    def skipped(self) -> NDArray[np.bool_] | None:
        """Of each tile whether it is skipped, read-only; None where none is."""
        if self.kept is None:
            return None
        kept = np.broadcast_to(self.kept.over(self.axes), self.shape)
        skipped: NDArray[np.bool_] = ~kept.ravel()
        skipped.setflags(write=False)
        return skipped

    def skipped_blocks(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """The same in parts, each with the number of its first tile: nothing is held."""
        return iter(()) if self.kept is None else self.kept.skipped_blocks(self.axes, self.shape)

    @property
    def grid(self) -> tuple[range, ...]:
        """Tiles of the area along each spatial axis, of those of the whole grid."""
        return self._grid

    @cached_property
    def cells(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Start and stop of each tile's core along each of `axes`, as far as the region goes."""
        samples = tuple(tuple((i, i + 1) for i in chosen) for chosen in self._samples.values())
        space = []
        for letter, axis, tiles in zip(
            self.layout.spatial_axes, self._axes, self._grid, strict=True
        ):
            first, last = self.region.bounds(letter)
            cores = [(stitch, stitch + size) for _, _, size, stitch in map(axis.tile, tiles)]
            space.append(tuple((max(a, first), min(b, last)) for a, b in cores))
        return (*samples, *space)

    @property
    def tile_size(self) -> tuple[int, ...]:
        """Size of every tile along the spatial axes: the shape that the model sees."""
        return tuple(axis.patch for axis in self._axes)

    def spec(self, index: int) -> TileSpecs:
        """Specification of a tile; ``total_tiles`` counts those that are predicted."""
        specs = self.patching.get_patch_spec(self.grid_number(*self.position(index)))
        specs["total_tiles"] = self.n_predicted
        return specs

    def grid_number(self, sample: int, at: Sequence[int]) -> int:
        """Number, in the grid over the whole image, of the tile at a grid position of a sample."""
        number = sample
        for i, axis in zip(at, self._axes, strict=True):
            number = number * axis.n + i
        return number

    def block(self, index: int) -> tuple[slice, ...]:
        """Slices of the whole output array that the tile's core covers."""
        sample, at = self.position(index)
        along = [axis.tile(i) for axis, i in zip(self._axes, at, strict=True)]
        return self.layout.output_index(
            sample, [stitch for *_, stitch in along], [size for _, _, size, _ in along]
        )

    def position(self, index: int) -> tuple[int, tuple[int, ...]]:
        """Sample of the folded image and grid position of a tile."""
        if not 0 <= index < self.n_tiles:
            raise IndexError(f"tile {index} is outside 0…{self.n_tiles - 1}")
        sample_at, grid_at = divmod(int(index), self.tiles_per_sample)
        at = unravel(sample_at, self._sample_shape)
        position = {
            letter: chosen[i] for (letter, chosen), i in zip(self._samples.items(), at, strict=True)
        }
        within = unravel(grid_at, self._grid_shape)
        return self.layout.sample_index(position), tuple(
            tiles[i] for tiles, i in zip(self._grid, within, strict=True)
        )

    def meeting(self, selection: Selection) -> Iterator[int]:
        """Numbers of the tiles whose cores meet a selection of the output, ascending."""
        wanted = Region.from_selection(self.region.axes, self.region.shape, selection)
        samples = [
            [i for i, index in enumerate(chosen) if index in wanted.along(letter)]
            for letter, chosen in self._samples.items()
        ]
        grid = []
        for letter, axis, tiles in zip(
            self.layout.spatial_axes, self._axes, self._grid, strict=True
        ):
            met = axis.meeting(*wanted.bounds(letter))
            grid.append([i for i, tile in enumerate(tiles) if tile in met])
        shape = self._sample_shape + self._grid_shape
        for at in product(*samples, *grid):
            yield int(np.ravel_multi_index(at, shape)) if shape else 0
