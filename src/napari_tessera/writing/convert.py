"""From the model's float pixels to the data type that is written."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SAME_AS_INPUT = "same"
"""Asks for the image's own data type."""


def resolve_output_dtype(wanted: DTypeLike, input_dtype: DTypeLike) -> np.dtype[Any]:
    """Data type that predictions are written in.

    Parameters
    ----------
    wanted : dtype-like
        A float or integer type, or ``"same"`` for the image's own.
    input_dtype : dtype-like
        Data type of the image.

    Returns
    -------
    numpy.dtype
        In native byte order.

    Raises
    ------
    ValueError
        If the type holds no intensities. A mask (bool) has two values: rounding a denoised one
        to them would be a threshold that nobody chose.
    """
    same = isinstance(wanted, str) and wanted in (SAME_AS_INPUT, "same as input")
    try:
        dtype = np.dtype(input_dtype if same else wanted)
    except (TypeError, ValueError, SyntaxError):
        # NumPy has parsed what looks like a structured one as Python
        raise ValueError(
            f"output type {wanted!r} is no data type; use float32, uint8, uint16 or same"
        ) from None
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        of_input = ", the image's own," if same else ""
        raise ValueError(
            f"output type {dtype}{of_input} cannot hold denoised intensities; use float32, uint8 "
            "or uint16"
        )
    return dtype.newbyteorder("=")


def fill_value(dtype: DTypeLike) -> float | int:
    """What stands where nothing was predicted (yet): NaN in float types, 0 in integer ones."""
    return float("nan") if np.dtype(dtype).kind == "f" else 0


def to_dtype(core: NDArray[Any], dtype: DTypeLike) -> tuple[NDArray[Any], int]:
    """Convert pixels, rounding and clipping where the type needs it.

    Parameters
    ----------
    core : numpy.ndarray
        Pixels, any shape.
    dtype : dtype-like
        Float or integer type. Integers are rounded half to even, clipped to the type's range,
        and NaN becomes 0. Finite values beyond a smaller float type are clipped to its range.

    Returns
    -------
    array : numpy.ndarray
        Pixels of the type asked for; the input itself where it has that type.
    n_clipped : int
        Number of pixels that were clipped.
    """
    dtype = np.dtype(dtype)
    if core.dtype == dtype:
        return core, 0
    if dtype.kind == "f":
        return _to_float(core, dtype)
    info = np.iinfo(dtype)
    if core.dtype.kind in "iub":
        if np.can_cast(core.dtype, dtype):
            return core.astype(dtype), 0
        low, high = core < info.min, core > info.max
        converted = core.astype(dtype)
    else:
        rounded = np.rint(core)
        if _fits(rounded, info):
            return rounded.astype(dtype), 0
        # float64 holds every bound: float32 would round 2^32 − 1 up to what no uint32 can hold
        rounded = np.rint(core.astype(np.float64))
        low, high = rounded < float(info.min), rounded >= float(info.max) + 1
        converted = np.where(low | high | np.isnan(rounded), 0, rounded).astype(dtype)
    converted[low] = info.min
    converted[high] = info.max
    return converted, int(np.count_nonzero(low)) + int(np.count_nonzero(high))


def _fits(rounded: NDArray[Any], info: np.iinfo[Any]) -> bool:
    """Whether all of these whole numbers are in an integer type's range; NaN is not."""
    if not rounded.size:
        return True
    with np.errstate(invalid="ignore"):
        # as Python's floats, which hold every bound
        lowest, highest = float(rounded.min()), float(rounded.max())
    return lowest >= float(info.min) and highest < float(info.max) + 1


def _to_float(core: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    if core.dtype.kind != "f" or dtype.itemsize >= core.dtype.itemsize:
        return core.astype(dtype), 0
    limit = np.finfo(dtype).max
    beyond = np.isfinite(core) & (np.abs(core) > limit)
    n_clipped = int(np.count_nonzero(beyond))
    if n_clipped:
        core = np.where(beyond, np.copysign(limit, core).astype(core.dtype), core)
    return core.astype(dtype), n_clipped
