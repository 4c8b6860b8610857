"""What the demo does, and how it went."""

from __future__ import annotations

from dataclasses import dataclass

MODEL = "builtin:denoise2d"
TILE = (160, 160)
"""Smaller than what is chosen automatically, so that a small sample has tiles to watch."""

STORE, PICTURE, WINDOW = "denoised.ome.zarr", "before-after.png", "window.png"


class DemoError(ValueError):
    """The demo did not come to its end; the message is one line that says why."""


@dataclass(frozen=True)
class DemoRun:
    """How the denoising itself went.

    Parameters
    ----------
    done, total : int
        Tiles.
    patch_size, overlaps : tuple of int
        Of the tiles, YX in pixels.
    seconds : float
        From the first tile's start to the last tile written.
    failure : str
        Why it ended before its end; empty if nothing failed.
    """

    done: int
    total: int
    patch_size: tuple[int, ...]
    overlaps: tuple[int, ...]
    seconds: float
    failure: str = ""

    @property
    def completed(self) -> bool:
        """Whether every tile was denoised."""
        return 0 < self.done == self.total and not self.failure
