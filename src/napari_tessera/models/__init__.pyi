from .builtin import BUILTIN_NAMES
from .devices import DeviceInfo, available_devices
from .errors import ModelError
from .loading import load_model
from .model import Model, ModelGeometry

__all__ = [
    "BUILTIN_NAMES",
    "DeviceInfo",
    "Model",
    "ModelError",
    "ModelGeometry",
    "available_devices",
    "load_model",
]
