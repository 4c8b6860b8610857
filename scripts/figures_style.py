"""How figures of the explanation pages look, and what makes them the same bytes each time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#1a1a1a",
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)
"""Colours that people with any colour vision tell apart (Okabe and Ito), but for their yellow."""

DIFFERENCE = "PuOr"
"""Colours of differences: orange is more, violet is less, white is none."""

SETTINGS = {
    "axes.facecolor": "white",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    # a page may be dark: what is behind the figure is its own
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "image.interpolation": "nearest",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "text.color": BLACK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def figure(rows: int, columns: int, width: float, height: float, **how: Any) -> tuple[Any, Any]:
    """A figure and its axes, drawn without a window; sizes in inches."""
    import matplotlib

    matplotlib.use("agg", force=False)
    from matplotlib import pyplot as plt

    plt.rcdefaults()
    plt.rcParams.update(SETTINGS)
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **how)


def save(drawn: Any, path: Path) -> None:
    """Write a figure as PNG without a date, and let go of it."""
    from matplotlib import pyplot as plt

    memory = io.BytesIO()
    drawn.savefig(memory, format="png", dpi=110, metadata={"Software": None})
    pixels = Image.open(memory).convert("RGB")
    # 256 colours are enough for grey pictures and one colour map, and a third of the bytes
    pixels.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    plt.close(drawn)


def picture(axes: Any, pixels: NDArray[Any], title: str, **how: Any) -> Any:
    """Show an image without ticks, a pixel being a square."""
    shown = axes.imshow(np.asarray(pixels), **{"cmap": "gray", **how})
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.6)
    return shown


def bar(drawn: Any, shown: Any, axes: Any, label: str) -> None:
    """A scale beside pictures, with what it counts."""
    drawn.colorbar(shown, ax=axes, label=label, shrink=0.85, aspect=25, pad=0.015)
