"""The error of settings or weights that no network goes with."""

from __future__ import annotations


class ArchitectureError(ValueError):
    """Settings or weights that no network can be built from; half a sentence says why."""
