"""Readings that tell a person at a glance whether a denoised image can be trusted so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

KEPT_WITHIN = 0.02
"""By how much the sum of intensities may change."""

STRUCTURE = 0.1
"""Correlation of neighbours in the residual from which on it has structure."""

TIMID = 0.5
"""Share of the noise below which clearly too little of it went."""

LITTLE_NOISE = 0.05
"""Noise, over the standard deviation of the image, below which there is little to remove."""

CUT_OFF = 0.001
"""Share of saturated pixels, or of zeros, above which people are told."""

STRIPES = 0.2
"""Difference of the correlations along rows and columns above which noise comes in stripes."""

INTENSITY, STRUCTURE_LEFT, NOISE, SATURATED, STRIPED = (
    "intensity",
    "residual",
    "noise",
    "saturated",
    "stripes",
)
"""Keys of the readings, in the order in which they are shown."""


@dataclass(frozen=True)
class Reading:
    """One line of the check strip.

    Parameters
    ----------
    key : str
        Which reading it is.
    name : str
        What it is called.
    text : str
        Its value in words or a number.
    good : bool
        Whether it is as it should be; else it deserves a look.
    tip : str
        How it is found, and what it does not prove.
    """

    key: str
    name: str
    text: str
    good: bool
    tip: str


@dataclass(frozen=True)
class CheckReadings:
    """What was read off the tiles so far. None of it is a mark for quality, nor are all together.

    Parameters
    ----------
    tiles : int
        Tiles that count; 0: nothing to show.
    intensity_kept : float
        Sum of the output over sum of the input; NaN where the input's sum is about 0.
    residual_correlation : float
        Correlation of input − output with itself one pixel further along Y and X. Noise of a
        camera is not correlated; what is correlated was structure.
    noise_removed : float or None
        Share of the noise that is not in the output any more: what the `noise_response` of the
        input and that of input − output have in common, over the former's square. 0 for an output
        that is the input, 0.1 where a tenth of the noise went. None where there is no noise.
    noise_share : float
        Standard deviation of the input's noise (see `noise_response`) over that of the input.
    saturated : float
        Share of pixels of the input at the dtype's largest value, or that pile up at the largest
        one seen.
    zeros : float
        Share of pixels of the input that are 0, where none is negative.
    row_correlation, column_correlation : float
        Correlation of neighbours in a row, and in a column, in the input's noise (see `stripes`).
    residuals : tuple of numpy.ndarray
        A few pieces of input − output, YX float32, at most 128² each, NaN where unknown: for
        `autocorrelation`.
    """

    tiles: int
    intensity_kept: float
    residual_correlation: float
    noise_removed: float | None = None
    noise_share: float = 1.0
    saturated: float = 0.0
    zeros: float = 0.0
    row_correlation: float = 0.0
    column_correlation: float = 0.0
    residuals: tuple[NDArray[np.float32], ...] = field(default=(), compare=False, repr=False)

    @property
    def intensity_ok(self) -> bool:
        """Whether the sum of intensities is kept within 2 %, or tells nothing."""
        kept = self.intensity_kept
        return not isfinite(kept) or 1 - KEPT_WITHIN <= kept <= 1 + KEPT_WITHIN

    @property
    def residual_ok(self) -> bool:
        """Whether no structure shows in what was removed: correlation below 0.1 in size."""
        return abs(self.residual_correlation) < STRUCTURE

    @property
    def little_noise(self) -> bool:
        """Whether the input has so little noise that hardly any can be removed."""
        return self.noise_removed is None or self.noise_share < LITTLE_NOISE

    @property
    def noise_ok(self) -> bool:
        """Whether at least half of the noise went, or there is little."""
        return self.little_noise or (self.noise_removed or 0) >= TIMID

    @property
    def saturation_ok(self) -> bool:
        """Whether at most 0.1 % of the pixels are saturated, and as many 0."""
        return max(self.saturated, self.zeros) <= CUT_OFF

    @property
    def stripe_excess(self) -> float:
        """By how much neighbours in a row resemble each other more than those in a column."""
        return self.row_correlation - self.column_correlation

    @property
    def stripes_ok(self) -> bool:
        """Whether the noise does not come in rows or columns."""
        return abs(self.stripe_excess) <= STRIPES

    def rows(self) -> list[Reading]:
        """The readings as lines, in the order of the check strip."""
        values = (
            (INTENSITY, self._intensity_text(), self.intensity_ok),
            (STRUCTURE_LEFT, self._residual_text(), self.residual_ok),
            (NOISE, self._noise_text(), self.noise_ok),
            (SATURATED, self._saturated_text(), self.saturation_ok),
            (STRIPED, self._stripes_text(), self.stripes_ok),
        )
        return [Reading(key, NAMES[key], text, good, TIPS[key]) for key, text, good in values]

    def _intensity_text(self) -> str:
        kept = self.intensity_kept
        if not isfinite(kept):
            return "sum is about 0"
        word = "" if self.intensity_ok else "low " if kept < 1 else "high "
        return f"{word}{100 * kept:.1f} %"

    def _residual_text(self) -> str:
        return "none" if self.residual_ok else f"{self.residual_correlation:.2f}".replace("-", "−")

    def _noise_text(self) -> str:
        if self.little_noise or self.noise_removed is None:
            return "little to remove"
        if self.noise_removed < 0:
            return "none, it grew"
        word = "" if self.noise_ok else "only "
        return f"{word}{min(100, 100 * self.noise_removed):.0f} %"

    def _saturated_text(self) -> str:
        if self.saturation_ok:
            return "none"
        parts = ((self.saturated, "top"), (self.zeros, "zero"))
        return " · ".join(f"{percent(share)} {end}" for share, end in parts if share > CUT_OFF)

    def _stripes_text(self) -> str:
        if self.stripes_ok:
            return "none"
        lines = "rows" if self.stripe_excess > 0 else "columns"
        return f"{lines} {abs(self.stripe_excess):.2f}"


def percent(share: float) -> str:
    """A share in the fewest digits that tell it: ``"11 %"``, ``"0.2 %"``."""
    return f"{100 * share:.{0 if share >= 0.1 else 1}f} %"


NAMES = {
    INTENSITY: "Intensity kept",
    STRUCTURE_LEFT: "Structure in residual",
    NOISE: "Noise removed",
    SATURATED: "Saturated",
    STRIPED: "Stripes in the noise",
}
"""What each reading is called."""

TIPS = {
    INTENSITY: (
        "Sum of the denoised image over the sum of the input, over the tiles done.\n"
        "Green from 98 to 102 %.\n"
        "Near 100 % does not prove that small structures are real."
    ),
    STRUCTURE_LEFT: (
        "How much neighbouring pixels of input − output resemble each other: noise of a camera\n"
        "does not, so what does was structure. Green below 0.1 in size.\n"
        "None does not prove that nothing was removed: faint structure hides in the noise."
    ),
    NOISE: (
        "How much of the variation from pixel to pixel (second differences along Y and X) went.\n"
        "Green from 50 %. Structure as fine as a pixel counts as noise.\n"
        "A high value does not prove that only noise was removed."
    ),
    SATURATED: (
        "Pixels of the input at the end of its grey levels, or 0. Green up to 0.1 % of each.\n"
        "Noise is cut off there: bright areas come out too dark, dark ones too bright.\n"
        "None does not prove that the detector was linear."
    ),
    STRIPED: (
        "How much more neighbours in a row of the input's noise resemble each other than those\n"
        "in a column, or the other way. Green up to 0.2: what comes in lines is taken for\n"
        "structure, and stays or stands out. Fine lines of the specimen, all one way, count too."
    ),
}
"""How each reading is found, and what it does not prove."""
