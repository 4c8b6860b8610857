"""Triton, which PyTorch looks for, beside the LLVM of software OpenGL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_TRITON = "triton"
_LLVM = "/libLLVM"


def keep_triton_out() -> None:
    """Hide Triton from PyTorch where importing it would end the process.

    It comes with PyTorch's wheels for CUDA, has an LLVM of its own, and is imported by the first
    optimizer and the first exported program. Where OpenGL has brought another LLVM (Mesa's in
    software, as on remote desktops and virtual machines, and its driver for AMD), the two take each
    other's functions, and napari would end with a segmentation fault. Nothing here is compiled by
    Triton; for others in the process it is then as if it were not installed.
    """
    modules: dict[str, Any] = sys.modules
    if _TRITON not in modules and _has_llvm():
        # what is None there cannot be imported
        modules[_TRITON] = None


def _has_llvm() -> bool:
    """Whether a library of this process has brought LLVM; told on Linux only, as Triton's home."""
    try:
        return _LLVM in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
