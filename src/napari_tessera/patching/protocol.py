"""What every patching strategy offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from napari_tessera.patching.types import PatchSpecs


@runtime_checkable
class Patching(Protocol):
    """A numbered set of patches over one or more image stacks of shape ``SC(Z)YX``."""

    @property
    def n_patches(self) -> int:
        """Number of patches."""
        ...

    def get_patch_spec(self, index: int) -> PatchSpecs:
        """Specification of patch ``index``; IndexError outside 0…n_patches−1."""
        ...

    def get_patch_indices(self, data_idx: int) -> Sequence[int]:
        """Numbers of the patches that come from image stack ``data_idx``."""
        ...
