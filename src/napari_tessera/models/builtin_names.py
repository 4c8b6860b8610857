"""Names of the models that come with the package. Loads nothing: lists are drawn from it."""

from __future__ import annotations

PREFIX = "builtin:"

BUILTIN_TITLES: dict[str, str] = {
    "denoise2d": "Built-in 2D (no training)",
    "denoise3d": "Built-in 3D (no training)",
}
"""What people read, by name."""

BUILTIN_NAMES: tuple[str, ...] = tuple(BUILTIN_TITLES)
