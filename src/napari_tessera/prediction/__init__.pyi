from .api import predict
from .area import TileArea
from .check_readings import CheckReadings, Reading
from .checks import CheckWriter
from .estimate import Estimate, estimate
from .failed_block import FailedBlock
from .inside.outlines import Outline
from .inside.placed import PlacedMask
from .pipeline import (
    Progress,
    RunResult,
    iter_predictions,
    run_prediction,
)
from .plan import PlanError, PredictionPlan, RunSettings
from .planning import plan_prediction
from .schedule import Schedule
from .to_disk import predict_to_disk

__all__ = [
    "CheckReadings",
    "CheckWriter",
    "Estimate",
    "FailedBlock",
    "Outline",
    "PlacedMask",
    "PlanError",
    "PredictionPlan",
    "Progress",
    "Reading",
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
