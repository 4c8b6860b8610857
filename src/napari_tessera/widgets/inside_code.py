"""Shapes and labels as Python, and as what follows ``--inside``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.prediction import Outline, PlacedMask
from napari_tessera.widgets.inside_layer import COPIED_BYTES, Inside

if TYPE_CHECKING:
    from napari.layers import Layer

_DIGITS = 4
"""Decimals of positions in pixels: far below what is drawn, and shorter to read."""


@dataclass(frozen=True)
class InsideToCode:
    """What is to be said of a layer that marks where to denoise.

    Parameters
    ----------
    inside : DrawnShapes or PlacedMask
        What it marks, in pixels of the image.
    layer : napari.layers.Shapes or napari.layers.Labels
        The layer.
    axes, shape : str, tuple of int
        Axes and shape of the image.
    """

    inside: Inside
    layer: Layer
    axes: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class InsideCode:
    """The same as code.

    Parameters
    ----------
    python : str
        An expression that `plan_prediction` takes.
    names : tuple of str
        What it needs of `napari_tessera.prediction`.
    uses_napari : bool
        Whether it takes pixels out of the viewer.
    text : str
        What follows ``--inside``; empty where nothing can.
    refusal : str
        Why nothing can.
    """

    python: str
    names: tuple[str, ...] = ()
    uses_napari: bool = False
    text: str = ""
    refusal: str = ""

    def command(self) -> str:
        """What follows ``--inside``.

        Raises
        ------
        ValueError
            If there is nothing that a command could read.
        """
        if not self.text:
            raise ValueError(self.refusal)
        return self.text


def inside_code(marks: InsideToCode) -> InsideCode:
    """Say as code what is inside; may open a file, so that it belongs into a thread."""
    if isinstance(marks.inside, PlacedMask):
        return _of_labels(marks, marks.inside)
    rounded = [
        Outline(
            tuple((round(y, _DIGITS), round(x, _DIGITS)) for y, x in outline.points),
            outline.kind,
            outline.at,
        )
        for outline in marks.inside.outlines
    ]
    plain = all(outline.kind == "polygon" and not outline.at for outline in rounded)
    python = ", ".join(repr(list(each.points)) if plain else _literal(each) for each in rounded)
    texts: list[Any] = [
        [list(point) for point in outline.points] if plain else outline.to_json()
        for outline in rounded
    ]
    return InsideCode(
        f"[{python}]",
        () if plain else ("Outline",),
        text=json.dumps(texts, separators=(",", ":")),
    )


def _literal(outline: Outline) -> str:
    more = "" if outline.kind == "polygon" else f", {outline.kind!r}"
    if outline.at:
        more += f", at={dict(outline.at)!r}"
    return f"Outline({list(outline.points)!r}{more})"


def _of_labels(marks: InsideToCode, mask: PlacedMask) -> InsideCode:
    layer: Any = marks.layer
    level = "[0]" if layer.multiscale else ""
    data = f"napari.current_viewer().layers[{layer.name!r}].data{level}"
    if not _lies_on(mask, marks.axes, marks.shape):
        placed = f"PlacedMask({data}, {mask.axes!r}, {mask.matrix!r}, {mask.offset!r})"
        refusal = (
            f"{layer.name} has other pixels than the image: a command cannot place it; copy as "
            "Python"
        )
        return InsideCode(placed, ("PlacedMask",), True, refusal=refusal)
    path = _file_of(layer, mask.pixels)
    if path is not None:
        return InsideCode(repr(path), text=path)
    refusal = (
        f"{layer.name} is no file as it is shown here: save the labels and open that file, or copy "
        "as Python"
    )
    return InsideCode(data, uses_napari=True, refusal=refusal)


def _lies_on(mask: PlacedMask, axes: str, shape: Sequence[int]) -> bool:
    """Whether each pixel of a mask lies on one of the image, and is known to by its place."""
    n = len(mask.axes)
    straight = np.allclose(mask.matrix, np.eye(n), atol=1e-6) and np.allclose(
        mask.offset, 0, atol=1e-6
    )
    sizes = dict(zip(axes, shape, strict=False))
    same = tuple(mask.pixels.shape) == tuple(sizes[letter] for letter in mask.axes)
    return straight and same and axes.replace("C", "").endswith(mask.axes.replace("C", ""))


def _file_of(layer: Any, pixels: Any) -> str | None:
    """Path of the file that labels were opened from, if they are still what is in it."""
    from napari_tessera.stacks.opened import opened

    path = getattr(layer.source, "path", None)
    if not path or layer.source.sample is not None or pixels.nbytes > COPIED_BYTES:
        return None
    try:
        with opened(path) as stack:
            if tuple(stack.original_data_shape) != tuple(pixels.shape):
                return None
            from napari_tessera.prediction.read_block import read_block

            whole = [slice(0, size) for size in pixels.shape]
            same = np.array_equal(read_block(stack, whole) != 0, np.asarray(pixels) != 0)
    except (ValueError, OSError):
        return None
    return str(path) if same else None
