"""Reads off each tile what `CheckReadings` tell, keeping sums and a few small pieces."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappush, heapreplace
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.check_readings import CheckReadings
from napari_tessera.prediction.moments import Moments
from napari_tessera.prediction.noise import (
    NOISE_GAIN,
    Numbers,
    Products,
    known,
    neighbours,
    noise_response,
    stripes,
)
from napari_tessera.writing import ImageRegionData

__all__ = ["CheckReadings", "CheckWriter"]

PIECES = 24
"""Pieces of the residual that are kept."""

PIECE = 128
"""Their largest edge, px."""


CANCELLED = 0.05
"""Size of a sum, over the sum of sizes, below which a ratio to it tells nothing."""


@dataclass
class _Extremes:
    """The two largest values, the smallest one, and how often each was seen."""

    counts: dict[float, int]
    lowest: float = np.inf
    zeros: int = 0
    at_limit: int = 0

    def add(self, pixels: NDArray[Any]) -> None:
        """Count pixels, of which none is NaN."""
        largest = pixels.max()
        found = {float(largest): int(np.count_nonzero(pixels == largest))}
        below = pixels[pixels < largest]
        if below.size:
            next_one = below.max()
            found[float(next_one)] = int(np.count_nonzero(below == next_one))
        for value, n in found.items():
            self.counts[value] = self.counts.get(value, 0) + n
        # what is third of a tile's values is third of all at best
        self.counts = dict(sorted(self.counts.items(), reverse=True)[:2])
        self.lowest = min(self.lowest, float(pixels.min()))
        self.zeros += int(np.count_nonzero(pixels == 0))
        if pixels.dtype.kind in "iu":
            self.at_limit += int(np.count_nonzero(pixels == np.iinfo(pixels.dtype).max))

    @property
    def saturated(self) -> int:
        """Pixels at the dtype's largest value, or that pile up at the largest one seen.

        A camera of 12 bits ends at 4095 of 65535. Grey levels that are not cut off become rarer
        towards their end, so that the largest is not twice as frequent as the next one.
        """
        if self.at_limit:
            return self.at_limit
        seen = list(self.counts.values())
        return seen[0] if len(seen) == 2 and seen[0] > 2 * seen[1] else 0

    @property
    def cut_off_below(self) -> int:
        """Pixels that are 0, where nothing is below 0."""
        return self.zeros if self.lowest >= 0 else 0


class CheckWriter:
    """A write strategy that keeps no image but sums over input and output cores. Thread-safe.

    Its memory does not depend on the number of tiles, and the readings not on their order.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._tiles = 0
        self._sum_in = self._sum_out = self._sum_size = 0.0
        self._moments = Moments(1)
        self._residual = Products()
        self._noise = self._removed = 0.0
        self._responses = 0
        self._rows = self._columns = Products()
        self._extremes = _Extremes({})
        self._pieces: list[tuple[int, int, NDArray[np.float32]]] = []
        self._numbers = count()

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Add tiles to the readings.

        Parameters
        ----------
        dirpath : pathlib.Path
            Not used.
        predictions : list of ImageRegionData
            Cores with their input; those with other channels than their input do not count.
        """
        for prediction in predictions:
            metadata = prediction.additional_metadata
            core = metadata.get("input")
            if core is None or core.shape != prediction.data.shape:
                continue
            self._add(core, prediction.data, metadata.get("tile_index"))

    def _add(self, core: NDArray[Any], predicted: NDArray[Any], tile: int | None) -> None:
        before, after = known(core), known(predicted)
        finite = np.isfinite(before) & np.isfinite(after)
        if not finite.any():
            return
        before, after = np.where(finite, before, np.nan), np.where(finite, after, np.nan)
        counted = before[finite]
        residual = _without_mean(before - after, finite)
        pairs = neighbours(residual, -2) + neighbours(residual, -1)
        response, removed = noise_response(before), noise_response(residual)
        whole = np.isfinite(response)
        response, removed = response[whole], removed[whole]
        rows, columns = stripes(before)
        with self._lock:
            self._tiles += 1
            self._sum_in += float(counted.sum())
            self._sum_out += float(after[finite].sum())
            self._sum_size += float(np.abs(counted).sum())
            self._moments.add(counted[None])
            self._residual += pairs
            self._noise += float((response**2).sum())
            self._removed += float((response * removed).sum())
            self._responses += response.size
            self._rows += rows
            self._columns += columns
            self._extremes.add(core[finite])
            self._keep(residual, next(self._numbers) if tile is None else tile)

    def _keep(self, residual: Numbers, tile: int) -> None:
        """Keep a piece of the tiles that a fixed draw prefers, whichever comes first."""
        # Knuth's multiplicative hash: neighbours in number lie far from each other
        drawn = (tile + 1) * 2654435761 % 2**32
        if len(self._pieces) == PIECES and -drawn <= self._pieces[0][0]:
            return
        planes = residual.reshape(-1, *residual.shape[-2:])
        plane = planes[drawn % len(planes)]
        starts = [max(0, (size - PIECE) // 2) for size in plane.shape]
        piece = plane[tuple(slice(start, start + PIECE) for start in starts)].astype(np.float32)
        piece.flags.writeable = False
        entry = (-drawn, next(self._numbers), piece)
        if len(self._pieces) < PIECES:
            heappush(self._pieces, entry)
        else:
            heapreplace(self._pieces, entry)

    def readings(self) -> CheckReadings:
        """The readings over all tiles so far."""
        with self._lock:
            pixels = max(1.0, float(self._moments.n[0]))
            deviation = float(self._moments.std[0])
            noise = np.sqrt(self._noise / NOISE_GAIN / max(1, self._responses))
            return CheckReadings(
                tiles=self._tiles,
                intensity_kept=self._kept(),
                residual_correlation=self._residual.correlation,
                noise_removed=self._removed / self._noise if self._noise > 0 else None,
                noise_share=float(noise) / deviation if deviation > 0 else 0.0,
                saturated=self._extremes.saturated / pixels,
                zeros=self._extremes.cut_off_below / pixels,
                row_correlation=self._rows.correlation,
                column_correlation=self._columns.correlation,
                residuals=tuple(piece for *_, piece in sorted(self._pieces, key=_drawn)),
            )

    def _kept(self) -> float:
        """Output over input; NaN where the input's positive and negative values cancel out."""
        if self._sum_in == self._sum_out:
            return 1.0
        if abs(self._sum_in) < CANCELLED * self._sum_size or not self._sum_in:
            return float("nan")
        return self._sum_out / self._sum_in


def _drawn(entry: tuple[int, int, NDArray[np.float32]]) -> int:
    return entry[0]


def _without_mean(residual: Numbers, finite: NDArray[np.bool_]) -> Numbers:
    """Each plane without its mean, which is no structure but an offset (and told by the sums)."""
    n = finite.sum(axis=(-2, -1), keepdims=True)
    total = np.where(finite, residual, 0).sum(axis=(-2, -1), keepdims=True)
    centred: Numbers = residual - total / np.maximum(n, 1)
    return centred
