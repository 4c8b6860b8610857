"""Overlapping tiles whose cores partition the image, computed on demand from their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from napari_tessera.patching.bins import SampleBins, unravel
from napari_tessera.patching.checks import (
    check_alignment,
    check_data_shapes,
    check_sizes,
)
from napari_tessera.patching.specs_view import SpecsView
from napari_tessera.patching.types import TileSpecs


@dataclass(frozen=True)
class TiledAxis:
    """Tiles along one axis.

    With size A, patch p and overlap o (even, less than p), tiles start every p − o. The first
    core starts at 0, each further core where the one before ended, and the last tile is shifted
    to end at the edge. With alignment k, positions are computed on A′ = ⌈A/k⌉·k, so that every
    start is a multiple of k, and cores are cut at A.

    Parameters
    ----------
    size, patch, overlap, alignment : int
        In pixels; patch and overlap are multiples of the alignment. The patch may be larger
        than the axis only where the alignment is 1.
    """

    size: int
    patch: int
    overlap: int
    alignment: int = 1

    @property
    def padded(self) -> int:
        """Size of the axis rounded up to the alignment."""
        return -(-self.size // self.alignment) * self.alignment

    @property
    def step(self) -> int:
        """Distance between the starts of two tiles."""
        return self.patch - self.overlap

    @property
    def n(self) -> int:
        """Number of tiles along the axis."""
        # One tile for each start below A′ − o; at least one.
        return -(-max(1, self.padded - self.overlap) // self.step)

    def tile(self, i: int) -> tuple[int, int, int, int]:
        """Start, crop start, crop size and stitch start of tile ``i``."""
        padded, half = self.padded, self.overlap // 2
        last = i == self.n - 1
        coord = max(0, padded - self.patch) if last else i * self.step
        stitch = 0 if i == 0 else i * self.step + half
        end = self.size if last else (i + 1) * self.step + half
        return coord, stitch - coord, min(end, self.size) - stitch, stitch

    def meeting(self, start: int, stop: int) -> range:
        """Tiles whose cores meet pixels start…stop−1 of the axis."""
        return range(self.containing(start), self.containing(stop - 1) + 1)

    def containing(self, pixel: int) -> int:
        """Tile whose core holds a pixel of the axis."""
        return min(max(0, (pixel - self.overlap // 2) // self.step), self.n - 1)


class TiledPatching:
    """Tiles of image stacks for prediction.

    Tiles are numbered image stack by image stack, sample by sample, and over a sample's grid in
    C order (X fastest). Nothing is stored per tile.

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        Shape of each image stack, ``SC(Z)YX``.
    patch_size : iterable of int
        Tile size in (Z)YX, in pixels. May be larger than the image.
    overlaps : iterable of int
        Overlap of neighbouring tiles in (Z)YX, in total: even, at least 0, less than the patch.
    alignment : int or iterable of int, default 1
        Every tile starts on a multiple of it. With k > 1, patch size and overlaps must be
        multiples of k, and the patch is cut to the size of the image rounded up to k; where one
        tile covers an axis there is no overlap along it.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    def __init__(
        self,
        data_shapes: Iterable[Iterable[int]],
        patch_size: Iterable[int],
        overlaps: Iterable[int],
        alignment: int | Iterable[int] = 1,
    ) -> None:
        self.data_shapes = check_data_shapes(data_shapes)
        n_spatial = len(self.data_shapes[0]) - 2
        self.patch_size = check_sizes("patch size", patch_size, n_spatial, minimum=1)
        self.overlaps, self.alignment = check_alignment(alignment, self.patch_size, overlaps)
        self._axes = [self._tiled_axes(shape[2:]) for shape in self.data_shapes]
        self._bins = SampleBins(
            (shape[0], prod(axis.n for axis in axes))
            for shape, axes in zip(self.data_shapes, self._axes, strict=True)
        )

    def _tiled_axes(self, spatial: Sequence[int]) -> tuple[TiledAxis, ...]:
        axes = []
        for size, patch, overlap, k in zip(
            spatial, self.patch_size, self.overlaps, self.alignment, strict=True
        ):
            if k > 1:
                padded = -(-size // k) * k
                if patch >= padded:
                    patch, overlap = padded, 0
            axes.append(TiledAxis(size, patch, overlap, k))
        return tuple(axes)

    @property
    def n_patches(self) -> int:
        """Number of tiles over all image stacks."""
        return self._bins.n_patches

    def axes(self, data_idx: int) -> tuple[TiledAxis, ...]:
        """Tiles along each spatial axis of an image stack."""
        return self._axes[data_idx]

    def grid_shape(self, data_idx: int) -> tuple[int, ...]:
        """Number of tiles along each spatial axis of an image stack."""
        return tuple(axis.n for axis in self._axes[data_idx])

    @property
    def tile_specs(self) -> Sequence[TileSpecs]:
        """All specifications in order, each made when it is asked for."""
        return SpecsView(self)

    def get_patch_spec(self, index: int) -> TileSpecs:
        """Specification of tile ``index``; IndexError outside 0…n_patches−1."""
        data_idx, sample_idx, within = self._bins.locate(index)
        axes = self._axes[data_idx]
        at = unravel(within, [axis.n for axis in axes])
        along = [axis.tile(i) for axis, i in zip(axes, at, strict=True)]
        return TileSpecs(
            data_idx=data_idx,
            sample_idx=sample_idx,
            coords=tuple(coord for coord, _, _, _ in along),
            patch_size=tuple(axis.patch for axis in axes),
            crop_coords=tuple(crop for _, crop, _, _ in along),
            crop_size=tuple(size for _, _, size, _ in along),
            stitch_coords=tuple(stitch for _, _, _, stitch in along),
            total_tiles=self._bins.count(data_idx),
        )

    def get_patch_indices(self, data_idx: int) -> range:
        """Numbers of the tiles of image stack ``data_idx``."""
        return self._bins.indices(data_idx)
