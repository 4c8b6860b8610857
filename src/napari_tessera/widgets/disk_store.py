"""An output on disk, where it does not fit into memory."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import zarr

from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.stacks.zarr.nodes import store_path
from napari_tessera.widgets.disk_view import (
    DiskView,
    display_axes,
    shown_as_stored,
)
from napari_tessera.widgets.lazy_array import LazyArray
from napari_tessera.widgets.levels_beside import LevelsBeside
from napari_tessera.widgets.live_levels import wants_levels
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget, store_writer
from napari_tessera.widgets.saved_region import region_on_disk
from napari_tessera.widgets.temporary import TemporaryFolder
from napari_tessera.writing import ImageRegionData, RunInfo, WriteTilesZarr
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.region_data import output_core, tile_block

_RGB = 3


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
    save : ResolvedTarget, optional
        Where it is saved; by default in a temporary folder that goes with the layer, at the latest
        at exit.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        letters: str,
        colours: Colours | None = None,
        *,
        save: ResolvedTarget | None = None,
    ) -> None:
        self.plan = plan
        self.held = plan.region
        self.colours = colours
        self.disposed = False
        """Whether what was there was let go of."""
        self._letters = letters
        self._delete: weakref.finalize[..., DiskStore] | None = None
        self._overwrite = save is not None and save.overwrite
        if save is not None:
            self._writer = store_writer(save)
        else:
            folder = TemporaryFolder()
            self._delete = weakref.finalize(self, folder.remove)
            self._writer = WriteTilesZarr(folder.path / "denoised.ome.zarr")
        self.path = Path(str(self._writer.store_path))
        self._array: zarr.Array[Any] | None = None
        self._smaller: list[zarr.Array[Any]] = []
        self._beside: LevelsBeside | None = None
        self._complete = False
        sizes = self.held.selected_shape
        flat = colours is None or colours.n == _RGB
        self.by_levels = flat and wants_levels(self.held.axes, sizes)
        """Whether it is shown by levels: its plane is too large to be shown whole."""

    @property
    def ready(self) -> bool:
        """Whether there is an array to show; the engine's thread makes it."""
        return self._array is not None

    @property
    def array(self) -> zarr.Array[Any]:
        """What is on disk, the full size; its axes are in the order on disk."""
        assert self._array is not None
        return self._array

    @property
    def is_temporary(self) -> bool:
        """Whether it goes with the layer."""
        return self._delete is not None

    def is_read_by(self, array: Any) -> bool:
        """Whether an array, or one that it is computed from, has its pixels here."""
        if isinstance(array, LazyArray):
            return any(self.is_read_by(part) for part in array.reads)
        return isinstance(array, zarr.Array) and store_path(array.store) == self.path

    def data(self) -> Any:
        """What the layer shows: the Zarr array itself where its order allows; levels in a list.

        The full size alone, unless its plane is large. While tiles come, smaller levels are those
        that are filled with them, as those on disk are written when all below them is there; of
        these only the ones that there was no room for are shown, and not those that leave out
        planes.
        """
        if not self.by_levels:
            return self._shown(self._array, self.held)
        levels = [self._shown(self._array, self.held)]
        if self._complete:
            self._beside = None
        beside = self._beside
        if beside is None:
            return levels + [self._shown_level(level) for level in self._smaller]
        for level in self._smaller:
            factors = self._factors(level)
            if max(factors) < beside.factor and max(factors[:-2], default=1) == 1:
                levels.append(self._shown_level(level))
        order = display_axes(self.plan, self._letters, self.colours is not None)
        levels[0] = beside.over(levels[0], order)
        return levels + beside.shown(order)

    def _shown(self, array: Any, held: Region) -> Any:
        order = display_axes(self.plan, self._letters, self.colours is not None)
        if self.colours is None and shown_as_stored(order, held):
            return array
        return DiskView(array, held, order, self.colours)

    def _shown_level(self, array: Any) -> Any:
        factors = dict(zip(self._disk_axes, self._factors(array), strict=True))
        sizes = [
            -(-size // factors.get("T" if letter == "S" else letter, 1))
            for letter, size in zip(self.held.axes, self.held.selected_shape, strict=True)
        ]
        return self._shown(array, Region.from_selection(self.held.axes, sizes))

    @property
    def _disk_axes(self) -> str:
        return OmeOrder(self.held.axes, self.held.selected_shape).disk_axes

    def _factors(self, array: Any) -> list[int]:
        return [round(a / b) for a, b in zip(self.array.shape, array.shape, strict=True)]

    def open(self, run: RunInfo) -> None:
        """Make the store on disk, or reopen it where the run is resumed."""
        # What a resumed run goes on with must not be replaced by it.
        self._writer.overwrite = self._overwrite and not run.resume
        self._writer.open(run)
        array = self._writer.array
        self.held = region_on_disk(self.plan, array.shape)
        if self.by_levels:
            group = zarr.open_group(self.path, mode="r")
            found = (group.get(str(level)) for level in range(1, len(list(group.array_keys()))))
            self._smaller = [level for level in found if isinstance(level, zarr.Array)]
            if self._beside is None:
                self._beside = LevelsBeside(
                    self.plan, self.held, array.dtype, self.colours, self.path, run
                )
            self._beside.start_filling(array)
        # Last: from now on there is something to show.
        self._array = array

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Hand cores to the writer; called in the engine's writer thread."""
        self._writer.write_batch(dirpath, predictions)
        beside = self._beside
        if beside is None:
            return
        for prediction in predictions:
            placed = self.held.place(tile_block(prediction, self.plan.layout))
            if placed is not None:
                within, target = placed
                beside.put(target, output_core(prediction, self.plan.layout)[within])

    def flush(self) -> None:
        """Write what is begun."""
        self._writer.flush()

    def close(self, completed: bool) -> None:
        """End the run; the array can still be read."""
        if self._beside is not None:
            self._beside.stop(wait=True)
        self._writer.close(completed)
        self._complete = completed

    def dispose(self) -> None:
        """Let go of the array, and delete a temporary folder."""
        self.disposed = True
        if self._beside is not None:
            self._beside.stop(wait=False)
        self._array, self._beside = None, None
        if self._delete is not None:
            self._delete()
