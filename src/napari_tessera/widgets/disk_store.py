"""An output on disk, where it does not fit into memory."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import zarr

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.disk_view import DiskView, display_axes, shown_as_stored
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing import ImageRegionData, RunInfo, WriteTilesZarr


class DiskStore:
    """An output in an OME-Zarr image, of the area that is denoised alone.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    letters : str
        Letters of the input layer's dimensions.
    colours : Colours, optional
        How rgb is made, for an output shown in colours.
    path : Path, optional
        Where; by default a temporary folder that goes with the layer, at the latest at exit.
    overwrite : bool
        Replace what is at the path.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        letters: str,
        colours: Colours | None = None,
        *,
        path: Path | None = None,
        overwrite: bool = False,
    ) -> None:
        self.plan = plan
        self.held = plan.region
        self.colours = colours
        self.disposed = False
        """Whether what was there was let go of."""
        self._letters = letters
        self._delete: weakref.finalize[..., DiskStore] | None = None
        if path is None:
            folder = Path(tempfile.mkdtemp(prefix="napari-tessera-"))
            self._delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = folder / "denoised.ome.zarr"
        self.path = path
        self._overwrite = overwrite
        self._writer = WriteTilesZarr(path, overwrite=overwrite)
        self._array: zarr.Array[Any] | None = None

    @property
    def ready(self) -> bool:
        """Whether there is an array to show; the engine's thread makes it."""
        return self._array is not None

    @property
    def is_temporary(self) -> bool:
        """Whether it goes with the layer."""
        return self._delete is not None

    def data(self) -> Any:
        """The array as the layer shows it: the Zarr array itself, where its order allows."""
        order = display_axes(self.plan, self._letters, self.colours is not None)
        if self.colours is None and shown_as_stored(order, self.held):
            return self._array
        return DiskView(self._array, self.held, order, self.colours)

    def open(self, run: RunInfo) -> None:
        """Make the store on disk, or reopen it where the run is resumed."""
        # What a resumed run goes on with must not be replaced by it.
        self._writer.overwrite = self._overwrite and not run.resume
        self._writer.open(run)
        self._array = self._writer.array

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Hand cores to the writer; called in the engine's writer thread."""
        self._writer.write_batch(dirpath, predictions)

    def flush(self) -> None:
        """Write what is begun."""
        self._writer.flush()

    def close(self, completed: bool) -> None:
        """End the run; the array can still be read."""
        self._writer.close(completed)

    def dispose(self) -> None:
        """Let go of the array, and delete a temporary folder."""
        self.disposed = True
        self._array = None
        if self._delete is not None:
            self._delete()
