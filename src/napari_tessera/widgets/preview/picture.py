"""What a preview's layer shows: tiles of the cache, put together where it is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.widgets.disk_view import display_axes
from napari_tessera.widgets.fields.layer_facts import pixels_of
from napari_tessera.widgets.lazy_array import Bounds, KeptArray, LazyArray
from napari_tessera.widgets.live_levels import level_steps, wants_levels
from napari_tessera.widgets.preview.tile_cache import TileCache
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing import ImageRegionData

if TYPE_CHECKING:
    from napari.layers import Image

_WITH_ALPHA = 4

_PLANE = 2


@dataclass(frozen=True)
class Shown:
    """Which tiles are shown.

    Parameters
    ----------
    plan : PredictionPlan
        Of everything of the image: its grid.
    name : str
        Set of the cache that has its tiles.
    """

    plan: PredictionPlan
    name: str


class Picture:
    """Arrays of the shape of a whole output, computed from the tiles that are in the cache.

    What is not there is NaN; in colours it is transparent.

    Parameters
    ----------
    cache : TileCache
        Has the tiles.
    shown : Shown
        Which of them; may be replaced by others of the same output shape at any time.
    letters : str
        Letters of the input layer's dimensions.
    colours : Colours, optional
        How rgb is made, for an output shown in colours.
    """

    def __init__(
        self, cache: TileCache, shown: Shown, letters: str, colours: Colours | None = None
    ) -> None:
        self.cache = cache
        self.shown = shown
        self.colours = colours
        plan = shown.plan
        self.order = display_axes(plan, letters, colours is not None)
        """Letters of the axes of the arrays."""
        self.sizes = dict(zip(plan.layout.output_axes, plan.layout.output_shape, strict=True))
        axes, shape = "".join(self.sizes), tuple(self.sizes.values())
        self.by_levels = wants_levels(axes, shape)
        """Whether there are several arrays, with fewer and fewer pixels of each plane."""
        steps = [(1,) * len(axes), *(level_steps(axes, shape) if self.by_levels else ())]
        self._levels: list[LazyArray] = [
            Level(self, dict(zip(axes, of_level, strict=True))) for of_level in steps
        ]
        self._frozen: dict[int, ImageRegionData] | None = None
        self._kept: KeptArray | None = None
        if self.by_levels and len(self.axes) == 2:
            # napari reads the smallest level of a plane only once.
            self._levels[-1] = self._kept = KeptArray(self._levels[-1])

    @property
    def plan(self) -> PredictionPlan:
        """The plan whose tiles are shown."""
        return self.shown.plan

    @property
    def held(self) -> Region:
        """The part of the output that the arrays have: all of it."""
        return Region.from_selection("".join(self.sizes), tuple(self.sizes.values()))

    @property
    def axes(self) -> str:
        """Letters of the layer's dimensions: colours are none."""
        return self.order[:-1] if self.colours is not None else self.order

    def data(self) -> Any:
        """What the layer shows: an array, or several in a list."""
        return list(self._levels) if self.by_levels else self._levels[0]

    def is_shown_by(self, layer: Image) -> bool:
        """Whether a layer still has the data that it was given."""
        return pixels_of(layer) is self._levels[0]

    def tiles(self) -> Mapping[int, ImageRegionData]:
        """The tiles that there are, by their number in the grid."""
        if self._frozen is not None:
            return self._frozen
        return self.cache.tiles(self.shown.name)

    def freeze(self) -> None:
        """Stay as it is now, whatever the cache lets go of: the tiles become its own."""
        tiles = self.tiles()
        # Their input, which readings are taken of, is not shown.
        self._frozen = {i: tile._replace(additional_metadata={}) for i, tile in tiles.items()}

    def renew(self) -> None:
        """Bring what napari does not read again up to date."""
        if self._kept is not None:
            self._kept.renew()

    def fits(self, plan: PredictionPlan) -> bool:
        """Whether the tiles of a plan can be shown in the same arrays."""
        ours, theirs = self.shown.plan.layout, plan.layout
        return (ours.output_axes, ours.output_shape) == (theirs.output_axes, theirs.output_shape)


class Level(LazyArray):
    """Every n-th pixel of a picture along some axes.

    Picked and not averaged: each tile shows at once, whatever is known of its neighbours.

    Parameters
    ----------
    picture : Picture
        The picture.
    steps : mapping
        Of every how many pixels one is picked, by axis letter of the output.
    """

    def __init__(self, picture: Picture, steps: Mapping[str, int]) -> None:
        shape = [-(-picture.sizes[letter] // steps[letter]) for letter in picture.order]
        dtype: type[np.generic] = np.float32
        if picture.colours is not None:
            shape[-1], dtype = _WITH_ALPHA, np.uint8
        super().__init__(shape, dtype)
        self._picture = picture
        self._steps = steps

    def __getitem__(self, index: Any) -> Any:
        """As an array, but for slices of a stack along all axes: these are looked at later.

        Of levels napari first cuts what the canvas shows, of all planes, and then takes one.
        """
        given = index if isinstance(index, tuple) else (index,)
        if len(given) == self.ndim > _PLANE and all(_is_part(part) for part in given):
            bounds = [part.indices(size)[:2] for part, size in zip(given, self.shape, strict=True)]
            return _Part(self, [(start, max(start, stop)) for start, stop in bounds])
        return super().__getitem__(index)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        picture = self._picture
        parts = dict(zip(picture.order, bounds, strict=True))
        colours = picture.colours
        if colours is None:
            return self._grey_levels(parts)
        first, last = parts["C"]
        parts["C"] = (0, 3)
        made = self._grey_levels(parts)
        pixels = np.empty((*made.shape[:-1], _WITH_ALPHA), np.uint8)
        pixels[..., :3] = colours.to_uint8(made)
        there = np.isfinite(made).all(axis=-1)
        alpha: Any = np.uint8(255)
        if colours.n == _WITH_ALPHA and there.any():
            alpha = colours.alpha(
                tuple(
                    slice(a * step, (b - 1) * step + 1, step)
                    for (a, b), step in ((parts[x], self._steps[x]) for x in picture.axes)
                )
            )
        pixels[..., 3] = np.where(there, alpha, 0)
        return pixels[..., first:last]

    def _grey_levels(self, parts: Mapping[str, tuple[int, int]]) -> NDArray[np.float32]:
        """Float32 pixels, in the order of the picture's axes."""
        picture = self._picture
        shown = picture.shown
        grid = _Grid(shown.plan.layout, shown.plan.patching, parts, self._steps)
        pixels = np.full(grid.shape, np.nan, np.float32)
        for place, region, within in grid.cores(picture.tiles()):
            pixels[place] = region.data[within]
        # Channels that are no axis of their own have been read as samples, or are none at all.
        letters = grid.letters
        gone = tuple(i for i, letter in enumerate(letters) if letter not in picture.order)
        left = [letter for letter in letters if letter in picture.order]
        return pixels.squeeze(gone).transpose([left.index(letter) for letter in picture.order])


class _Part(LazyArray):
    """A block of a lazy array, of which nothing is computed before it is looked at."""

    def __init__(self, source: LazyArray, block: Sequence[tuple[int, int]]) -> None:
        super().__init__([stop - start for start, stop in block], source.dtype)
        self._source = source
        self._block = block

    @property
    def reads(self) -> tuple[Any, ...]:
        return (self._source,)

    def _compute(self, bounds: Bounds) -> NDArray[Any]:
        there = zip(bounds, self._block, strict=True)
        return self._source._compute(tuple((a + at, b + at) for (a, b), (at, _) in there))


def _is_part(index: object) -> bool:
    return isinstance(index, slice) and index.step in (None, 1)


class _Grid:
    """Tiles of a plan's grid that meet a block of its output, and where they lie in it.

    Parameters
    ----------
    layout, patching : Layout, TiledPatching
        The image and the grid over it.
    parts : mapping
        Start and stop along the axes of the output, in pixels of a level. Axes that are left out
        have length 1.
    steps : mapping
        Of every how many pixels along each axis the level has one.
    """

    def __init__(
        self,
        layout: Layout,
        patching: TiledPatching,
        parts: Mapping[str, tuple[int, int]],
        steps: Mapping[str, int],
    ) -> None:
        samples = list(layout.sample_sizes)
        self._counts = (*layout.sample_sizes.values(), *patching.grid_shape(0))
        self._samples = []
        for letter in samples:
            (start, stop), step = parts.get(letter, (0, 1)), steps.get(letter, 1)
            self._samples.append(range(start * step, stop * step, step))
        channels = (0, 1) if "C" in samples else parts.get("C", (0, 1))
        self.letters = [*samples, "c" if "C" in samples else "C", *layout.spatial_axes]
        """Letters of the axes of the block."""
        self._channels = slice(*channels)
        self._along = []
        sizes = []
        for letter, axis in zip(layout.spatial_axes, patching.axes(0), strict=True):
            (start, stop), step = parts.get(letter, (0, 1)), steps.get(letter, 1)
            sizes.append(max(0, stop - start))
            along: dict[int, tuple[slice, slice]] = {}
            if stop > start:
                for i in axis.meeting(start * step, (stop - 1) * step + 1):
                    *_, size, begin = axis.tile(i)
                    first = max(start, -(-begin // step))
                    last = min(stop, -(-(begin + size) // step))
                    if first < last:
                        along[i] = (
                            slice(first - start, last - start),
                            slice(first * step - begin, (last - 1) * step - begin + 1, step),
                        )
            self._along.append(along)
        counts = [len(chosen) for chosen in self._samples]
        self.shape = (*counts, channels[1] - channels[0], *sizes)
        """Shape of the block."""
        self._n_tiles = prod((*counts, *map(len, self._along)))

    def cores(
        self, tiles: Mapping[int, ImageRegionData]
    ) -> Iterator[tuple[tuple[Any, ...], ImageRegionData, tuple[slice, ...]]]:
        """Give where in the block, the tile, and which part of its core, of the tiles there are."""
        if not tiles:
            return
        places = self._all() if self._n_tiles <= len(tiles) else self._found(tiles)
        n = len(self._samples)
        for number, at in places:
            region = tiles.get(number)
            if region is None:
                continue
            sample = (chosen.index(i) for i, chosen in zip(at, self._samples, strict=False))
            along = [met[i] for met, i in zip(self._along, at[n:], strict=True)]
            yield (
                (*sample, slice(None), *(here for here, _ in along)),
                region,
                (self._channels, *(there for _, there in along)),
            )

    def _all(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Numbers and positions (along samples, then the grid) of all tiles that meet the block."""
        for at in product(*self._samples, *self._along):
            number = 0
            for i, count in zip(at, self._counts, strict=True):
                number = number * count + i
            yield number, at

    def _found(self, tiles: Iterable[int]) -> Iterator[tuple[int, Sequence[int]]]:
        """The same, out of some tiles: zoomed out, a block has many times more than there are."""
        numbers = np.fromiter(tiles, np.int64)
        places = np.array(np.unravel_index(numbers, self._counts)).reshape(-1, numbers.size)
        inside = np.ones(numbers.size, np.bool_)
        for at, wanted in zip(places, (*self._samples, *self._along), strict=True):
            inside &= np.isin(at, list(wanted))
        yield from zip(numbers[inside].tolist(), places[:, inside].T.tolist(), strict=True)
