"""The tile size that does the least work in the memory there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import inf, prod
from typing import TYPE_CHECKING

from napari_tessera.models.sizes import ValidSizes
from napari_tessera.prediction.auto_batch import bytes_per_pixel, free_for, memory_room

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model, ModelGeometry

LIVE_2D, LIVE_2D_ACCELERATED = 512, 1024
"""Largest tile edges, in pixels: a tile is there before one wonders what it is doing."""

LIVE_3D = {"Z": 64, "Y": 256, "X": 256}

SWIFT_TENSOR = 2**25 - 2**18
"""Bytes of a tensor up to which a CPU's memory is used again for the next one. From 32 MiB on the C
library of Linux asks the system for each anew, which fills it with zeros page by page."""

SLOWER = 12
"""A tile whose largest tensor is larger costs one part in so many more: 8 % of a U-Net of which no
other is. From one and a half times that on most are, and it costs three: 45 % of 64 channels all
through."""

SIZES_TRIED = 16
"""Tile sizes compared along each axis."""


class TileLimits:
    """How large tiles may be for a model, where it runs.

    Parameters
    ----------
    model : Model or ChannelModels
        The model.
    letters : str
        Spatial axes, ``"YX"`` or ``"ZYX"``.
    batch_size : int
        Tiles that go through the model at once.
    """

    def __init__(self, model: Model | ChannelModels, letters: str, batch_size: int) -> None:
        self._model = model
        self._batch_size = max(1, batch_size)
        self.edges = live_edges(letters, model.device.type)

    @cached_property
    def pixels(self) -> int:
        """Most pixels of a tile; measures the model's memory."""
        room = memory_room(free_for(self._model), self._model.device.type)
        return max(1, int(room / (self._batch_size * bytes_per_pixel(self._model))))

    @cached_property
    def swift_pixels(self) -> float:
        """Pixels of a tile up to which it costs no more than its work; measures as `pixels`."""
        largest = self._batch_size * self._model.largest_per_pixel
        if self._model.device.type != "cpu" or not largest:
            return inf
        return SWIFT_TENSOR / largest


def live_edges(letters: str, device_type: str) -> tuple[int, ...]:
    """Largest tile edges, in pixels, on a type of device."""
    if len(letters) == 2:
        return (LIVE_2D if device_type == "cpu" else LIVE_2D_ACCELERATED,) * 2
    return tuple(LIVE_3D[letter] for letter in letters)


def automatic_tile(
    spatial: Sequence[int],
    overlaps: Sequence[int],
    geometry: ModelGeometry,
    edges: Sequence[int],
    pixels: int,
    swift_pixels: float = inf,
) -> tuple[int, ...]:
    """Choose the tile with which the model has the fewest pixels to go through, all tiles together.

    Along each axis tiles are made as small as their number allows (600 px in two tiles: no larger
    than half of them and the overlap). Counted is what the network sees: a size that it does not
    take is padded to one that it takes. Of equals the one without such padding, then with the
    fewest tiles. A network for one size gets that. Where the overlap takes half of the largest edge
    or more, tiles are up to twice the overlap.

    Parameters
    ----------
    spatial, overlaps : sequence of int
        Size of the image and total overlap of neighbouring tiles along (Z)YX, in pixels.
    geometry : ModelGeometry
        Period and valid sizes of the model.
    edges : sequence of int
        Largest edge along (Z)YX so that the run stays live, in pixels.
    pixels : int
        Most pixels of a tile. Where even the smallest has more, it is taken all the same.
    swift_pixels : float
        Tiles of more pixels count as more work: see `SLOWER`.

    Returns
    -------
    tuple of int
        Tile size along (Z)YX, multiples of the period.
    """
    axes = [_Axis(spatial[i], overlaps[i], edges[i], geometry, i) for i in range(len(spatial))]

    def rank(tile: tuple[_Size, ...]) -> tuple[int, ...]:
        seen = prod(size.seen for size in tile)
        slower = 3 if seen >= 1.5 * swift_pixels else int(seen > swift_pixels)
        return (
            seen if seen > pixels else 0,
            prod(size.seen * size.tiles for size in tile) * (SLOWER + slower),
            sum(size.seen - size.edge for size in tile),
            prod(size.tiles for size in tile),
            *(-size.edge for size in tile),
        )

    return tuple(size.edge for size in min(product(*(axis.sizes() for axis in axes)), key=rank))


@dataclass(frozen=True)
class _Size:
    """A tile size along one axis, what the network sees of it, and how many tiles there are."""

    edge: int
    seen: int
    tiles: int


class _Axis:
    """Sizes that a tile may have along one axis."""

    def __init__(
        self, size: int, overlap: int, live: int, geometry: ModelGeometry, axis: int
    ) -> None:
        valid, k = geometry.sizes, geometry.period[axis]
        self._k = k
        self._overlap = overlap
        self._padded = _up(size, k)
        self._lost = max(geometry.offset[axis], 0) + max(geometry.far_offset[axis], 0)
        self._valid = ValidSizes(
            (valid.minimum[axis],), (valid.step[axis],), (valid.maximum[axis],)
        )
        most = geometry.largest_tile[axis]
        edge = max(live, 2 * overlap) if most is None else min(max(live, 2 * overlap), most)
        if valid.step[axis] == 0 and most is not None:
            edge = most
        self._edge = max(edge // k * k, overlap + k)

    def sizes(self) -> list[_Size]:
        """Sizes worth comparing: none is both larger and more work than another."""
        found = {self._size(edge) for edge in self._edges()}
        return sorted(
            (
                one
                for one in found
                if not any(
                    other.seen <= one.seen and other.seen * other.tiles < one.seen * one.tiles
                    for other in found
                )
            ),
            key=lambda one: one.edge,
        )

    def _edges(self) -> Iterator[int]:
        least = self._overlap + self._k
        yield min(self._edge, self._padded)
        for i in range(SIZES_TRIED):
            wanted = max(round(self._edge / 2 ** (i / 4)), least)
            balanced = self._size(wanted)
            if balanced.tiles == 1:
                yield self._padded
                continue
            part = -(-(self._padded - self._overlap) // balanced.tiles)
            edge = self._overlap + _up(part, self._k)
            yield edge
            fitting = (self._seen(edge) - self._lost) // self._k * self._k
            if edge < fitting <= self._edge:
                yield min(fitting, self._padded)

    def _size(self, edge: int) -> _Size:
        if edge >= self._padded:
            return _Size(self._padded, self._seen(self._padded), 1)
        step = edge - self._overlap
        return _Size(edge, self._seen(edge), -(-(self._padded - self._overlap) // step))

    def _seen(self, edge: int) -> int:
        """What the network sees where the tile has a size."""
        seen = self._valid.rounded_up((edge + self._lost,))
        return edge + self._lost if seen is None else seen[0]


def _up(size: int, k: int) -> int:
    return -(-size // k) * k
