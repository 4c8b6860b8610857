"""How high seams will be, measured at one boundary of two tiles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.patching import TiledAxis, TileSpecs
from napari_tessera.patching.windows import AxisWindows
from napari_tessera.prediction.inference import TileModel
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.strips import Strips
from napari_tessera.prediction.tile_io import TileReader
from napari_tessera.stacks import ImageStack

if TYPE_CHECKING:
    from napari_tessera.models import Model

PLACES = 4
"""Boundaries looked at along each axis, of which the one with most contrast is measured."""

CONTRAST_REACH = 32
"""How far from a boundary its contrast is measured, in pixels."""

KEPT_HEIGHTS = 64
"""Plans of which a `SeamBook` keeps the height."""

SLAB_2D, SLAB_3D = 256, 96
"""Longest edge along the boundary of what is predicted for a local network, in pixels: what lies
beside it is cut alike in all that is compared."""


def estimate_seam(
    plan: PredictionPlan, stack: ImageStack, model: Model, reach: Sequence[int] | None
) -> float | None:
    """Height of the seams to expect, in grey levels.

    Of a few boundaries, spread over the grid of one sample, the one with the most contrast is
    predicted both ways: by the two tiles that meet there, joined as the plan says, and by one tile
    that has it in its middle with all the surroundings that the network looks at. The figure is the
    largest difference of the two on a line of up to 256 px, within the reach of the tiles' ends. On
    four real images of up to 512² px, two networks and four overlaps, the largest difference
    between all of the tiled and the whole image was 1 to 3 times as much.

    For a network that looks at all of a tile there is no such truth: the figure is then the
    largest difference of the two tiles' predictions on the line where they meet.

    At most three tiles are run, for a local network only what it looks at there: no longer than
    that line, and across it cut to the reach (see `Strips`). Test-time augmentation is left out.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    stack : ImageStack
        The image, nothing folded.
    model : Model
        The model.
    reach : sequence of int, or None
        How far the model looks along (Z)YX, in pixels; None where it looks at all of a tile.

    Returns
    -------
    float or None
        None where tiles join exactly, where there is only one, where two tiles of a model that
        looks at all of them have no pixel in common, or where the model fails on a tile: that is
        for the run to tell.
    """
    axes = plan.patching.axes(0)
    short = [
        i
        for i, axis in enumerate(axes)
        if axis.n > 1 and (reach is None or axis.overlap < 2 * reach[i])
    ]
    places = [place for i in short for place in _places(plan, i, is_global=reach is None)]
    if not places:
        return None
    once = replace(plan, tta="none").with_settings(batch_size=1)
    reader = TileReader(once, stack, model)
    sample, _ = plan.tiles.position(plan.tiles.n_tiles // 2)

    def contrast(place: _Place) -> float:
        start, size = place.around(2 * CONTRAST_REACH)
        pixels = reader.read(0, place.specs(sample, start, size)).levels
        return _contrast(pixels)

    place = max(places, key=contrast)
    with TileModel(once, model) as tile_model:

        def run(start: int, size: int) -> NDArray[np.float64]:
            tile = reader.read(0, place.specs(sample, start, size))
            try:
                made = tile_model.whole([tile])[0]
            except Exception as error:
                # any exception: the network is somebody's code, and memory may be short
                raise _UnmeasuredError from error
            return np.moveaxis(made, place.axis + 1, 0).astype(np.float64)

        with suppress(_UnmeasuredError):
            return _height(plan, place, run, reach, model.geometry)
    return None


class SeamBook:
    """Heights of seams that were measured, so that no plan pays for them twice. Thread-safe.

    What decides a plan's pixels decides its seams: it is known by its fingerprint. Of the last
    `KEPT_HEIGHTS` plans.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._heights: OrderedDict[str, float] = OrderedDict()

    def height(
        self, plan: PredictionPlan, stack: ImageStack, model: Model, reach: Sequence[int] | None
    ) -> float | None:
        """As `estimate_seam`, which is asked only where it is not known."""
        key = plan.fingerprint
        with self._lock:
            if key in self._heights:
                self._heights.move_to_end(key)
                return self._heights[key]
        height = estimate_seam(plan, stack, model, reach)
        if height is None:
            # nothing was to be measured, or the model failed, which it may not do again
            return None
        with self._lock:
            self._heights[key] = height
            while len(self._heights) > KEPT_HEIGHTS:
                self._heights.popitem(last=False)
        return height


class _UnmeasuredError(Exception):
    """The model failed on a tile."""


@dataclass(frozen=True)
class _Place:
    """The boundary between tile ``i`` and the next along one axis, and what of it is looked at."""

    axis: int
    along: TiledAxis
    i: int
    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def boundary(self) -> int:
        """First pixel of the second core."""
        return self.along.tile(self.i + 1)[3]

    def around(self, size: int) -> tuple[int, int]:
        """Begin and size, on the grid's alignment, of what has the boundary in its middle."""
        k = self.along.alignment
        size = min(-(-size // k) * k, self.along.padded)
        start = (self.boundary - size // 2) // k * k
        return max(0, min(start, self.along.padded - size)), size

    def specs(self, sample: int, start: int, size: int) -> TileSpecs:
        """What is read where something begins along the axis, and has a size there."""
        starts, sizes = list(self.starts), list(self.sizes)
        starts[self.axis], sizes[self.axis] = start, size
        return TileSpecs(
            data_idx=0,
            sample_idx=sample,
            coords=tuple(starts),
            patch_size=tuple(sizes),
            crop_coords=(0,) * len(sizes),
            crop_size=tuple(sizes),
            stitch_coords=tuple(starts),
            total_tiles=1,
        )


def _contrast(pixels: NDArray[np.float32]) -> float:
    """Mean size of the steps from pixel to pixel, ``C(Z)YX``."""
    return sum(
        float(np.abs(np.diff(pixels, axis=axis)).mean())
        for axis in range(1, pixels.ndim)
        if pixels.shape[axis] > 1
    )


def _places(plan: PredictionPlan, axis: int, *, is_global: bool) -> list[_Place]:
    """A few boundaries along an axis, at as many places along the others."""
    axes, grid = plan.patching.axes(0), plan.tiles.grid
    boundaries = grid[axis][:-1]
    if len(boundaries) > 1 and boundaries[-1] == axes[axis].n - 2:
        # The last tile, shifted inward, may be nearly the one before: they hardly differ.
        boundaries = boundaries[:-1]
    count = min(PLACES, len(boundaries))
    slab = SLAB_2D if len(axes) == 2 else SLAB_3D
    found = []
    for c in range(count):
        share = (c + 0.5) / count
        starts, sizes = [], []
        for along, tiles in zip(axes, grid, strict=True):
            k = along.alignment
            first, last = along.tile(tiles[0])[0], along.tile(tiles[-1])[0]
            edge = along.patch if is_global else min(along.padded, -(-slab // k) * k)
            middle = first + round(share * max(0, last + along.patch - edge - first))
            starts.append(min(middle, along.padded - edge) // k * k)
            sizes.append(edge)
        i = boundaries[int(share * len(boundaries))]
        found.append(_Place(axis, axes[axis], i, tuple(starts), tuple(sizes)))
    return found


Run = Callable[[int, int], NDArray[np.float64]]
"""Predicts from a start along the axis on, in a size; the axis comes first in what comes out."""


def _disagreement(place: _Place, run: Run) -> float | None:
    """Largest difference of two tiles' predictions beside their boundary."""
    (first, *_), (second, *_) = place.along.tile(place.i), place.along.tile(place.i + 1)
    edge = place.along.patch
    start = max(second, place.boundary - 1)
    stop = min(first + edge, place.boundary + 1, place.along.size)
    if start >= stop:
        return None
    one, other = run(first, edge), run(second, edge)
    apart = one[start - first : stop - first] - other[start - second : stop - second]
    return float(np.abs(apart).max())


def _height(
    plan: PredictionPlan,
    place: _Place,
    run: Run,
    reach: Sequence[int] | None,
    geometry: ModelGeometry,
) -> float | None:
    """Largest difference at a boundary, as `estimate_seam` describes it."""
    if reach is None:
        return _disagreement(place, run)
    kind, inset = "linear", place.along.overlap // 2
    if plan.blending != "crop":
        kind, inset = plan.blending, plan.insets[place.axis]
    windows = AxisWindows(place.along, inset, kind)
    return _error(place, run, windows, replace(geometry, reach=tuple(reach)))


def _error(place: _Place, run: Run, windows: AxisWindows, geometry: ModelGeometry) -> float:
    """Largest difference between two joined tiles and one that sees all around their boundary."""
    along, boundary = place.along, place.boundary
    strips = Strips(along, geometry, place.axis)
    assert geometry.reach is not None
    far = geometry.reach[place.axis]
    near = max(far, along.overlap // 2)
    most = (geometry.largest_tile[place.axis] or along.padded) // along.alignment * along.alignment
    start, size = strips.cut(0, along.padded, boundary - near, boundary + near)
    if size > most:
        start, size = place.around(most)
    *_, first_stitch = along.tile(place.i)
    *_, second_size, _ = along.tile(place.i + 1)
    # Within the two cores, and where the tile in the middle sees all that the network looks at.
    low = max(boundary - near, first_stitch, start + far if start else 0)
    high = min(boundary + near, boundary + second_size)
    if start + size < along.padded:
        high = min(high, start + size - far)
    low, high = min(low, boundary - 1), max(high, boundary + 1)
    whole = run(start, size)[low - start : high - start]
    joined, total = np.zeros_like(whole), np.zeros(high - low)
    for tile in (place.i, place.i + 1):
        coord, *_ = along.tile(tile)
        begin, end = windows.support(tile)
        begin, end = max(begin, low), min(end, high)
        weights = windows.weights(tile, begin, end)
        cut, edge = strips.cut(coord, coord + along.patch, begin, end)
        made = run(cut, edge)[begin - cut : end - cut]
        joined[begin - low : end - low] += weights.reshape(-1, *(1,) * (made.ndim - 1)) * made
        total[begin - low : end - low] += weights
    joined /= total.reshape(-1, *(1,) * (joined.ndim - 1))
    return float(np.abs(joined - whole).max())
