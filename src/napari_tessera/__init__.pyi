from .models import load_model
from .prediction import (
    PredictionPlan,
    iter_predictions,
    plan_prediction,
    predict,
    predict_to_disk,
)
from .stacks import open_stack
from .training import TrainingSettings, train

__all__ = [
    "PredictionPlan",
    "TrainingSettings",
    "iter_predictions",
    "load_model",
    "open_stack",
    "plan_prediction",
    "predict",
    "predict_to_disk",
    "train",
]

__version__: str
