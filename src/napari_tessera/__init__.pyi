from .models import load_model
from .prediction import (
    PredictionPlan,
    iter_predictions,
    plan_prediction,
    predict,
    predict_to_disk,
)
from .stacks import open_stack

__all__ = [
    "PredictionPlan",
    "iter_predictions",
    "load_model",
    "open_stack",
    "plan_prediction",
    "predict",
    "predict_to_disk",
]

__version__: str
