"""What a plan will cost, before anyone commits to it."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.prediction.plan import PredictionPlan


@dataclass(frozen=True)
class Estimate:
    """Cost of a plan.

    Parameters
    ----------
    tiles : int
        Tiles to predict.
    seconds : float or None
        Time, from the seconds that a tile took on this machine; None before one was measured.
    output_bytes : int
        Size of the output, uncompressed: memory of an in-memory result, upper bound on disk.
    """

    tiles: int
    seconds: float | None
    output_bytes: int


def estimate(plan: PredictionPlan, seconds_per_tile: float | None = None) -> Estimate:
    """Estimate the cost of a plan.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    seconds_per_tile : float, optional
        Measured with the same model, tile size, batch and device.
    """
    return Estimate(
        tiles=plan.total_tiles,
        seconds=None if seconds_per_tile is None else plan.total_tiles * seconds_per_tile,
        output_bytes=plan.output_bytes,
    )
