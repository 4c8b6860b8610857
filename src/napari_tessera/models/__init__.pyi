from .about import About, Citation
from .builtin import BUILTIN_NAMES
from .devices import DeviceInfo, available_devices
from .errors import ModelError
from .info import ModelInfo
from .loading import load_model
from .model import Model, ModelGeometry
from .per_channel import ChannelModels
from .processing import Processing
from .sizes import ValidSizes

__all__ = [
    "BUILTIN_NAMES",
    "About",
    "ChannelModels",
    "Citation",
    "DeviceInfo",
    "Model",
    "ModelError",
    "ModelGeometry",
    "ModelInfo",
    "Processing",
    "ValidSizes",
    "available_devices",
    "load_model",
]
