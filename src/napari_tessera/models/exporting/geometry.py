"""Halo and sizes of a package, and test tensors of such a size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.architectures import multiples
from napari_tessera.models.own_format.reading import Trained
from napari_tessera.models.own_format.tensors import grey_levels_through, sized
from napari_tessera.models.probe import probe_geometry

Floats = NDArray[np.float32]

_MOST_HALO_3D = 48
"""Pixels. A network of depth 3 sees 58, for which a tile would be a cube of 136 pixels; nearly all
that it sees lies within half of that."""


@dataclass(frozen=True)
class TileGeometry:
    """How other software cuts an image into tiles for a network.

    Parameters
    ----------
    reach : tuple of int, or None
        How far the network looks along (Z)YX; None where everywhere.
    halo : tuple of int
        Pixels at each end of a tile that are predicted and thrown away: a multiple of the step.
    minimum : tuple of int
        Smallest tile: both halos, and a step.
    step : int
        Sizes are the minimum and so many pixels more, or a multiple of them.
    """

    reach: tuple[int, ...] | None
    halo: tuple[int, ...]
    minimum: tuple[int, ...]
    step: int


def tile_geometry(trained: Trained, name: str) -> TileGeometry:
    """Measure how far a network looks, and derive halo and sizes."""
    settings = trained.document.settings
    step = 2**settings.depth
    found = probe_geometry(
        trained.network,
        name=name,
        spatial_dims=settings.spatial_dims,
        in_channels=settings.in_channels,
        sizes=multiples(settings),
        are_strict=True,
    )
    halo = found.reach or (0,) * settings.spatial_dims
    if settings.spatial_dims == 3:
        halo = tuple(min(pixels, _MOST_HALO_3D) for pixels in halo)
    # to whole steps, so that tiles begin where the network's own grid does
    halo = tuple(-(-pixels // step) * step for pixels in halo)
    minimum = tuple(2 * pixels + step for pixels in halo)
    return TileGeometry(found.reach, halo, minimum, step)


def example_pair(trained: Trained, geometry: TileGeometry) -> tuple[Floats, Floats]:
    """An input that a package's sizes allow, and what the model makes of it, NC(Z)YX.

    The model's own test, made larger by reflection where it is too small; without one, noise with
    the means and deviations of the training data.
    """
    document = trained.document
    if trained.test is not None:
        given = trained.test[0][:1]
        sizes = [
            least + max(size - least, 0) // geometry.step * geometry.step
            for size, least in zip(given.shape[2:], geometry.minimum, strict=True)
        ]
        given = sized(given, sizes)
    else:
        shape = (1, document.settings.in_channels, *geometry.minimum)
        noise = np.random.default_rng(0).normal(size=shape)
        per_channel = (1, -1, *(1,) * document.settings.spatial_dims)
        given = noise * np.reshape(document.stds, per_channel) + np.reshape(
            document.means, per_channel
        )
        given = given.astype(np.float32)
    return given, grey_levels_through(trained.network, document, given)
