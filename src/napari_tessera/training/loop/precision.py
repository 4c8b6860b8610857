"""What a training computes in: float32, or PyTorch's autocast to a half."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures.unet import UNet
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


_FEWEST_PLANES = 3
"""With two planes PyTorch 2.13 computes gradients of 3D convolutions in bfloat16 out of memory that
nothing was written to, and with one plane even what they answer."""


def resolve_precision(settings: TrainingSettings, device: torch.device) -> str:
    """Turn ``"auto"`` into a precision that a device is fast in.

    Parameters
    ----------
    settings : TrainingSettings
        With every default resolved: `precision`, and how many planes are left at the network's
        lowest level.
    device : torch.device
        NVIDIA GPUs of compute capability 8.0 on are fast in bfloat16, those of 7.x in float16;
        processors are where they have instructions for bfloat16. Weights, their average, sums of
        batch norms and the loss stay in float32, on a CPU the network's ends too
        (`keep_ends_whole`).

    Raises
    ------
    TrainingError
        If a half is asked for that this device gets wrong.
    """
    wanted = settings.precision
    if device.type == "cpu" and wanted != "float32" and _has_few_planes(settings):
        if wanted == "auto":
            return "float32"
        assert settings.patch_size is not None
        raise TrainingError(
            f"precision {wanted} goes wrong on a CPU where patches have fewer than "
            f"{_FEWEST_PLANES} planes at depth {settings.depth}, and of {settings.patch_size[0]} "
            f"there are {settings.patch_size[0] // settings.period}; use float32, or patches of "
            f"{_FEWEST_PLANES * settings.period} planes",
            "precision",
        )
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return "bfloat16" if major >= 8 else "float16" if major == 7 else "float32"
    if device.type == "cpu" and cpu_has_bfloat16():
        return "bfloat16"
    return "float32"


def keep_ends_whole(network: UNet) -> None:
    """Let the first and the last convolution compute in float32 within an autocast.

    So neither grey levels nor answers are rounded to the 8 bits of a bfloat16, for 3 % more time.
    Measured on a CPU against float32 (13 pairs: fish, BPAE_B and camera of the quality benchmark, 4
    or 5 seeds each, 200 steps, 16 features, batches of 8): 0.70 of the time, and 0.10 ± 0.09 dB
    more PSNR (standard error; the seeds of an image differ by 0.5 to 3 dB). What rounding
    changes of a gradient is 1 to 9 % of what its batch does, and has no direction of its own.

    Parameters
    ----------
    network : UNet
        Changed: these two of its modules.
    """
    block = network.encoder.encoder_blocks[0]
    for each in (block.conv1, network.final_conv):
        assert isinstance(each, nn.Module)
        each.forward = partial(_in_float32, each.forward)


def _in_float32(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return forward(x.float())


def _has_few_planes(settings: TrainingSettings) -> bool:
    if settings.spatial_dims == 2 or settings.patch_size is None:
        return False
    return settings.patch_size[0] // settings.period < _FEWEST_PLANES


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by itself (AVX-512 BF16 or AMX)."""
    # PyTorch says so since 2.10; before, float32 it is
    tell = getattr(torch.cpu, "get_capabilities", None)
    told = tell() if tell is not None else {}
    return bool(told.get("avx512_bf16") or told.get("amx_bf16"))
