"""What is said of blocks that the workers of a cluster could not make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.prediction import RunResult

_NAMED = 3
"""Tiles that are named; of more the first ones."""


class BlocksFailedError(Exception):
    """Blocks are missing that were tried again and again, and all others are done."""


def failed_text(result: RunResult) -> str:
    """How many blocks are missing, which tiles are in the first of them, and what was wrong there.

    Parameters
    ----------
    result : RunResult
        How the run ended; with failed blocks.
    """
    failed = result.failed_blocks
    first = failed[0]
    n_tiles = sum(len(block.tiles) for block in failed)
    more = ", …" if len(first.tiles) > _NAMED else ""
    tiles = ", ".join(str(tile) for tile in first.tiles[:_NAMED]) + more
    blocks = "1 block" if len(failed) == 1 else f"{len(failed):,} blocks"
    where = f"tiles {tiles}" if tiles else f"block {first.number}"
    return (
        f"{blocks} with {n_tiles:,} tiles could not be made, all others are there; {where}: "
        f"{first.message}"
    )
