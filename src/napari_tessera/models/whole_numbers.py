"""Float32 as the numbers of another type; of whole ones the nearest that the type has."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def as_type(batch: Tensor, dtype: torch.dtype) -> Tensor:
    """Cast a batch.

    Parameters
    ----------
    batch : Tensor
        float32.
    dtype : torch.dtype
        Whole numbers are rounded, and cut off at the type's ends; true is what is not 0.
    """
    if dtype.is_floating_point:
        return batch.to(dtype)
    if dtype == torch.bool:
        return batch != 0
    least, most = _ends(dtype)
    return batch.round().clamp(least, most).to(dtype)


def _ends(dtype: torch.dtype) -> tuple[float, float]:
    """The least and the greatest number that both float32 and a type of whole numbers hold."""
    limits = torch.iinfo(dtype)
    most = np.float32(limits.max)
    if int(most) > limits.max:
        # of 32 bits and more the greatest one would be rounded up, and wrap
        most = np.nextafter(most, np.float32(0))
    return float(limits.min), float(most)
