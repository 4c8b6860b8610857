"""Patches that are given one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from napari_tessera.patching.bins import checked_index
from napari_tessera.patching.spec_checks import check_patch_specs
from napari_tessera.patching.types import PatchSpecs, TileSpecs


class FixedPatching:
    """The given patches in the given order, for example those kept apart for validation.

    Parameters
    ----------
    fixed_patch_specs : iterable of PatchSpecs or TileSpecs
        Checked and copied, sequences as tuples of int; entries under other keys are handed on as
        they are. Coordinates may be negative, the image stacks are zero-padded outside.

    Attributes
    ----------
    fixed_patch_specs : tuple of PatchSpecs
        What was given; to be read, not written.

    Raises
    ------
    ValueError
        Naming the specification, the axis and the value.
    """

    def __init__(self, fixed_patch_specs: Iterable[PatchSpecs | TileSpecs]) -> None:
        self.fixed_patch_specs = check_patch_specs(fixed_patch_specs)
        self._indices: dict[int, list[int]] = {}
        for index, spec in enumerate(self.fixed_patch_specs):
            self._indices.setdefault(spec["data_idx"], []).append(index)

    @property
    def n_patches(self) -> int:
        """Number of patches given; may be 0."""
        return len(self.fixed_patch_specs)

    def get_patch_spec(self, index: int) -> PatchSpecs:
        """Specification ``index``, a copy; IndexError outside 0…n_patches−1."""
        number = checked_index("patch", index, self.n_patches)
        return cast(PatchSpecs, dict(self.fixed_patch_specs[number]))

    def get_patch_indices(self, data_idx: int) -> list[int]:
        """Numbers of the patches of image stack ``data_idx``, in order.

        How many image stacks there are is not known here: one without a patch has no numbers.
        IndexError for negative ones.
        """
        return list(self._indices.get(checked_index("image stack", data_idx), ()))
