"""How many tiles go through a model at once, and how much of a device's memory they may take."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from napari_tessera.models import ChannelModels, Model

MEMORY_SHARE = 4
"""On a CPU a batch of tiles may take one part in so many of the free memory."""

ACCELERATOR_SHARE = 0.75
"""Part of an accelerator's free memory that a batch may take, all that stands by included. What was
measured of a model does not hold for every kernel, and what is free now may be so no longer."""

UNKNOWN_MEMORY = 2**32
"""Free memory that is taken for granted where the system does not say, in bytes."""

STANDING_BY = 3
"""Batches of which input and answer are on an accelerator at once: one is being brought there, one
is at the model, one is on its way back."""

LIVE_SECONDS = 0.25
"""How long a batch may take, by estimate: between two batches a run looks at what is in view."""

MOST_TILES = 16
"""Tiles of the largest automatic batch: launch times are hidden long before."""

_PER_PROCESSOR = 5e10
"""Multiplications a second that a convolution reaches on one multiprocessor of a CUDA device. A
multiprocessor does 1.3e11 to 2.6e11 at best (64 or 128 lanes at 1 to 2 GHz): a careful guess."""

_OF_OTHERS = 1e12
"""Multiplications a second that are taken for granted of other accelerators."""


def automatic_batch(
    tile_pixels: int, bytes_per_pixel: float, room: int, seconds_per_pixel: float
) -> int:
    """Choose how many tiles go through an accelerator at once.

    The largest power of two, up to `MOST_TILES`, that the memory holds and that takes no longer
    than `LIVE_SECONDS`; one tile where even two are too many.

    Parameters
    ----------
    tile_pixels : int
        Pixels of a tile.
    bytes_per_pixel : float
        What the device holds for each pixel of a batch.
    room : int
        Bytes that a batch may take.
    seconds_per_pixel : float
        An estimate of the time that the model takes.

    Returns
    -------
    int
        1, 2, 4, 8 or 16.
    """
    batch = MOST_TILES
    while batch > 1 and not (
        batch * tile_pixels * bytes_per_pixel <= room
        and batch * tile_pixels * seconds_per_pixel <= LIVE_SECONDS
    ):
        batch //= 2
    return batch


def memory_room(free: int | None, device_type: str) -> int:
    """Bytes that a batch of tiles may take of a device's free memory.

    Rounded down to a power of two, so that the same machine gives the same tiles.

    Parameters
    ----------
    free : int or None
        Free memory in bytes; None where the system does not say.
    device_type : str
        ``"cpu"``, ``"cuda"``, ``"mps"``.
    """
    known = UNKNOWN_MEMORY if free is None else max(free, 0)
    share = known // MEMORY_SHARE if device_type == "cpu" else int(known * ACCELERATOR_SHARE)
    return 1 << max(0, share.bit_length() - 1)


def bytes_per_pixel(model: Model | ChannelModels) -> float:
    """What a model's device holds for each pixel of a batch; measures the model's memory.

    On an accelerator input and answer of the batches that stand by are counted in.
    """
    at_work = model.memory_per_pixel
    if model.device.type == "cpu":
        return at_work
    channels = (model.in_channels or 1) + model.geometry.out_channels
    return at_work + STANDING_BY * 4.0 * channels


def free_bytes(device: torch.device) -> int | None:
    """Memory that this process could take on a device; None where the system does not say.

    On CUDA what PyTorch keeps for later counts as free: tensors are made in it again.
    """
    import torch

    from napari_tessera.models import available_devices

    name = str(device)
    free = next((info.free_bytes for info in available_devices() if info.name == name), None)
    if free is None or device.type != "cuda":
        return free
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def free_for(model: Model | ChannelModels) -> int | None:
    """Memory for a model on the device that has the least for it; None where no system says.

    Replicas on one device share what is free there.
    """
    devices = [replica.device for replica in model.replicas]
    free = ((free_bytes(device), devices.count(device)) for device in dict.fromkeys(devices))
    return min((amount // sharing for amount, sharing in free if amount is not None), default=None)


def seconds_per_pixel(model: Model | ChannelModels) -> float:
    """Estimate the time that a model takes on its accelerator for each pixel.

    From what it multiplies and what such a device usually does: no clock decides, so that the same
    machine gives the same batch.
    """
    return model.work_per_pixel / _multiplications_per_second(model.device)


def batch_for(model: Model | ChannelModels, patch_size: Sequence[int]) -> int:
    """Tiles of a size that go through a model at once where that is left to the software.

    Parameters
    ----------
    model : Model or ChannelModels
        The model, on its device.
    patch_size : sequence of int
        Tile size along (Z)YX, in pixels.
    """
    if model.device.type == "cpu":
        # a batch only costs memory and cache there; on an accelerator it hides launch times
        return 1
    return automatic_batch(
        prod(patch_size),
        bytes_per_pixel(model),
        memory_room(free_for(model), model.device.type),
        seconds_per_pixel(model),
    )


def _multiplications_per_second(device: torch.device) -> float:
    import torch

    if device.type != "cuda":
        return _OF_OTHERS
    processors: int = torch.cuda.get_device_properties(device).multi_processor_count
    return _PER_PROCESSOR * max(1, processors)
