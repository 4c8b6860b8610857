"""``load_checkpoint``: checkpoints and weights, by what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from napari_tessera.models.architectures import (
    ArchitectureError,
    fill_unet,
    multiples,
    recognize,
)
from napari_tessera.models.checkpoints.careamics import (
    CareamicsError,
    is_careamics,
    read_careamics,
)
from napari_tessera.models.checkpoints.reading import read_checkpoint, weights_of
from napari_tessera.models.errors import ModelError
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.own_format.header import document_text
from napari_tessera.models.own_format.loading import load_trained
from napari_tessera.models.ways_out import EXPORT, SAVE_AGAIN


def load_checkpoint(path: Path) -> Loaded:
    """Load a model of this package, a checkpoint of CAREamics, or weights of a known network.

    Parameters
    ----------
    path : Path
        What ``torch.save`` wrote, or a safetensors file.

    Returns
    -------
    Loaded
        With the file's own processing where it says which.

    Raises
    ------
    ModelError
        In one line: what cannot be loaded, why, and the way out. Nothing in the file is run.
    OSError
        If the file cannot be read.
    """
    file = path.read_bytes()
    sha256 = hashlib.sha256(file).hexdigest()
    content = read_checkpoint(path, file)
    document = document_text(file)
    del file
    state = weights_of(path, content)
    if document is not None:
        return load_trained(path, sha256, document, state)
    if isinstance(content, Mapping) and is_careamics(content):
        return _careamics(path, sha256, content, state)
    return _weights(path, sha256, state)


def _careamics(
    path: Path, sha256: str, content: Mapping[str, object], state: Mapping[str, Tensor]
) -> Loaded:
    try:
        read = read_careamics(content, state)
        network = fill_unet(read.settings, read.state)
    except CareamicsError as error:
        raise ModelError.not_loadable(path.name, str(error), error.way_out) from error
    except ArchitectureError as error:
        raise ModelError.not_loadable(path.name, str(error), SAVE_AGAIN) from error
    return Loaded(
        network,
        path.name,
        str(path.absolute()),
        sha256,
        f"CAREamics checkpoint {read.version or ''}".strip(),
        processing=read.processing,
        default_normalization="time_point" if read.processing is None else "model",
        spatial_dims=read.settings.spatial_dims,
        in_channels=read.settings.in_channels,
        sizes=multiples(read.settings),
        sizes_are_strict=True,
        about=read.about,
        warnings=read.warnings,
    )


def _weights(path: Path, sha256: str, state: Mapping[str, Tensor]) -> Loaded:
    try:
        found = recognize(state)
    except ArchitectureError as error:
        raise ModelError.not_loadable(path.name, str(error), EXPORT) from error
    if found is None:
        raise ModelError.not_loadable(
            path.name, "it holds weights only, and of no network that is known here", EXPORT
        )
    return Loaded(
        found.network,
        path.name,
        str(path.absolute()),
        sha256,
        f"weights of {found.kind}",
        processing=found.processing,
        default_normalization="time_point" if found.processing is None else "model",
        spatial_dims=found.spatial_dims,
        in_channels=found.in_channels,
        sizes=found.sizes,
        sizes_are_strict=True,
        about=found.about,
        warnings=found.warnings,
    )
