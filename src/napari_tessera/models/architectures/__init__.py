"""Networks of others that are built here from their weights alone; nothing of a file is run.

`recognize` tells whose weights they are, `build` takes the name and the settings that a package
gives. Both compare all shapes before memory is allocated.
"""

from napari_tessera.models.architectures.building import build
from napari_tessera.models.architectures.dncnn import DnCNN, DnCNNSettings
from napari_tessera.models.architectures.errors import ArchitectureError, shown
from napari_tessera.models.architectures.recognition import (
    Recognized,
    fill_unet,
    multiples,
    recognize,
)
from napari_tessera.models.architectures.unet import UNet
from napari_tessera.models.architectures.unet_settings import UNetSettings

__all__ = [
    "ArchitectureError",
    "DnCNN",
    "DnCNNSettings",
    "Recognized",
    "UNet",
    "UNetSettings",
    "build",
    "fill_unet",
    "multiples",
    "recognize",
    "shown",
]
