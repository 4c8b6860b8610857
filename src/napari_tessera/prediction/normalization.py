"""Means and standard deviations that bring an image into the range a model knows, and back.

They are never per tile or per plane, which would boost the noise of dim planes: they are per
channel and per time point (a Z stack is one volume), or per channel over the whole series.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPS = 1e-6
"""Added to the standard deviation, so that a constant image does not divide by zero."""

KINDS = ("none", "time_point", "series")


@dataclass(frozen=True)
class Normalization:
    """Means and standard deviations by sample and channel.

    Pixels x become (x − mean)/(std + 1e-6) before the model; its output y becomes
    y·(std + 1e-6) + mean.

    Parameters
    ----------
    kind : {"none", "time_point", "series"}
        What one row of the values belongs to.
    samples : tuple of int
        For ``"time_point"`` the first sample (S and T merged) that each row belongs to,
        ascending; else empty. In very long series neighbours share a row.
    means, stds : tuple of tuple of float
        One row per sample (a single one for ``"series"`` and ``"none"``), one value per channel,
        in grey levels. Under ``"none"`` only the mean is used: it stands in for pixels that are
        not finite.
    """

    kind: str
    samples: tuple[int, ...]
    means: tuple[tuple[float, ...], ...]
    stds: tuple[tuple[float, ...], ...]

    def values(
        self, sample: int, channel: int | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and std + 1e-6 of a sample (not folded), one value per channel.

        Parameters
        ----------
        sample : int
            Sample of the unfolded image.
        channel : int or None
            The one channel wanted, None for all.
        """
        row = bisect_right(self.samples, sample) - 1 if self.kind == "time_point" else 0
        chosen = slice(None) if channel is None else slice(channel, channel + 1)
        return np.array(self.means[row])[chosen], np.array(self.stds[row])[chosen] + EPS

    def check(self, samples: Sequence[int], channels: int) -> None:
        """Raise ValueError unless there are finite values for all samples and channels."""
        if self.kind not in KINDS:
            raise ValueError(f"normalization {self.kind!r}")
        rows = len(self.samples) if self.kind == "time_point" else 1
        if list(self.samples) != sorted(set(self.samples)):
            raise ValueError("samples of the normalization are not ascending")
        if rows and self.kind == "time_point" and min(samples) < self.samples[0]:
            raise ValueError(f"no statistics for sample {min(samples)}")
        for table in (self.means, self.stds):
            if len(table) != rows or not rows or any(len(row) != channels for row in table):
                raise ValueError(f"statistics are not {max(rows, 1)} × {channels} values")
            if not np.isfinite(np.asarray(table)).all():
                raise ValueError("statistics are not finite")

    def to_json(self) -> dict[str, Any]:
        """Values as plain lists."""
        return {
            "kind": self.kind,
            "samples": list(self.samples),
            "means": [list(row) for row in self.means],
            "stds": [list(row) for row in self.stds],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Normalization:
        """Read what `to_json` gave."""
        return cls(
            str(data["kind"]),
            tuple(int(sample) for sample in data["samples"]),
            tuple(tuple(float(v) for v in row) for row in data["means"]),
            tuple(tuple(float(v) for v in row) for row in data["stds"]),
        )
