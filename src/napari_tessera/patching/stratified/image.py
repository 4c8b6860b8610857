"""What is known of the single samples of a stratified strategy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StratifiedImage:
    """One sample as it is at the moment it is asked for.

    Parameters
    ----------
    grid_shape : tuple of int
        Number of sampling regions along (Z)YX, excluded ones included.
    n_patches : int
        Number of patches per epoch.
    """

    grid_shape: tuple[int, ...]
    n_patches: int
