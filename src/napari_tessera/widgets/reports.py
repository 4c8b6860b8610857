"""What the controller tells the dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.widgets.place_report import PlaceReport
    from napari_tessera.widgets.request import RunRequest


@dataclass(frozen=True)
class FieldProblem:
    """Why a run cannot start, and which field of the dock it belongs to.

    Parameters
    ----------
    field : str
        That of a `PlanError`, or ``"save"``.
    message : str
        One line, with the value, the limit and the way out.
    kind : str
        Of a place to save to: what is wrong with it (see `place_problem`).
    """

    field: str
    message: str
    kind: str = ""


@dataclass(frozen=True)
class PlanReview:
    """What the settings come to, found without running the model on the image.

    Parameters
    ----------
    request : RunRequest
        The settings that were looked at.
    plan : PredictionPlan
        The plan for the first layer: resolved patch size, overlaps, batch size and tiles.
    reach : tuple of int or None
        How many pixels the model looks around each pixel, (Z)YX; None where it looks everywhere.
    warnings : tuple of str
        What the model and the plan warn of, one line each.
    model_warnings : tuple of str
        Those of them that are the model's alone.
    places : tuple of PlaceReport
        What is where each layer would be saved; empty where nothing is to be saved.
    waits : str
        Where the result is that does not fit into memory; empty where it does, or is saved.
    """

    request: RunRequest
    plan: PredictionPlan
    reach: tuple[int, ...] | None
    warnings: tuple[str, ...]
    model_warnings: tuple[str, ...] = ()
    places: tuple[PlaceReport, ...] = ()
    waits: str = ""


@dataclass(frozen=True)
class RunProgress:
    """How far a run is; times in seconds.

    Parameters
    ----------
    layer : str
        Name of the layer being denoised.
    layer_number, n_layers : int
        Which layer of how many, counted from 1.
    done, total : int
        Tiles of this layer.
    seconds_left : float or None
        For this layer, from the tiles measured so far; None before there are any.
    tiles_per_second, megapixels_per_second : float or None
        Speed without the first tiles, which take longer; None before it was measured.
    bottleneck : {"read", "model", "write"} or None
        What the run waits for most of the time; None before it was measured.
    writing : str
        Name of the file that is written now, all tiles being there; else empty.
    device_bytes : int or None
        Most memory used on an accelerator; None on the CPU.
    getting_ready : bool
        Whether workers of a cluster open image and model, so that none is at a tile yet.
    """

    layer: str
    layer_number: int
    n_layers: int
    done: int
    total: int
    seconds_left: float | None
    tiles_per_second: float | None
    megapixels_per_second: float | None
    bottleneck: str | None
    writing: str = ""
    device_bytes: int | None = None
    getting_ready: bool = False
