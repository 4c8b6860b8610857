"""The package's own model file: weights, grey levels and how it was trained, in one safetensors.

`save_trained` writes one, `read_trained` reads it, `load_trained` makes it a model like any other.
"""

from napari_tessera.models.own_format.document import OwnFormatError, TrainedDocument
from napari_tessera.models.own_format.loading import load_trained
from napari_tessera.models.own_format.reading import Trained, read_trained
from napari_tessera.models.own_format.saving import save_trained

__all__ = [
    "OwnFormatError",
    "Trained",
    "TrainedDocument",
    "load_trained",
    "read_trained",
    "save_trained",
]
