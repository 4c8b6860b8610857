"""What the demo shows of its result: how much noise went, and a picture of before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ZOOM = 2
GAP = 12
HEADER = 44
BACKGROUND = 24
TEXT = 235


def psnr(image: NDArray[Any], clean: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB: 10·log₁₀(range² / mean squared difference).

    Parameters
    ----------
    image : numpy.ndarray
        Any shape and dtype.
    clean : numpy.ndarray
        The truth; the range is that of its values.
    """
    truth = clean.astype(np.float64)
    mean_square = float(np.mean((image.astype(np.float64) - truth) ** 2))
    span = float(truth.max() - truth.min())
    return float(10 * np.log10(span**2 / mean_square)) if mean_square else float("inf")


def save_before_after(
    path: Path, panels: Sequence[tuple[str, NDArray[Any]]], limits: tuple[float, float]
) -> None:
    """Save planes side by side as a PNG, each with its caption, all with the same grey scale.

    Parameters
    ----------
    path : Path
        The file to write.
    panels : sequence of (str, numpy.ndarray)
        Captions and YX planes of one shape.
    limits : tuple of float
        Grey levels shown black and white.
    """
    height, width = (ZOOM * size for size in panels[0][1].shape)
    canvas = Image.new(
        "L",
        (GAP + len(panels) * (width + GAP), HEADER + height + GAP),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(20)
    low, high = limits
    for i, (caption, plane) in enumerate(panels):
        shade = np.clip((plane.astype(np.float64) - low) / (high - low), 0, 1) * 255
        picture = Image.fromarray(shade.astype(np.uint8))
        left = GAP + i * (width + GAP)
        # nearest: a pixel of the image stays a square, noise is not smoothed by the picture
        canvas.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, HEADER))
        draw.text((left + 2, HEADER // 2), caption, fill=TEXT, font=font, anchor="lm")
    canvas.save(path)
