"""Telling that memory ran out, whoever says so, and giving back what is only kept in store."""

from __future__ import annotations

import gc
import traceback

import torch

_WORDS = (
    # allocators of PyTorch: CUDA, HIP, XPU and MPS, then the CPU's
    "out of memory",
    "you tried to allocate",
    "can't allocate memory",
    "cannot allocate memory",
    "invalid buffer size",
    # C++, below any of them
    "bad_alloc",
    "bad allocation",
    # libraries of CUDA, whose handles and work space need memory too
    "alloc_failed",
    "allocation_failed",
    "cublas_status_not_initialized",
    "cudnn_status_not_initialized",
    "unable to find a valid cudnn algorithm",
    "unable to find an engine to execute this computation",
    # kernels that count in 32 bits: nothing lacks, but smaller tensors are the way out as well
    "canuse32bitindexmath",
    "larger than int_max",
    # ONNX Runtime
    "failed to allocate memory",
)
"""What errors say that mean a lack of memory, in small letters."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device had too little memory for what was asked of it.

    PyTorch has a type for some of these errors alone, and programs (TorchScript, exported ones)
    and ONNX Runtime hand them on as errors of their own: so their words count, and what they were
    raised from.

    Parameters
    ----------
    error : BaseException
        What a network raised.
    """
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        if _says_so(at):
            return True
        seen.add(id(at))
        at = at.__cause__
    return False


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    from_runtime = type(error).__module__.partition(".")[0] == "onnxruntime"
    if not (isinstance(error, RuntimeError) or from_runtime):
        return False
    text = str(error).lower()
    return any(words in text for words in _WORDS)


def let_go(error: BaseException) -> str:
    """Forget what an error holds, and give its message in one line.

    The calls that it came through keep their local values, and so the tensors that took the
    memory, as long as the error is there.
    """
    lines = str(error).strip().splitlines()
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        traceback.clear_frames(at.__traceback__)
        at.__traceback__ = None
        at = at.__cause__ or at.__context__
    return lines[0] if lines else type(error).__name__


def give_back(device: torch.device) -> None:
    """Give back the memory of what nobody holds any more. Not for each tile: it is slow.

    Parameters
    ----------
    device : torch.device
        Where.
    """
    gc.collect()
    empty_cache(device)


def empty_cache(device: torch.device) -> None:
    """Give back the memory that PyTorch keeps for tensors to come."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    elif device.type == "xpu":
        torch.xpu.empty_cache()
