"""What is told of the tile that was tried, and of what the rest would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.fields.text import bytes_text, duration_text


@dataclass(frozen=True)
class Cost:
    """What an area would take, before anyone commits to it.

    Parameters
    ----------
    area : str
        What the area is called.
    tiles : int
        Tiles to denoise.
    seconds : float or None
        How long that takes here; None where it is not known.
    memory, disk : int
        Bytes of the result in memory, and on disk (uncompressed).
    """

    area: str
    tiles: int
    seconds: float | None
    memory: int
    disk: int


def tile_text(plan: PredictionPlan, seconds: float) -> str:
    """Which tile of its grid, and how long it took: ``"Tile 3, 2 of 12 × 9 · 0.21 s"``.

    Rows before columns, as in tile sizes, counted from 1; for volumes planes before these.

    Parameters
    ----------
    plan : PredictionPlan
        A plan of this tile alone.
    seconds : float
        Its time.
    """
    _, at = plan.tiles.position(0)
    number = ", ".join(str(i + 1) for i in at)
    grid = " × ".join(f"{n:,}" for n in plan.patching.grid_shape(0))
    return f"Tile {number} of {grid} · {_short(seconds)}"


def cost_text(cost: Cost) -> str:
    """One line: ``"Everything: 126,000 tiles · ~2 h · 21 GB disk"``."""
    parts = [f"{cost.tiles:,} tile{'s' if cost.tiles != 1 else ''}"]
    if cost.seconds is not None:
        parts.append(f"~{duration_text(cost.seconds)}")
    if cost.memory:
        parts.append(f"{bytes_text(cost.memory)} memory")
    if cost.disk:
        parts.append(f"{bytes_text(cost.disk)} disk")
    return f"{cost.area}: {' · '.join(parts)}"


def cost_lines(costs: Sequence[Cost]) -> list[str]:
    """A line for each area, but one alone where the last, everything, is all of each."""
    everything = costs[-1:]
    parts = [cost for cost in costs[:-1] if cost.tiles != everything[0].tiles]
    return [cost_text(cost) for cost in (*parts, *everything)]


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else duration_text(seconds)
