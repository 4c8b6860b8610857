"""Which way tiles take to a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.prediction.transfer.plain import PlainTransfer
from napari_tessera.prediction.transfer.staged import StagedTransfer

if TYPE_CHECKING:
    import torch

    from napari_tessera.prediction.transfer.plain import Transfer


def transfer_for(device: torch.device) -> Transfer:
    """What brings tiles to a device, and cores back, in the thread that runs the model."""
    if device.type != "cuda":
        return PlainTransfer(device)
    from napari_tessera.prediction.transfer.cuda import CudaLanes

    return StagedTransfer(device, CudaLanes(device))
