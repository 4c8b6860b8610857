"""Means and standard deviations that bring an image into the range a model knows, and back.

They are never per tile or per plane, which would boost the noise of dim planes: they are per
channel and per time point (a Z stack is one volume), or per channel over the whole series.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        For ``"time_point"`` the sample (S and T merged) of each row; else empty.
    means, stds : tuple of tuple of float
        One row per sample (a single one for ``"series"`` and ``"none"``), one value per channel,
        in grey levels. Under ``"none"`` only the mean is used: it stands in for pixels that are
        not finite.
    """

    kind: str
    samples: tuple[int, ...]
    means: tuple[tuple[float, ...], ...]
    stds: tuple[tuple[float, ...], ...]

    def values(self, sample: int, channel: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and std + 1e-6 of a sample (not folded), float32, one value per channel.

        Parameters
        ----------
        sample : int
            Sample of the unfolded image.
        channel : int or None
            The one channel wanted, None for all.
        """
        row = self.samples.index(sample) if self.kind == "time_point" else 0
        chosen = slice(None) if channel is None else slice(channel, channel + 1)
        mean = np.array(self.means[row], np.float32)[chosen]
        std = np.array(self.stds[row], np.float32)[chosen] + np.float32(EPS)
        return mean, std

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
