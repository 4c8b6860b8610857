"""Hot and dead pixels of a camera: isolated outliers, replaced by the median of their neighbours.

What is replaced depends on 5 × 5 pixels of one plane of the image as it is, and on one number for
each channel that is frozen in the plan: not on tiles, on their order or on what was replaced
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHOICES = ("keep", "replace")
"""What can be done with hot pixels."""

MARGIN = 2
"""How far around a pixel is looked, along Y and X, in pixels."""

TIMES_SPREAD = 3.0
"""How many times the spread of its surroundings an outlier is beyond its direct neighbours."""

STEPS = 4
"""Whole grey levels, besides, where grey levels are whole numbers: they may be single photons."""

TIMES_ORDINARY = 4.0
"""How many times as far as ordinary pixels of the image an outlier is beyond its neighbours."""

TRIMMED = 2
"""Largest, and as many smallest, of the surroundings that their spread leaves out."""

LEAST_ADJACENT, LEAST_AROUND = 3, 8
"""Finite pixels that there must be beside a pixel and around it: those of an image's corner."""

_FARTHEST = np.finfo(np.float32).max
_FAR = range(-MARGIN, MARGIN + 1)
_AROUND = [(dy, dx) for dy, dx in product(_FAR, _FAR) if dy or dx]
_ADJACENT = [at for at in _AROUND if max(map(abs, at)) == 1]
_OUTER = [at for at in _AROUND if at not in _ADJACENT]

Places = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class HotPixels:
    """That hot pixels are replaced, and how far pixels of the image stand out that are none.

    Parameters
    ----------
    ordinary : tuple of float
        For each channel of the image how far, in grey levels, the pixels that stand out most are
        beyond their neighbours, but for the few that may be hot (see `hot_pixels_of`).
    """

    ordinary: tuple[float, ...]

    def of_channels(self, channels: Sequence[int] | None) -> tuple[float, ...]:
        """The number of each of some channels; None for all."""
        chosen = range(len(self.ordinary)) if channels is None else channels
        return tuple(self.ordinary[channel] for channel in chosen)

    def check(self, channels: int) -> None:
        """Raise ValueError unless there is a number for each of the image's channels."""
        if len(self.ordinary) != channels:
            raise ValueError(f"hot pixels of {len(self.ordinary)} channels, not of {channels}")
        if not all(isfinite(each) and each >= 0 for each in self.ordinary):
            raise ValueError("hot pixels are told by numbers that are none")

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is done comes first, as a plan that keeps them says nothing."""
        return {"what": "replace", "ordinary": list(self.ordinary)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HotPixels:
        """Read what `to_json` gave."""
        if data["what"] != "replace":
            raise ValueError(f"hot pixels {data['what']!r}")
        return cls(tuple(float(each) for each in data["ordinary"]))


def without_hot_pixels(pixels: NDArray[Any], ordinary: Sequence[float]) -> NDArray[Any]:
    """Replace isolated outliers by the median of their 8 neighbours, each plane by itself.

    A pixel is one where it is brighter than all of its neighbours (or darker than all of them) by
    more than `TIMES_SPREAD` times the spread of the 24 pixels around it, which is their range but
    for the `TRIMMED` largest and smallest, and `STEPS` grey levels besides where these are whole
    numbers; and by more than `TIMES_ORDINARY` times what is ordinary in the image. So of two
    neighbours that are as bright both stay, and so does a spot that the optics blur: it raises its
    neighbours, and with these the spread.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``C(Z)YX`` of any type. Beyond its edges there is nothing: fewer pixels count there.
    ordinary : sequence of float
        For each channel; see `HotPixels`.

    Returns
    -------
    numpy.ndarray
        Of the same shape and dtype; the very array where there is nothing to replace. Medians of
        integers are rounded. Pixels that are not finite (in float32) stay, and do not count.
    """
    if pixels.dtype.kind not in "iuf":
        return pixels
    replaced: NDArray[Any] | None = None
    for channel, least in enumerate(ordinary):
        for plane in np.ndindex(pixels.shape[1:-2]):
            at = (channel, *plane)
            places, values = _outliers(pixels[at], TIMES_ORDINARY * least)
            if values.size:
                replaced = pixels.copy() if replaced is None else replaced
                replaced[at][places] = values
    return pixels if replaced is None else replaced


def standing_out(plane: NDArray[Any]) -> NDArray[np.float64]:
    """How far the pixels that are beyond all of their neighbours are beyond them, in grey levels.

    Parameters
    ----------
    plane : numpy.ndarray
        YX. Pixels that are not finite do not count.
    """
    _, _, beyond = _extremes(plane)
    return beyond


def known(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pixels are finite in float32."""
    if pixels.dtype.kind != "f":
        return np.ones(pixels.shape, np.bool_)
    found: NDArray[np.bool_] = np.abs(pixels) <= _FARTHEST
    return found


def _outliers(plane: NDArray[Any], least: float) -> tuple[Places, NDArray[Any]]:
    """Where the outliers of a plane are, and what takes their place."""
    places, adjacent, beyond = _extremes(plane)
    far = beyond > least
    places, adjacent, beyond = (places[0][far], places[1][far]), adjacent[far], beyond[far]
    around = np.concatenate([adjacent, _values(plane, places, _OUTER)], axis=1)
    # what is not known comes last
    around.sort(axis=1)
    count = np.isfinite(around).sum(axis=1)
    largest = np.take_along_axis(around, np.maximum(count - 1 - TRIMMED, 0)[:, None], axis=1)[:, 0]
    limit = TIMES_SPREAD * (largest - around[:, TRIMMED])
    own = plane[places].astype(np.float64)
    is_whole = (np.isnan(around) | (around == np.rint(around))).all(axis=1) & (own == np.rint(own))
    limit[is_whole] += STEPS
    hot = (count >= LEAST_AROUND) & (beyond > limit)
    places = places[0][hot], places[1][hot]
    values = np.nanmedian(adjacent[hot], axis=1) if hot.any() else own[hot]
    if plane.dtype.kind in "iu":
        values = np.rint(values)
    return places, values.astype(plane.dtype)


def _extremes(plane: NDArray[Any]) -> tuple[Places, NDArray[np.float64], NDArray[np.float64]]:
    """Pixels beyond all of their neighbours: where, these (n, 8), and by how much (n)."""
    is_known = known(plane)
    low, high = _limits(plane.dtype)
    brightest = _of_neighbours(np.where(is_known, plane, low), low, np.maximum)
    darkest = _of_neighbours(np.where(is_known, plane, high), high, np.minimum)
    first, second = np.nonzero(is_known & ((plane > brightest) | (plane < darkest)))
    places: Places = first, second
    adjacent = _values(plane, places, _ADJACENT)
    enough = np.isfinite(adjacent).sum(axis=1) >= LEAST_ADJACENT
    places, adjacent = (first[enough], second[enough]), adjacent[enough]
    own = plane[places].astype(np.float64)
    if not own.size:
        return places, adjacent, own
    beyond = np.maximum(own - np.nanmax(adjacent, axis=1), np.nanmin(adjacent, axis=1) - own)
    return places, adjacent, beyond


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    limits = np.iinfo(dtype)
    return dtype.type(limits.min), dtype.type(limits.max)


def _of_neighbours(plane: NDArray[Any], beyond: Any, better: np.ufunc) -> NDArray[Any]:
    """Largest (smallest) of the 8 neighbours of each pixel; ``beyond`` stands for none."""
    padded = np.pad(plane, 1, constant_values=beyond)
    beside = better(padded[:, :-2], padded[:, 2:])
    rows = better(beside, padded[:, 1:-1])
    found: NDArray[Any] = better(better(rows[:-2], rows[2:]), beside[1:-1])
    return found


def _values(
    plane: NDArray[Any], places: Places, offsets: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Pixels at some distances from others, (n, offsets); NaN outside and where not finite."""
    rows = places[0][:, None] + [dy for dy, _ in offsets]
    columns = places[1][:, None] + [dx for _, dx in offsets]
    height, width = plane.shape
    is_inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found: NDArray[np.float64] = plane[rows.clip(0, height - 1), columns.clip(0, width - 1)].astype(
        np.float64
    )
    found[~is_inside | ~(np.abs(found) <= _FARTHEST)] = np.nan
    return found
