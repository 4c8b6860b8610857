"""Preparing networks: the same numbers, to rounding, in less time."""

from napari_tessera.models.preparation.prepared import PreparedNetwork
from napari_tessera.models.preparation.preparing import UNPREPARED, Preparation, prepare

__all__ = ["UNPREPARED", "Preparation", "PreparedNetwork", "prepare"]
