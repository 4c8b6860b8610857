"""What every place that predictions go to offers."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from napari_tessera.writing.region_data import ImageRegionData


@runtime_checkable
class WriteStrategy(Protocol):
    """Takes predicted regions as they come.

    A strategy with a life of its own may have more methods. The pipeline calls, where they exist,
    ``check(run: RunInfo)`` of all its writers, which raises what `open` would and makes or deletes
    nothing; then ``open(run)`` before the first region, and ``close(completed: bool)`` at the end,
    also after an error. Who drives a strategy by hand may call ``flush()`` to make durable what was
    taken so far. ``write_batch`` is called from one thread, and never while another call runs.
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
