"""Pixel size, time step and channel names, as far as a file tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_tessera.units import unit_name

_NO_LENGTH = "reference frame"


@dataclass
class Calibration:
    """Scale and unit by axis letter and channel names, as far as a file tells them."""

    scale: dict[str, float] = field(default_factory=dict)
    units: dict[str, str | None] = field(default_factory=dict)
    channel_names: tuple[str, ...] | None = None

    def put(self, letter: str, scale: Any, unit: str | None, factor: float = 1.0) -> None:
        """Take a positive, finite size of one step along an axis; anything else is unknown.

        Parameters
        ----------
        letter : str
            The axis.
        scale : number or text
            The size of a step, however the file writes it.
        unit : str or None
            Its unit, after multiplication with ``factor``.
        factor : float, optional
            From the file's unit to this one.
        """
        try:
            size = float(scale) * factor
        except (TypeError, ValueError):
            return
        if 0 < size < float("inf"):
            self.scale[letter] = size
            # OME's reference frame has a scale, but nobody knows which
            self.units[letter] = None if unit == _NO_LENGTH else unit_name(unit)

    def completed(self, other: Calibration) -> Calibration:
        """The same, with the axes of another one that are unknown here."""
        return Calibration(
            other.scale | self.scale,
            other.units | self.units,
            self.channel_names or other.channel_names,
        )
