from .api import TrainingPlan, plan_training, train
from .errors import TrainingError
from .loop.progress import TrainingProgress, TrainingResult
from .loop.trainer import Trainer
from .model_out import checkpoint_of
from .settings import METHODS, TrainingSettings
from .stop import Stop

__all__ = [
    "METHODS",
    "Stop",
    "Trainer",
    "TrainingError",
    "TrainingPlan",
    "TrainingProgress",
    "TrainingResult",
    "TrainingSettings",
    "checkpoint_of",
    "plan_training",
    "train",
]
