"""Weights without a program, for the networks that this package has itself."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from napari_tessera.models.architectures import ArchitectureError, UNet, build
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.weights_entries import WeightsEntry
from napari_tessera.models.errors import one_line

CONVERT = (
    "Ask its author for TorchScript or ONNX weights, or add them where you trust its code "
    "(bioimageio add-weights, of bioimageio.core)"
)

_LIBRARY = "careamics"
"""Library whose networks are built here."""

_AGAIN = "Download or export the package again"


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
        If the network is none of this package's, or if the weights are not plain or do not fit.
    """
    name = f"{entry.module}.{entry.callable}".strip(".")[:120]
    if not entry.module:
        raise DescriptionError(
            f"these need the package's own source code ({name!r}), which is never run", CONVERT
        )
    if entry.module.partition(".")[0] != _LIBRARY:
        raise DescriptionError(f"these need the library of {name!r}, which is not used", CONVERT)
    try:
        return build(entry.callable, entry.kwargs, _read_state(path))
    except ArchitectureError as error:
        raise DescriptionError(str(error), _AGAIN) from error


def _read_state(path: Path) -> Mapping[str, Tensor]:
    """Tensors by name; unpickled by torch's own list of harmless types only."""
    try:
        with warnings.catch_warnings():
            # what it says of old files and mapped memory is for whoever wrote them
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # UnpicklingError, RuntimeError, EOFError, …: what a damaged file raises is not specified
        why = "they hold Python objects" if "eights_only" in str(error) else one_line(error, 80)
        raise DescriptionError(f"these are no plain weights ({why})", _AGAIN) from error
    for key in ("state_dict", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state:
        raise DescriptionError("these are no weights by name", _AGAIN)
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise DescriptionError("these hold something else than weights by name", _AGAIN)
    return state
