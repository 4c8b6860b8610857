"""What a training computes in: float32, or PyTorch's autocast to a half."""

from __future__ import annotations

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_precision(wanted: str, device: torch.device) -> str:
    """Turn ``"auto"`` into a precision that a device is fast in.

    Parameters
    ----------
    wanted : {"auto", "float32", "bfloat16", "float16"}
        What is asked for.
    device : torch.device
        NVIDIA GPUs of compute capability 8.0 on are fast in bfloat16, those of 7.x in float16;
        processors are where they have instructions for bfloat16. Weights, their average, sums of
        batch norms and the loss stay in float32.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return "bfloat16" if major >= 8 else "float16" if major == 7 else "float32"
    if device.type == "cpu" and cpu_has_bfloat16():
        return "bfloat16"
    return "float32"


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by itself (AVX-512 BF16 or AMX)."""
    # PyTorch says so since 2.10; before, float32 it is
    tell = getattr(torch.cpu, "get_capabilities", None)
    told = tell() if tell is not None else {}
    return bool(told.get("avx512_bf16") or told.get("amx_bf16"))
