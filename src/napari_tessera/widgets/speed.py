"""How fast tiles were, and what that makes of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_tessera.prediction import PredictionPlan, estimate
from napari_tessera.prediction.turns import TURNS
from napari_tessera.widgets.fields.text import bytes_text, duration_text
from napari_tessera.widgets.request import EVERYTHING, INSIDE, SLICE, VOLUME

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

Key = tuple[str, str, str, str, tuple[int, ...], int, str]


class SpeedBook:
    """Seconds per tile measured on this machine, or by the workers of a cluster together.

    By model, device, tile size, batch and joining: tiles that are joined by more than their cores
    need their neighbours too, which a preview predicts for few tiles of its own. What was measured
    without averaging over flips tells how long it takes with it, and the other way round.
    """

    def __init__(self) -> None:
        self._seconds: dict[Key, float] = {}

    def note(
        self,
        plan: PredictionPlan,
        model: Model | ChannelModels,
        tiles: int,
        seconds: float,
        cluster: str = "",
    ) -> None:
        """Keep what a run measured; nothing from a run that finished no tile."""
        if tiles > 0:
            key = _key(plan, model, plan.blending, cluster)
            self._seconds[key] = seconds / tiles / _turns(plan)

    def seconds_per_tile(
        self, plan: PredictionPlan, model: Model | ChannelModels, cluster: str = ""
    ) -> float | None:
        """Measured time of a tile; None where nothing like it was measured."""
        for blending in (plan.blending, "crop"):
            seconds = self._seconds.get(_key(plan, model, blending, cluster))
            if seconds is not None:
                return seconds * _turns(plan)
        return None


def _key(plan: PredictionPlan, model: Model | ChannelModels, blending: str, cluster: str) -> Key:
    device, batch = str(model.device), plan.settings.batch_size
    return cluster, model.sha256, device, model.precision, plan.patch_size, batch, blending


def _turns(plan: PredictionPlan) -> int:
    """How often the model runs on each tile."""
    return 1 if plan.tta == "none" else len(TURNS)


Measured = Sequence[tuple[PredictionPlan, float | None]]
"""A plan for each layer, with the seconds that a tile takes where these are known."""


def estimate_text(
    plans: Measured, area: str = EVERYTHING, channels: Sequence[int] | None = None
) -> str:
    """Text of the estimate line: what everything would take, and before it what the area would.

    Parameters
    ----------
    plans : sequence of (PredictionPlan, float or None)
        A plan for each layer, with the seconds that a tile takes where these are known.
    area : str
        What the plans are for. What is in view changes with each move, and is not told.
    channels : sequence of int, optional
        Channels that everything is of; None for all.

    Returns
    -------
    str
        ``"Everything: 126,000 tiles ~2 h 21 GB"``; no time before a tile was measured. For a
        slice, a volume or shapes a line of the same kind stands above it.
    """
    if not plans:
        return ""
    everything = [(_whole(plan, channels), seconds) for plan, seconds in plans]
    lines = [_told(EVERYTHING, everything)]
    if area in (SLICE, VOLUME, INSIDE):
        lines.insert(0, _told(area, plans))
    return "\n".join(lines)


def _whole(plan: PredictionPlan, channels: Sequence[int] | None) -> PredictionPlan:
    # channels that a model takes together are of its input, and it makes as many of any area
    one_by_one = plan.input_channels is None and "C" in plan.input_axes
    part = {} if channels is None or not one_by_one else {"C": list(channels)}
    return replace(plan, region_selection=part, inside=None)


def _told(area: str, plans: Measured) -> str:
    tiles, n_bytes, seconds = 0, 0, 0.0
    measured = True
    for plan, seconds_per_tile in plans:
        taken = estimate(plan, seconds_per_tile)
        tiles += taken.tiles
        n_bytes += taken.output_bytes
        measured = measured and taken.seconds is not None
        seconds += taken.seconds or 0.0
    time = f" ~{duration_text(seconds)}" if measured else ""
    return f"{area}: {tiles:,} tile{'s' if tiles != 1 else ''}{time} {bytes_text(n_bytes)}"
