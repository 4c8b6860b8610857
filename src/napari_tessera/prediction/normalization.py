"""Numbers of the image that bring it into the range a model knows, and back; frozen in a plan.

They are never per tile or per plane, which would boost the noise of dim planes: they are per
channel and per time point (a Z stack is one volume), or per channel over the whole series.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.models.processing import (
    MEAN,
    MEAN_STD,
    Processing,
    SampleStatistics,
    Statistic,
)

if TYPE_CHECKING:
    from napari_tessera.models import Model

KINDS = ("none", "model", "time_point", "series")

MEASURED = ("sample", "exact")
"""How statistics are taken: from a fixed subsample, or from every pixel."""

STATISTICS = ("mean", "std", "quantile", "level")


@dataclass(frozen=True)
class Normalization:
    """What is done to grey levels before and after the model, with the image's numbers.

    Parameters
    ----------
    kind : {"none", "model", "time_point", "series"}
        Whether grey levels go to the model as they are, as numbers of the model's own say, or as
        statistics of each time point or of the whole series say.
    samples : tuple of int
        For ``"time_point"`` the first sample (S and T merged) that each row belongs to,
        ascending; else empty. In very long series neighbours share a row.
    statistics : tuple of Statistic
        What was measured; the mean always is: it stands in for pixels that are not finite.
    values : tuple of tuple of tuple of float
        ``values[row][statistic][channel]`` in grey levels, one row per sample (a single one
        unless ``"time_point"``).
    own_numbers : bool
        Whether numbers that came with the model are kept; else the image's take their place.
    measured : {"sample", "exact"}
        Whether the values are of a fixed subsample, or of every pixel.
    quantile_error : float or None
        Largest difference of the share of pixels below a quantile from the quantile's fraction,
        by `quantiles.error_bound`: 0 for exact ones, None for those of a subsample of blocks,
        for which there is no bound.
    """

    kind: str
    samples: tuple[int, ...]
    statistics: tuple[Statistic, ...]
    values: tuple[tuple[tuple[float, ...], ...], ...]
    own_numbers: bool = True
    measured: str = "sample"
    quantile_error: float | None = None

    def row(self, sample: int) -> int:
        """Row of the values that a sample (not folded) has."""
        return bisect_right(self.samples, sample) - 1 if self.kind == "time_point" else 0

    def of_sample(self, sample: int, channel: int | None = None) -> SampleStatistics:
        """Statistics of a sample (not folded), one value per channel.

        Parameters
        ----------
        sample : int
            Sample of the unfolded image.
        channel : int or None
            The one channel wanted, None for all.
        """
        row = self.row(sample)
        chosen = slice(None) if channel is None else slice(channel, channel + 1)
        return SampleStatistics(
            {
                statistic: np.array(values, np.float64)[chosen]
                for statistic, values in zip(self.statistics, self.values[row], strict=True)
            }
        )

    def processing_of(self, model: Model) -> Processing:
        """What is done to grey levels for a model (of one channel's, where each has its own)."""
        return processing_of(model, self.kind, self.own_numbers)

    def check(self, first: int, channels: int) -> None:
        """Raise ValueError unless there are finite values for all samples and channels.

        Parameters
        ----------
        first : int
            The first of the samples (not folded) that are predicted.
        channels : int
            Channels that go to the model, or that are predicted one by one.
        """
        if self.kind not in KINDS:
            raise ValueError(f"normalization {self.kind!r}")
        if self.measured not in MEASURED:
            raise ValueError(f"statistics {self.measured!r}")
        if MEAN not in self.statistics or len(set(self.statistics)) < len(self.statistics):
            raise ValueError("statistics lack the mean, or name one twice")
        if any(s.kind not in STATISTICS or not 0 <= s.fraction <= 1 for s in self.statistics):
            raise ValueError("statistics are neither mean, std nor quantiles from 0 to 1")
        rows = len(self.samples) if self.kind == "time_point" else 1
        if list(self.samples) != sorted(set(self.samples)):
            raise ValueError("samples of the normalization are not ascending")
        if rows and self.kind == "time_point" and first < self.samples[0]:
            raise ValueError(f"no statistics for sample {first}")
        wanted = (rows, len(self.statistics), channels)
        if not rows or np.shape(self.values) != wanted:
            raise ValueError(f"statistics are not {'×'.join(map(str, wanted))} values")
        if not np.isfinite(np.asarray(self.values)).all():
            raise ValueError("statistics are not finite")

    def to_json(self) -> dict[str, Any]:
        """Values as plain lists, statistics as mappings."""
        return {
            "kind": self.kind,
            "samples": list(self.samples),
            "statistics": [
                {"kind": s.kind, "fraction": s.fraction, "pooled": s.pooled}
                for s in self.statistics
            ],
            "values": [[list(channels) for channels in row] for row in self.values],
            "own_numbers": self.own_numbers,
            "measured": self.measured,
            "quantile_error": self.quantile_error,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Normalization:
        """Read what `to_json` gave."""
        error = data["quantile_error"]
        return cls(
            str(data["kind"]),
            tuple(int(sample) for sample in data["samples"]),
            tuple(
                Statistic(str(s["kind"]), float(s["fraction"]), bool(s["pooled"]))
                for s in data["statistics"]
            ),
            tuple(
                tuple(tuple(float(v) for v in channels) for channels in row)
                for row in data["values"]
            ),
            bool(data["own_numbers"]),
            str(data["measured"]),
            None if error is None else float(error),
        )


def processing_of(model: Model, kind: str, own_numbers: bool) -> Processing:
    """What is done to grey levels for a model under a kind of normalization."""
    if kind == "none":
        return Processing()
    if model.processing is not None:
        return model.processing if own_numbers else model.processing.measured()
    if own_numbers and model.default_normalization == "none":
        return Processing()
    return MEAN_STD
