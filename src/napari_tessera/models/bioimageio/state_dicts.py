"""Weights without a program, for the networks that this package has itself."""

from __future__ import annotations

from pathlib import Path

from napari_tessera.models.architectures import ArchitectureError, UNet, build
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.weights_entries import WeightsEntry
from napari_tessera.models.checkpoints.reading import read_state_dict
from napari_tessera.models.ways_out import OTHER_WEIGHTS, PACKAGE_AGAIN

_LIBRARY = "careamics"
"""Library whose networks are built here."""


def load_state_dict(path: Path, entry: WeightsEntry) -> UNet:
    """Build the network that an entry names, and give it the weights of a file.

    Parameters
    ----------
    path : Path
        What ``torch.save`` or safetensors wrote: tensors by name, and nothing else.
    entry : WeightsEntry
        Names the network and its settings.

    Raises
    ------
    DescriptionError
        If the network is none of this package's, or if the weights do not fit.
    ModelError
        If the file is damaged or holds something else than weights.
    """
    name = f"{entry.module}.{entry.callable}".strip(".")[:120]
    if not entry.module:
        raise DescriptionError(
            f"these need the package's own source code ({name!r}), which is never run",
            OTHER_WEIGHTS,
        )
    if entry.module.partition(".")[0] != _LIBRARY:
        raise DescriptionError(
            f"these need the library of {name!r}, which is not used", OTHER_WEIGHTS
        )
    try:
        return build(entry.callable, entry.kwargs, read_state_dict(path))
    except ArchitectureError as error:
        raise DescriptionError(str(error), PACKAGE_AGAIN) from error
