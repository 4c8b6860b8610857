"""A trained model in the formats of other software. See `export_model`."""

from napari_tessera.models.exporting.careamics import export_careamics
from napari_tessera.models.exporting.formats import FORMATS, chosen_format, export_model
from napari_tessera.models.exporting.packages import export_bioimageio
from napari_tessera.models.exporting.programs import export_torchscript

__all__ = [
    "FORMATS",
    "chosen_format",
    "export_bioimageio",
    "export_careamics",
    "export_model",
    "export_torchscript",
]
