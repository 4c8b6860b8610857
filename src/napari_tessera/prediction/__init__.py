"""From a plan to predicted pixels."""

from napari_tessera.prediction.api import predict, predict_to_disk
from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.checks import CheckReadings, CheckWriter
from napari_tessera.prediction.estimate import Estimate, estimate
from napari_tessera.prediction.pipeline import (
    Progress,
    RunResult,
    iter_predictions,
    run_prediction,
)
from napari_tessera.prediction.plan import PlanError, PredictionPlan, RunSettings
from napari_tessera.prediction.planning import plan_prediction
from napari_tessera.prediction.schedule import Schedule

__all__ = [
    "CheckReadings",
    "CheckWriter",
    "Estimate",
    "PlanError",
    "PredictionPlan",
    "Progress",
    "RunResult",
    "RunSettings",
    "Schedule",
    "TileArea",
    "estimate",
    "iter_predictions",
    "plan_prediction",
    "predict",
    "predict_to_disk",
    "run_prediction",
]
