"""What is checked of an image when it is opened, so that nothing below needs to ask again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

import numpy as np

_WAYS_OUT = {
    "c": "denoise np.abs(), .real or .imag of it",
    "O": "convert it to numbers with .astype('float32')",
    "S": "convert it to numbers with .astype('float32')",
    "U": "convert it to numbers with .astype('float32')",
    "T": "convert it to numbers with .astype('float32')",
    "V": "choose one of its fields",
    "M": "convert it to numbers with .astype('int64')",
    "m": "convert it to numbers with .astype('int64')",
}


def pixel_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """Data type of an image's pixels in native byte order.

    Parameters
    ----------
    dtype : anything `numpy.dtype` takes
        Type of the source.
    name : str
        What the error message calls the source.

    Raises
    ------
    ValueError
        If the pixels are not bool, integer or real floating-point numbers.
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise ValueError(
            f"{name}: dtype {dtype} is not a NumPy type; pass the image as a NumPy array"
        ) from None
    if found.kind not in "biuf":
        raise ValueError(
            f"{name}: dtype {_dtype_text(found)} cannot be denoised (bool, integers and floats "
            f"can); {_WAYS_OUT.get(found.kind, 'convert it to numbers')}"
        )
    native: np.dtype[Any] = found.newbyteorder("=")
    return native


def _dtype_text(dtype: np.dtype[Any]) -> str:
    return f"structured {dtype.names}" if dtype.names else str(dtype)


def known_shape(shape: Iterable[Any], name: str) -> tuple[int, ...]:
    """Shape of an array as Python's own numbers.

    Raises
    ------
    ValueError
        If a size is not known: dask's arrays have NaN where it depends on the pixels.
    """
    sizes = tuple(shape)
    if any(size != size for size in sizes):
        raise ValueError(
            f"{name} does not know its shape {shortened(str(sizes))}: have dask count it first, "
            "with compute_chunk_sizes()"
        )
    return tuple(int(size) for size in sizes)


def chosen_channels(channels: Sequence[int] | None, available: int, name: str) -> tuple[int, ...]:
    """The channels that a stack consists of: all, or a subset chosen while opening.

    Raises
    ------
    ValueError
        If the choice is empty, repeats a channel, names one that the image has not, or is no
        list of whole numbers.
    """
    if channels is None:
        return tuple(range(available))
    chosen = tuple(channel_list(channels, f"{name}: "))
    outside = [channel for channel in chosen if not 0 <= channel < available]
    if outside:
        raise ValueError(
            f"{name}: channel {outside[0]} is outside 0…{available - 1}; channels are counted from "
            "0: choose one that is there"
        )
    if not chosen:
        raise ValueError(f"{name}: no channel chosen; give some of 0…{available - 1}")
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"{name}: channels {chosen} repeat one; name each at most once")
    return chosen


def channel_list(channels: Iterable[int], name: str = "") -> list[int]:
    """Channels as Python's own numbers; ValueError for what is no list of whole numbers."""
    try:
        return [index(channel) for channel in channels]
    except TypeError:
        raise ValueError(
            f"{name}channels {shown(channels)} are no list of whole numbers; give one like [0, 2]"
        ) from None


def whole_level(level: int) -> int:
    """A level as Python's own number; ValueError for what is no whole number."""
    try:
        return index(level)
    except TypeError:
        raise ValueError(
            f"level {shown(level)} is no whole number; 0 is the full size, 1 the next smaller"
        ) from None


def check_level(name: str, level: int, count: int) -> None:
    """Check that an image has a level.

    Raises
    ------
    ValueError
        If it has not; the message says which there are.
    """
    if not 0 <= level < count:
        raise ValueError(
            f"{name}: level {level} is outside 0…{count - 1}; give one of these, 0 for the full "
            "size"
        )


def at_level(source: str, level: int) -> str:
    """What a level of an image is called: the image alone for the full size."""
    return f"{source}, level {level}" if level else source


def not_there(path: object) -> FileNotFoundError:
    """The error for a path that somebody named and that leads to nothing."""
    return FileNotFoundError(
        f"{shortened(str(path))} does not exist: look at its spelling, and at the folder it is in"
    )


def shown(value: object) -> str:
    """A value as one short line."""
    return shortened(" ".join(repr(value).split()), 60)


def shortened(text: str, longest: int = 300) -> str:
    """A text, cut off where it is longer than any message should be."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def error_line(error: BaseException) -> str:
    """An exception as one line: its type, and the first line of what it says."""
    text = " ".join(str(error).strip().partition("\n")[0].split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
