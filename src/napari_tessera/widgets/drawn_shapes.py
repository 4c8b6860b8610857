"""Shapes as they were at the click, and what they outline in an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction import Outline, PlanError
from napari_tessera.widgets.layer_affine import LayerAffine

_KINDS = {
    "polygon": "polygon",
    "rectangle": "polygon",
    "ellipse": "ellipse",
    "path": "path",
    "line": "path",
}

_PLANE = 0.5
"""Shapes whose corners lie apart by less, in planes, lie in one."""


@dataclass(frozen=True, eq=False)
class DrawnShapes:
    """A copy of what is drawn in a Shapes layer, and where that lies on an image.

    Copying is quick, which is all that the GUI thread does; thousands of shapes become outlines
    where the run is planned.

    Parameters
    ----------
    corners : numpy.ndarray
        Those of all shapes, one after the other, in the layer's coordinates.
    counts : tuple of int
        Number of corners of each shape.
    kinds : tuple of str
        Type of each shape.
    affine : LayerAffine
        From the layer to the image.
    letters : str
        A letter for each of the image's dimensions.
    name : str
        The layer's name.
    """

    corners: NDArray[np.float64]
    counts: tuple[int, ...]
    kinds: tuple[str, ...]
    affine: LayerAffine
    letters: str
    name: str

    @classmethod
    def of(cls, layer: Any, affine: LayerAffine, letters: str) -> DrawnShapes:
        """Copy the shapes of a layer that has some."""
        shapes = layer.data
        return cls(
            np.concatenate(shapes, dtype=float),
            tuple(len(each) for each in shapes),
            tuple(map(str, layer.shape_type)),
            affine,
            letters,
            layer.name,
        )

    @cached_property
    def outlines(self) -> list[Outline]:
        """The shapes in pixels of the image.

        Raises
        ------
        PlanError
            Of field ``"area"``, if one does not lie in a plane.
        """
        at = self.affine(self.corners)
        plane = at[:, [self.letters.index("Y"), self.letters.index("X")]]
        ends: NDArray[np.intp] = np.cumsum(self.counts, dtype=np.intp)
        starts: NDArray[np.intp] = ends - np.array(self.counts, np.intp)
        # along a dimension that the layer has not it says nothing
        planes: dict[str, list[int]] = {}
        for d, letter in enumerate(self.letters):
            if letter not in "YX" and np.abs(self.affine.matrix[d]).max() > 0:
                low, high = (f.reduceat(at[:, d], starts) for f in (np.minimum, np.maximum))
                if (through := np.flatnonzero(high - low > _PLANE)).size:
                    raise PlanError(
                        f"shape {through[0]} of {self.name} goes through several planes along "
                        f"{letter}: draw shapes with Y and X on display",
                        "area",
                    )
                means = np.add.reduceat(at[:, d], starts) / self.counts
                planes[letter] = np.round(means).astype(int).tolist()
        return [
            Outline(
                tuple((y, x) for y, x in plane[start:end].tolist()),
                _KINDS[kind],
                {letter: of_shapes[number] for letter, of_shapes in planes.items()},
            )
            for number, (start, end, kind) in enumerate(zip(starts, ends, self.kinds, strict=True))
        ]
