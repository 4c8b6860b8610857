"""Which way tiles take to a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.prediction.transfer.plain import PlainTransfer

if TYPE_CHECKING:
    import torch

    from napari_tessera.prediction.transfer.plain import Transfer


def transfer_for(device: torch.device) -> Transfer:
    """What brings tiles to a device, and cores back, in the thread that runs the model."""
    return PlainTransfer(device)
