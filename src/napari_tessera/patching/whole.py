"""Whole samples as patches: prediction without tiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from napari_tessera.patching.bins import SampleBins
from napari_tessera.patching.checks import check_data_shapes
from napari_tessera.patching.specs_view import SpecsView
from napari_tessera.patching.types import PatchSpecs


class WholeSamplePatching:
    """One patch per sample, as large as the sample.

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        Shape of each image stack, ``SC(Z)YX``.

    Raises
    ------
    ValueError
        If a shape is no ``SC(Z)YX`` shape, or empty.
    """

    def __init__(self, data_shapes: Iterable[Iterable[int]]) -> None:
        self.data_shapes = check_data_shapes(data_shapes)
        self._bins = SampleBins((shape[0], 1) for shape in self.data_shapes)

    @property
    def n_patches(self) -> int:
        """Number of samples over all image stacks."""
        return self._bins.n_patches

    @property
    def patch_specs(self) -> Sequence[PatchSpecs]:
        """All specifications in order, each made when it is asked for."""
        return SpecsView(self)

    def get_patch_spec(self, index: int) -> PatchSpecs:
        """Specification of sample ``index``; IndexError outside 0…n_patches−1."""
        data_idx, sample_idx, _ = self._bins.locate(index)
        spatial = self.data_shapes[data_idx][2:]
        return PatchSpecs(
            data_idx=data_idx,
            sample_idx=sample_idx,
            coords=(0,) * len(spatial),
            patch_size=spatial,
        )

    def get_patch_indices(self, data_idx: int) -> range:
        """Numbers of the samples of image stack ``data_idx``."""
        return self._bins.indices(data_idx)
