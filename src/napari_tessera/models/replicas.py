"""The same network once more, on another device."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_tessera.models.calling import Network
from napari_tessera.models.loaded import Loaded

if TYPE_CHECKING:
    from napari_tessera.models.model import Model


def replica_of(model: Model, device: str | torch.device) -> Model:
    """A model that gives what another one gives, and can run at the same time.

    Parameters
    ----------
    model : Model
        The model. What is measured of it holds for the replica.
    device : str or torch.device
        Where the replica runs: another device than the model's, or the same.

    Raises
    ------
    ModelError
        If it cannot be put there.
    ValueError
        If this machine has no such device.
    """
    loaded = replace(model.loaded, network=_own(model.loaded))
    return type(model)(
        loaded,
        model.spatial_dims,
        model.in_channels,
        device=device,
        precision="auto" if model.is_precision_free else model.precision,
        prepare=model.prepared,
        measured=model,
    )


def _own(loaded: Loaded) -> Network:
    """A network that shares nothing with the one loaded: some keep what they work on in it."""
    network = loaded.network
    if not isinstance(network, nn.Module):
        return network
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch's own code copies exported modules in ways that it deprecates.
        warnings.simplefilter("ignore")
        try:
            return copy.deepcopy(network)
        except Exception:
            # any exception: modules may define their own copying. Most can be shared.
            return network
