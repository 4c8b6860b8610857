"""From pixels of one layer to pixels of another, through the world that both are shown in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Layer


@dataclass(frozen=True)
class LayerAffine:
    """An affine map of positions: ``matrix @ position + offset``.

    Parameters
    ----------
    matrix : numpy.ndarray
        ``(dimensions of the one layer, dimensions of the other)``.
    offset : numpy.ndarray
        One for each of the first.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def between(cls, source: Layer, target: Layer) -> LayerAffine:
        """From data coordinates of a layer to those of another (level 0 of multiscale ones).

        Layers share their last dimensions, as in the viewer; scale, translate, rotate, shear,
        affine and units of both count. Along dimensions that only the target has, positions are
        where its data begins.
        """
        shared = min(source.ndim, target.ndim)
        out = _linear(source.data_to_world, source.ndim)
        back = _linear(target.world_to_data, target.ndim)
        units = zip(source.units[-shared:], target.units[-shared:], strict=True)
        ratios = np.array([_ratio(one, other) for one, other in units])
        world = np.zeros((target.ndim, source.ndim))
        world[-shared:] = ratios[:, None] * out.matrix[-shared:]
        start = np.asarray(target.data_to_world(np.zeros(target.ndim)), float)
        start[-shared:] = ratios * out.offset[-shared:]
        return cls(back.matrix @ world, back.matrix @ start + back.offset)

    def __call__(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map positions, one a row."""
        mapped: NDArray[np.float64] = positions @ self.matrix.T + self.offset
        return mapped


def _ratio(one: Any, other: Any) -> float:
    """How many of a unit another one is; 1 where they cannot be compared, as the viewer shows."""
    try:
        return 1.0 if one == other else float((1 * one).to(other).magnitude)
    except TypeError:
        # pixels are no length
        return 1.0


def _linear(function: object, ndim: int) -> LayerAffine:
    """An affine function of a position as a matrix."""
    assert callable(function)
    offset = np.asarray(function(np.zeros(ndim)), float)
    columns = [np.asarray(function(unit), float) - offset for unit in np.eye(ndim)]
    return LayerAffine(np.stack(columns, axis=1), offset)
