"""Channel names and display windows, as OMERO's part of OME-Zarr has them."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.writing.ome.plain_text import plain_text

_COLORS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")
_SAMPLED_BLOCKS = 16
_SAMPLED_BLOCK_SIZE = 256


def channel_attributes(array: ArrayLike, metadata: ImageMetadata) -> dict[str, Any] | None:
    """Build the ``omero`` part of an image's attributes.

    OMERO's metadata has no name without a window, so the windows are read from the pixels: a fixed
    sample of blocks over each channel, the same whenever it is asked for.

    Parameters
    ----------
    array : array-like
        The image, or a level of it.
    metadata : ImageMetadata
        In disk order. Channels without names are numbered, also the one of an image without C;
        those without colours get one each.

    Returns
    -------
    dict or None
        JSON-able; None where no channel's sample has a finite pixel, as of an image that is not
        predicted yet. Where some have, the others get the window of all these together: readers
        lose every channel's name with one that is left out.
    """
    n_channels = array.shape[metadata.axes.index("C")] if "C" in metadata.axes else 1
    names = metadata.channel_names
    if names is None or len(names) != n_channels:
        names = tuple(f"channel {at}" for at in range(n_channels))
    windows = [_window(_sample(array, metadata.axes, at)) for at in range(n_channels)]
    known = [window for window in windows if window is not None]
    if not known:
        return None
    lows, starts, ends, highs = zip(*known, strict=True)
    together = (min(lows), min(starts), max(ends), max(highs))
    channels = []
    own = metadata.channel_colors
    if own is None or len(own) != n_channels:
        own = None
    colors = own or cycle(_COLORS if n_channels > 1 else ("FFFFFF",))
    for label, color, window in zip(names, colors, windows, strict=False):
        low, start, end, high = window or together
        channels.append(
            {
                "label": plain_text(label),
                "color": color,
                "active": True,
                "window": {"min": low, "start": start, "end": end, "max": high},
            }
        )
    return {"channels": channels}


def _sample(array: ArrayLike, axes: str, channel: int) -> NDArray[Any]:
    """Pixels of a channel: blocks evenly spread along every axis, about 16 in all."""
    sizes = dict(zip(axes, array.shape, strict=True))
    long = [a for a in axes if a != "C" and sizes[a] > (_SAMPLED_BLOCK_SIZE if a in "YX" else 1)]
    per_axis = max(2, round(_SAMPLED_BLOCKS ** (1 / max(1, len(long)))))
    starts = []
    for letter, size in sizes.items():
        if letter == "C":
            starts.append([channel])
        elif letter not in long:
            starts.append([0])
        else:
            length = _SAMPLED_BLOCK_SIZE if letter in "YX" else 1
            spread = np.linspace(0, size - length, per_axis + 2)[1:-1]
            starts.append(sorted({round(float(start)) for start in spread}))
    pixels = []
    for corner in np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(axes)):
        block = tuple(
            slice(int(at), int(at) + (_SAMPLED_BLOCK_SIZE if letter in "YX" else 1))
            for letter, at in zip(axes, corner, strict=True)
        )
        pixels.append(np.asarray(array[block]).ravel())
    return np.concatenate(pixels)


def _window(pixels: NDArray[Any]) -> tuple[float, float, float, float] | None:
    """Smallest and largest value, between them the 0.1 and 99.9 percentiles."""
    finite = pixels[np.isfinite(pixels)].astype(np.float64)
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return low, low, low + 1.0, low + 1.0
    start, end = (float(value) for value in np.percentile(finite, (0.1, 99.9)))
    return low, start, end, high
