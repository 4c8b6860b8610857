"""Noise that is correlated along an axis: what lies beside a hidden pixel is hidden as well."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_tessera.training.errors import TrainingError

_AXES = {"x": -1, "y": -2}


def struct_mask(mask: Tensor, axis: str, span: int) -> Tensor:
    """Extend a mask along an axis.

    Parameters
    ----------
    mask : torch.Tensor
        Hidden pixels: bool, NC(Z)YX.
    axis : {"x", "y"}
        Axis along which noise is correlated.
    span : int
        Pixels in a row that are hidden, the one in the middle included; odd. Cut off at the
        border of the patch.

    Returns
    -------
    torch.Tensor
        True at all that is hidden, the pixels of `mask` included.

    Raises
    ------
    TrainingError
        If there is no such axis, or the span has no middle.
    """
    if axis not in _AXES:
        raise TrainingError(f"struct axis {axis!r} is none of x, y", "struct_axis")
    if span < 1 or span % 2 == 0:
        raise TrainingError(
            f"struct span {span} has no middle; use an odd number of pixels", "struct_span"
        )
    extended = mask.clone()
    dim, size = _AXES[axis], mask.shape[_AXES[axis]]
    for shift in range(1, min(span // 2, size - 1) + 1):
        ahead, behind = mask.narrow(dim, 0, size - shift), mask.narrow(dim, shift, size - shift)
        extended.narrow(dim, shift, size - shift).logical_or_(ahead)
        extended.narrow(dim, 0, size - shift).logical_or_(behind)
    return torch.as_tensor(extended)
