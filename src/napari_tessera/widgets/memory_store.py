"""An output in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_tessera.prediction import PredictionPlan
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.region import Region
from napari_tessera.widgets.disk_view import DiskView, as_displayed, display_axes
from napari_tessera.widgets.live_levels import LevelsInMemory, wants_levels
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.saved_region import region_on_disk
from napari_tessera.writing import ImageRegionData, fill_value
from napari_tessera.writing.region_data import output_core, tile_block


class MemoryStore:
    """An output in memory, written tile by tile.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    held : Region
        The part of the output that the array holds.
    letters : str
        Letters of the input layer's dimensions.
    colours : Colours, optional
        How rgb is made, for an output shown in colours.
    """

    def __init__(
        self, plan: PredictionPlan, held: Region, letters: str, colours: Colours | None = None
    ) -> None:
        self.plan = plan
        self.held = held
        self.colours = colours
        self.disposed = False
        """Whether the array was let go of; what is written after that goes nowhere."""
        self._letters = letters
        shape = held.selected_shape
        dtype: np.dtype[Any] = np.dtype(np.float32)
        if colours is not None:
            shape, dtype = (*shape[:-1], colours.n), np.dtype(np.uint8)
        self.array: NDArray[Any] = np.full(shape, fill_value(dtype), dtype)
        self.by_levels = wants_levels(held.axes, shape)
        """Whether it is shown by levels: refreshing all of its plane would take long."""
        self._levels = LevelsInMemory(held.axes, self.array) if self.by_levels else None

    @property
    def ready(self) -> bool:
        """Always: there is an array to show."""
        return True

    def data(self) -> Any:
        """The array as the layer shows it: a view; with its smaller levels, in a list."""
        order = display_axes(self.plan, self._letters, self.colours is not None)
        levels = [] if self._levels is None else self._levels.arrays
        shown = [as_displayed(array, self.held.axes, order) for array in (self.array, *levels)]
        return shown if self.by_levels else shown[0]

    def take(self, plan: PredictionPlan) -> bool:
        """Get ready for another plan; False where the array does not fit it.

        Pixels of other settings go. Those of the same settings stay but for the tiles that
        the plan makes again, so that previews of several places stand side by side.
        """
        held = Region.from_selection(plan.layout.output_axes, plan.layout.output_shape)
        if self.disposed or held != self.held or plan.layout != self.plan.layout:
            return False
        same = _same_settings(plan, self.plan)
        array, levels, self.plan = self.array, self._levels, plan
        if same and not plan.region.is_full:
            skipped = plan.skipped
            for index in range(plan.tiles.n_tiles):
                if skipped is not None and skipped[index]:
                    continue
                block = self._all_colours(plan.tiles.block(index))
                array[block] = fill_value(array.dtype)
                if levels is not None:
                    levels.put(block, array[block])
        else:
            array.fill(fill_value(array.dtype))
            if levels is not None:
                levels.clear()
        return True

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        """Put cores in their place; called in the engine's writer thread."""
        for prediction in predictions:
            layout = self.plan.layout
            placed = self.held.place(tile_block(prediction, layout))
            if placed is None:
                continue
            within, target = placed
            self._put(target, output_core(prediction, layout)[within])

    def fill_from(self, path: Path, done: Iterable[int]) -> None:
        """Copy finished tiles from the OME-Zarr image that an earlier run of the plan wrote."""
        on_disk = zarr.open_array(str(path), path="0", mode="r")
        region = region_on_disk(self.plan, on_disk.shape)
        saved = DiskView(on_disk, region, region.axes)
        for index in done:
            block = self.plan.tiles.block(index)
            there = region.place(block)
            if there is None:
                continue
            within, source = there
            here = self.held.place(
                tuple(
                    slice(part.start + cut.start, part.start + cut.stop)
                    for part, cut in zip(block, within, strict=True)
                )
            )
            if here is not None:
                self._put(here[1], saved[source])

    def _put(self, target: tuple[slice, ...], core: NDArray[Any]) -> None:
        # The GUI thread may let go of the array at any moment: what is at hand is whole, or seen
        # to be let go of.
        array, levels = self.array, self._levels
        if self.disposed:
            return
        if self.colours is None:
            array[target] = core
        else:
            start = [chosen[0] for chosen in self.held.indices]
            self.colours.put(array, target, core, start)
        if levels is not None:
            place = self._all_colours(target)
            levels.put(place, array[place])

    def _all_colours(self, place: tuple[slice, ...]) -> tuple[slice, ...]:
        """A place of the output in the array: colours have an axis of their own length."""
        return place if self.colours is None else (*place[:-1], slice(0, self.colours.n))

    def dispose(self) -> None:
        """Let go of the array."""
        # First, as `_put` looks at the two in the other order.
        self.disposed = True
        self.array = np.empty((0,) * self.array.ndim, self.array.dtype)
        self._levels = None


def _same_settings(one: PredictionPlan, other: PredictionPlan) -> bool:
    """Whether two plans make the same pixels wherever both of them make some."""
    return _all_but_area(one) == _all_but_area(other) and _same_ranges(
        one.normalization, other.normalization
    )


def _all_but_area(plan: PredictionPlan) -> dict[str, Any]:
    deciding = dict(plan.to_dict()["fingerprint_of"])
    # The area decides which samples have intensity ranges in the plan.
    for name in ("region_selection", "normalization", "inside", "version"):
        deciding.pop(name, None)
    return deciding


def _same_ranges(one: Normalization, other: Normalization) -> bool:
    """Whether intensity ranges are of one kind, and equal for the samples that both are for."""
    if replace(one, samples=(), values=()) != replace(other, samples=(), values=()):
        return False
    ours, theirs = _rows(one), _rows(other)
    return all(ours[sample] == theirs[sample] for sample in ours.keys() & theirs.keys())


def _rows(ranges: Normalization) -> dict[int, tuple[tuple[float, ...], ...]]:
    # One row for all samples stands under the first.
    return dict(zip(ranges.samples or (0,), ranges.values, strict=True))
