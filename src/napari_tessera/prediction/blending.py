"""Cores in which neighbouring tiles fade into each other."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_tessera.patching import TileSpecs
from napari_tessera.patching.windows import AxisWindows
from napari_tessera.prediction.joining import Job, Predicted
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import Origin, Tile, to_region

Piece = tuple[int, slice, slice, NDArray[np.float64]]
"""Along one axis: a tile, where it lies in the core and the core in it, and its weights there."""

AXIS_CORES = 1024
"""Cores along an axis of which pieces are kept."""

CACHE_SHARE = 8
"""Predicted tiles may take one part in so many of the free memory."""


def free_room() -> int:
    """Bytes that predicted tiles may take."""
    return psutil.virtual_memory().available // CACHE_SHARE


@dataclass(frozen=True)
class Part:
    """What one tile gives to one core.

    Parameters
    ----------
    number : int
        Number of the tile in the grid over the whole image.
    in_core, in_tile : tuple of slice
        Where the pixels lie in the core and in the tile, along (Z)YX.
    weights : tuple of numpy.ndarray
        Weights along each axis, float64; a pixel's weight is their product.
    """

    number: int
    in_core: tuple[slice, ...]
    in_tile: tuple[slice, ...]
    weights: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class _Change:
    """What a job changed of which tiles will be there.

    Parameters
    ----------
    before : mapping
        For the tiles that the job uses, how many cores were still to come; None where the tile
        was not there.
    evicted : sequence of (int, int)
        Tiles that had to make room, in that order, and how many cores were still to come.
    dropped : sequence of int
        All tiles that will not be there any more once the job is finished.
    """

    before: Mapping[int, int | None]
    evicted: Sequence[tuple[int, int]]
    dropped: Sequence[int]


def blend(parts: Sequence[Part], tiles: Mapping[int, NDArray[Any]], size: Sequence[int]) -> Any:
    """Sum up what tiles give to a core, in the order of the parts.

    Sums are formed in float64, so that tiles that agree give just what each of them says.

    Parameters
    ----------
    parts : sequence of Part
        Ascending in the number of the tile.
    tiles : mapping of int to numpy.ndarray
        Predicted tiles, ``C(Z)YX``, by their number.
    size : sequence of int
        Size of the core in (Z)YX.

    Returns
    -------
    numpy.ndarray
        The core, ``C(Z)YX``, in the tiles' dtype.
    """
    first = tiles[parts[0].number]
    total = np.zeros((first.shape[0], *size), np.float64)
    for part in parts:
        pixels = tiles[part.number][(slice(None), *part.in_tile)].astype(np.float64)
        for axis, weights in enumerate(part.weights):
            if not (weights == 1).all():
                pixels *= weights.reshape(-1, *(1,) * (len(part.weights) - 1 - axis))
        total[(slice(None), *part.in_core)] += pixels
    return total.astype(first.dtype)


class Blending:
    """Each core is the weighted sum of all tiles that count in it.

    Whole predicted tiles are kept until the last core that they count in, as long as there is
    room (`free_room`; for what one job needs there always is); those used longest ago go first,
    and what is needed again is predicted again. Which tiles are there is decided in `prepare`, in
    the order of the jobs, so that reading ahead knows what will be missing. Nothing of this
    changes the pixels: the sum runs over the tiles of the grid over the whole image, in ascending
    order, those outside the region too.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    origin : Origin
        The image.
    """

    whole = True

    def __init__(self, plan: PredictionPlan, origin: Origin) -> None:
        self._plan = plan
        self._origin = origin
        self._room = free_room()
        self._windows = [
            AxisWindows(axis, inset, plan.blending)
            for axis, inset in zip(plan.patching.axes(0), plan.insets, strict=True)
        ]
        self._grid_shape = plan.patching.grid_shape(0)
        self._per_sample = prod(self._grid_shape)
        # What is the same for all cores of a row is worked out once, as far as there are few of it.
        self._along = lru_cache(AXIS_CORES)(self._pieces)
        self._met_along = lru_cache(AXIS_CORES)(self._cores_along)
        # By the number of each tile that is kept: how many cores are still to come.
        self._planned: OrderedDict[int, int] = OrderedDict()
        self._changes: deque[_Change] = deque()
        self._tiles: dict[int, Tile] = {}
        self._predicted: dict[int, NDArray[Any]] = {}

    def parts(self, index: int) -> list[Part]:
        """What each tile gives to the core of a tile of the plan's area."""
        area = self._plan.tiles
        sample, at = area.position(index)
        along = [self._along(axis, i) for axis, i in enumerate(at)]
        return [
            Part(number, in_core, in_tile, weights)
            for number, (_, in_core, in_tile, weights) in zip(
                self._numbers(sample, along),
                (tuple(zip(*pieces, strict=True)) for pieces in product(*along)),
                strict=True,
            )
        ]

    def _numbers(self, sample: int, along: Sequence[Sequence[Piece]]) -> list[int]:
        """Numbers, in the grid over the whole image, of the tiles that pieces are of."""
        numbers = [sample]
        for pieces, count in zip(along, self._grid_shape, strict=True):
            numbers = [number * count + piece[0] for number in numbers for piece in pieces]
        return numbers

    def _pieces(self, axis: int, i: int) -> list[Piece]:
        """Along one axis: the tiles that count in core ``i``, where, and their weights."""
        windows = self._windows[axis]
        *_, size, begin = windows.axis.tile(i)
        end = begin + size
        found = []
        for tile in windows.meeting(begin, end):
            coord, *_ = windows.axis.tile(tile)
            first, last = windows.support(tile)
            start, stop = max(first, begin), min(last, end)
            found.append(
                (
                    tile,
                    slice(start - begin, stop - begin),
                    slice(start - coord, stop - coord),
                    windows.weights(tile, start, stop),
                )
            )
        return found

    def prepare(self, indices: Sequence[int]) -> Job:
        """Miss the tiles that count in the cores and will not be there."""
        uses: Counter[int] = Counter()
        for index in indices:
            sample, at = self._plan.tiles.position(index)
            along = [self._along(axis, i) for axis, i in enumerate(at)]
            uses.update(self._numbers(sample, along))
        before = {number: self._planned.get(number) for number in uses}
        missing = [number for number, cores_left in before.items() if cores_left is None]
        for number, times in uses.items():
            cores_left = before[number] or self._cores_met(number)
            self._planned[number] = cores_left - times
            self._planned.move_to_end(number)
        dropped = [number for number in uses if self._planned[number] <= 0]
        for number in dropped:
            del self._planned[number]
        kept = sum(number in self._planned for number in uses)
        evicted = []
        while len(self._planned) > max(kept, self._capacity):
            evicted.append(self._planned.popitem(last=False))
        dropped += [number for number, _ in evicted]
        self._changes.append(_Change(before, evicted, dropped))
        grid = self._plan.patching
        return Job(
            tuple(indices), tuple((number, grid.get_patch_spec(number)) for number in missing)
        )

    def _cores_met(self, number: int) -> int:
        """Number of cores of the area, in a tile's sample, that the tile counts in."""
        at = np.unravel_index(number % self._per_sample, self._grid_shape)
        return prod(self._met_along(axis, int(i)) for axis, i in enumerate(at))

    def _cores_along(self, axis: int, i: int) -> int:
        """Number of cores of the area along one axis that tile ``i`` counts in."""
        windows, cores = self._windows[axis], self._plan.tiles.grid[axis]
        met = windows.axis.meeting(*windows.support(i))
        return len(range(max(met.start, cores.start), min(met.stop, cores.stop)))

    @property
    def _capacity(self) -> int:
        """Predicted tiles that there is room for."""
        plan, output = self._plan, np.dtype(self._plan.output_dtype)
        given = plan.layout.view_shape[1]
        made = (plan.output_channels or given) * (8 if output.itemsize > 4 else 4)
        each = made + given * np.dtype(plan.input_dtype).itemsize
        return self._room // (prod(plan.tiles.tile_size) * each)

    def take(self, tile: Tile, predicted: NDArray[Any]) -> None:
        """Keep a whole predicted tile, without the pixels that went in."""
        self._tiles[tile.index] = replace(tile, pixels=tile.pixels[:0])
        self._predicted[tile.index] = predicted

    def finish(self, job: Job) -> list[Predicted]:
        """Blend the cores, then forget the tiles that had to make room."""
        done = [self._core(index) for index in job.cores]
        for number in self._changes.popleft().dropped:
            del self._tiles[number], self._predicted[number]
        return done

    def undo(self) -> None:
        """Forget the jobs that are not finished; what was predicted for them stays."""
        while self._changes:
            change = self._changes.pop()
            for number, cores_left in reversed(change.evicted):
                self._planned[number] = cores_left
                self._planned.move_to_end(number, last=False)
            for number, left_before in change.before.items():
                if left_before is None:
                    self._planned.pop(number, None)
                else:
                    self._planned[number] = left_before
        for number in self._predicted:
            self._planned.setdefault(number, self._cores_met(number))

    def _core(self, index: int) -> Predicted:
        area = self._plan.tiles
        specs: TileSpecs = area.spec(index)
        core = blend(self.parts(index), self._predicted, specs["crop_size"])
        own = self._tiles[area.grid_number(*area.position(index))]
        tile = replace(own, index=index, specs=specs)
        region = to_region(self._plan, self._origin, tile, core)
        return Predicted(index, region, tile.nonfinite)
