"""Images of all orders of axes, and what a reader must find in a file of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_tessera.metadata import ImageMetadata

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 15, "X": 18}

NAMES = ("DAPI", "GFP & <µ>")

STEPS: dict[str, tuple[float, str | None]] = {
    "S": (1.0, None),
    "T": (2.5, "second"),
    "C": (1.0, None),
    "Z": (0.75, "micrometer"),
    "Y": (0.25, "micrometer"),
    "X": (0.2, "micrometer"),
}


@st.composite
def all_axes(draw: st.DrawFn, always: str = "YX") -> str:
    """Y, X and some of S, T, C, Z, in any order."""
    optional = draw(st.lists(st.sampled_from("STCZ"), unique=True))
    return "".join(draw(st.permutations([*optional, *always])))


def image(axes: str, dtype: str = "uint16", **sizes: int) -> np.ndarray[Any, Any]:
    """Random pixels, no two alike in most types."""
    shape = tuple((SIZES | sizes)[letter] for letter in axes)
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.normal(100, 40, shape).astype(dtype)
    info = np.iinfo(dtype)
    native = np.dtype(dtype).newbyteorder("=")
    return rng.integers(info.min, info.max, shape, native, endpoint=True).astype(dtype)


def described(axes: str) -> ImageMetadata:
    """Metadata of an image with known steps along every axis."""
    return ImageMetadata(
        axes,
        scale=tuple(STEPS[letter][0] for letter in axes),
        units=tuple(STEPS[letter][1] for letter in axes),
        channel_names=NAMES if "C" in axes else None,
    )


def ordered(array: np.ndarray[Any, Any], axes: str, order: str) -> np.ndarray[Any, Any]:
    """The pixels in an order of axes, worked out index by index; S goes into T, S-major."""
    merged = np.moveaxis(array, [axes.index(letter) for letter in axes], range(len(axes)))
    letters = list(axes)
    if "S" in letters:
        merged = np.moveaxis(merged, letters.index("S"), 0)
        letters.remove("S")
        if "T" in letters:
            merged = np.concatenate(
                [np.moveaxis(sample, letters.index("T"), 0) for sample in merged]
            )
            letters.remove("T")
        letters.insert(0, "T")
    return np.moveaxis(merged, [letters.index(letter) for letter in order], range(len(order)))


def disk_letters(axes: str, order: str) -> str:
    """Letters that a file of these axes has, in the order of the format."""
    own = set(axes.replace("S", "T"))
    return "".join(letter for letter in order if letter in own)
