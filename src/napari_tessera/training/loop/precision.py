"""What a training computes in: float32, or PyTorch's autocast to a half."""

from __future__ import annotations

import torch

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
        batch norms and the loss stay in float32.

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
