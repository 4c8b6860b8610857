"""The camera's offset and gain: models get photo-electrons, and people grey levels again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_tessera.models.processing import (
    Affine,
    Binarize,
    Inverse,
    MatchMeanVariance,
    Processing,
    Rescale,
    RescaleOutput,
    Resolved,
    SampleStatistics,
    Sigmoid,
    Softmax,
    Standardize,
    StandardizeOutput,
    Undo,
)

_NO_LEVELS = (Sigmoid, Softmax, Binarize, RescaleOutput, StandardizeOutput)
_RANGES = (Standardize, Rescale, Affine)
_BACK = (*_RANGES, Undo, Inverse, MatchMeanVariance)


@dataclass(frozen=True)
class Camera:
    """What a camera makes of photo-electrons: grey level = gain · electrons + offset.

    Parameters
    ----------
    offset : float
        Grey level of no light.
    gain : float
        Grey levels per photo-electron.
    """

    offset: float = 0.0
    gain: float = 1.0

    @classmethod
    def of_numbers(cls, offset: float | None, gain: float | None) -> Camera | None:
        """The camera of a plan's numbers; None where grey levels go to the model as they are."""
        if offset is None and gain is None:
            return None
        return cls(0.0 if offset is None else offset, 1.0 if gain is None else gain)

    def electrons(self, statistics: SampleStatistics) -> SampleStatistics:
        """Statistics of grey levels, in photo-electrons."""
        channels = next(iter(statistics.values.values())).size
        gain = np.full(channels, 1 / self.gain)
        return statistics.scaled(gain, -self.offset * gain)

    def around(self, resolved: Resolved, *, restores: bool) -> Resolved:
        """What is done to grey levels by processing that was made for photo-electrons.

        Scaling is one subtraction and one division before the model as well as after it, so that
        a camera costs nothing, and numbers of a model that take out any gain and offset themselves
        are the same but for rounding.

        Parameters
        ----------
        resolved : Resolved
            From photo-electrons to photo-electrons.
        restores : bool
            Whether what comes last is photo-electrons at all (see `gives_levels`).
        """
        gain, offset = self.gain, self.offset
        before = replace(
            resolved, subtract=gain * resolved.subtract + offset, divide=gain * resolved.divide
        )
        if not restores:
            return before
        return replace(before, multiply=gain * resolved.multiply, add=gain * resolved.add + offset)


def gives_levels(processing: Processing) -> bool:
    """Whether a prediction is in the levels of the image, and not a probability or the like.

    It is where nothing is done to levels before the model, or something after it undoes that.
    """
    if any(isinstance(step, _NO_LEVELS) for step in processing.after):
        return False
    goes_into_a_range = any(isinstance(step, _RANGES) for step in processing.before)
    return not goes_into_a_range or any(isinstance(step, _BACK) for step in processing.after)
