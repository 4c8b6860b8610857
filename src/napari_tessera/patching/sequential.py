"""Patches on a regular grid, the last of each axis shifted to end at the edge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from napari_tessera.patching.bins import SampleBins, unravel
from napari_tessera.patching.checks import (
    check_data_shapes,
    check_overlaps,
    check_patch_fits,
    check_sizes,
)
from napari_tessera.patching.specs_view import SpecsView
from napari_tessera.patching.types import PatchSpecs


class SequentialPatching:
    """Patches on a regular grid that covers every pixel.

    Along an axis of size s, patches of size p start every p − o pixels, and the last one is
    shifted to end at the edge: ⌈(s − p)/(p − o)⌉ + 1 patches. They are numbered image stack by
    image stack, sample by sample, and over a sample's grid in C order (X fastest). Nothing is
    stored per patch.

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        Shape of each image stack, ``SC(Z)YX``.
    patch_size : iterable of int
        Patch size in (Z)YX, in pixels; no image may be smaller.
    overlaps : iterable of int, optional
        Overlap of neighbouring patches in (Z)YX, in total: even, at least 0, less than the patch.
        None (default) is 0 along every axis.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    def __init__(
        self,
        data_shapes: Iterable[Iterable[int]],
        patch_size: Iterable[int],
        overlaps: Iterable[int] | None = None,
    ) -> None:
        self.data_shapes = check_data_shapes(data_shapes)
        n_spatial = len(self.data_shapes[0]) - 2
        self.patch_size = check_sizes("patch size", patch_size, n_spatial, minimum=1)
        self.overlaps = check_overlaps(
            (0,) * n_spatial if overlaps is None else overlaps, self.patch_size
        )
        check_patch_fits(self.patch_size, self.data_shapes)
        self._steps = tuple(p - o for p, o in zip(self.patch_size, self.overlaps, strict=True))
        self._bins = SampleBins(
            (shape[0], prod(self.grid_shape(i))) for i, shape in enumerate(self.data_shapes)
        )

    @property
    def n_patches(self) -> int:
        """Number of patches over all image stacks."""
        return self._bins.n_patches

    def grid_shape(self, data_idx: int) -> tuple[int, ...]:
        """Number of patches along each spatial axis of an image stack."""
        return tuple(
            -(-(size - patch) // step) + 1
            for size, patch, step in zip(
                self.data_shapes[data_idx][2:], self.patch_size, self._steps, strict=True
            )
        )

    @property
    def patch_specs(self) -> Sequence[PatchSpecs]:
        """All specifications in order, each made when it is asked for."""
        return SpecsView(self)

    def get_patch_spec(self, index: int) -> PatchSpecs:
        """Specification of patch ``index``; IndexError outside 0…n_patches−1."""
        data_idx, sample_idx, within = self._bins.locate(index)
        return PatchSpecs(
            data_idx=data_idx,
            sample_idx=sample_idx,
            coords=tuple(
                min(i * step, size - patch)
                for i, step, size, patch in zip(
                    unravel(within, self.grid_shape(data_idx)),
                    self._steps,
                    self.data_shapes[data_idx][2:],
                    self.patch_size,
                    strict=True,
                )
            ),
            patch_size=self.patch_size,
        )

    def get_patch_indices(self, data_idx: int) -> range:
        """Numbers of the patches of image stack ``data_idx``."""
        return self._bins.indices(data_idx)
