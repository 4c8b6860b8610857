"""Loading BioImage.IO packages."""

from __future__ import annotations

from pathlib import Path

from napari_tessera.models.errors import ModelError
from napari_tessera.models.file_kinds import describe_refusal
from napari_tessera.models.loaded import Loaded


def load_package(path: Path) -> Loaded:
    """Load a model."""
    raise ModelError.not_loadable(path.name, *describe_refusal(path))
