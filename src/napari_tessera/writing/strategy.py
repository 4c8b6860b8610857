"""What every place that predictions go to offers."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from napari_tessera.writing.region_data import ImageRegionData


@runtime_checkable
class WriteStrategy(Protocol):
    """Takes predicted regions as they come.

    A strategy with a life of its own may have three more methods, which the pipeline calls where
    they exist: ``open(run: RunInfo)`` before the first region, ``flush()`` when all that was
    taken so far must become durable, and ``close(completed: bool)`` at the end, also after an
    error. ``write_batch`` and ``flush`` are called from one thread, never at the same time.
    """

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Take a batch of predicted regions.

        Parameters
        ----------
        dirpath : pathlib.Path
            Folder for strategies that name their files themselves.
        predictions : list of ImageRegionData
            Regions in any order, of one or several images.
        """
        ...
