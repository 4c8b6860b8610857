"""A part of a run on a cluster that could not be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_NAMED = 5
"""Tiles that a message names."""


@dataclass(frozen=True)
class FailedBlock:
    """A block that failed as often as it was tried.

    Parameters
    ----------
    number : int
        Number of the block.
    tiles : tuple of int
        Numbers of its tiles: they are missing in the result.
    message : str
        What went wrong the last time, in one line.
    worker : str
        Address of the worker where it did; empty where that is not known.
    """

    number: int
    tiles: tuple[int, ...]
    message: str
    worker: str = ""

    def __str__(self) -> str:
        where = f" on {self.worker}" if self.worker else ""
        return f"block {self.number} ({tiles_text(self.tiles)}) failed{where}: {self.message}"


def tiles_text(tiles: Sequence[int]) -> str:
    """``"tile 7"``, ``"tiles 1, 2, 3"``, ``"tiles 1, 2, 3, 4, 5 and 40 more"``."""
    named = ", ".join(str(tile) for tile in tiles[:MOST_NAMED])
    more = len(tiles) - MOST_NAMED
    return f"tile{'' if len(tiles) == 1 else 's'} {named}{f' and {more} more' if more > 0 else ''}"
