"""Readings that tell a person at a glance whether a denoised image can be trusted so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from napari_tessera.writing import ImageRegionData


@dataclass(frozen=True)
class CheckReadings:
    """What was read off the tiles so far.

    Parameters
    ----------
    tiles : int
        Tiles that count; 0: nothing to show.
    intensity_kept : float
        Sum of the output over sum of the input.
    residual_correlation : float
        Correlation of input − output with itself one pixel further along Y and X. Noise of a
        camera is not correlated; what is correlated was structure.
    """

    tiles: int
    intensity_kept: float
    residual_correlation: float

    @property
    def intensity_ok(self) -> bool:
        """Whether the sum of intensities is kept within 2 %."""
        return 0.98 <= self.intensity_kept <= 1.02

    @property
    def residual_ok(self) -> bool:
        """Whether no structure shows in what was removed: correlation below 0.1 in size."""
        return abs(self.residual_correlation) < 0.1


class CheckWriter:
    """A write strategy that keeps no pixels but sums over input and output cores. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tiles = 0
        self._sum_in = self._sum_out = 0.0
        self._products = self._squares = 0.0

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
            core = prediction.additional_metadata.get("input")
            if core is None or core.shape != prediction.data.shape:
                continue
            self._add(core.astype(np.float64), prediction.data.astype(np.float64))

    def _add(self, before: np.ndarray, after: np.ndarray) -> None:
        finite = np.isfinite(before) & np.isfinite(after)
        if not finite.any():
            return
        before, after = np.where(finite, before, 0), np.where(finite, after, 0)
        residual = before - after
        # Without the tile's mean, which is no structure but an offset (and told by the sums).
        residual = np.where(finite, residual - residual.mean(where=finite), 0)
        products = squares = 0.0
        for axis in (-2, -1):
            first = residual.take(range(residual.shape[axis] - 1), axis=axis)
            second = residual.take(range(1, residual.shape[axis]), axis=axis)
            products += float((first * second).sum())
            squares += float((first**2 + second**2).sum()) / 2
        with self._lock:
            self._tiles += 1
            self._sum_in += float(before.sum())
            self._sum_out += float(after.sum())
            self._products += products
            self._squares += squares

    def readings(self) -> CheckReadings:
        """The readings over all tiles so far."""
        with self._lock:
            kept = self._sum_out / self._sum_in if self._sum_in else 1.0
            correlation = self._products / self._squares if self._squares else 0.0
            return CheckReadings(self._tiles, kept, correlation)
