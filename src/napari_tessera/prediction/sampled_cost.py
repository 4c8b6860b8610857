"""What a run takes, by a few of its own tiles: read, predicted and packed, but stored nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.cores import model_threads
from napari_tessera.prediction.pipeline import Progress, run_prediction
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks import ImageStack
from napari_tessera.writing import ImageRegionData
from napari_tessera.writing.convert import to_dtype
from napari_tessera.writing.files.packed_size import PackedSize

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

SECONDS = 5.0
"""How long tiles are predicted, after the first ones."""

MOST_BATCHES = 32
"""Batches that are measured at most: more of them tell nothing new."""

PLACES = 8
"""Places of the image that tiles are taken from, a batch or more of neighbours at each."""

_STRETCH = 65536
"""Tiles that are looked at together for one that is not skipped."""


@dataclass(frozen=True)
class SampledCost:
    """What tiles took.

    Parameters
    ----------
    tiles : int
        Tiles that were measured; the first ones, which start threads and compile, not counted.
    seconds : float
        What these took.
    pixel_bytes, packed_bytes : int
        Their pixels, in the data type that is written, before and after packing.
    devices : tuple of str
        What they were predicted on.
    threads : int or None
        Threads of the model on a CPU; None elsewhere.
    """

    tiles: int
    seconds: float
    pixel_bytes: int
    packed_bytes: int
    devices: tuple[str, ...]
    threads: int | None

    @property
    def seconds_per_tile(self) -> float:
        """Mean time of a tile."""
        return self.seconds / self.tiles

    @property
    def stored_share(self) -> float:
        """Bytes on disk for each byte of pixels."""
        return self.packed_bytes / self.pixel_bytes if self.pixel_bytes else 1.0

    def __add__(self, other: SampledCost) -> SampledCost:
        """Both together."""
        return replace(
            self,
            tiles=self.tiles + other.tiles,
            seconds=self.seconds + other.seconds,
            pixel_bytes=self.pixel_bytes + other.pixel_bytes,
            packed_bytes=self.packed_bytes + other.packed_bytes,
        )


class _Packing:
    """A writer that packs what comes, and counts bytes instead of storing them."""

    def __init__(self, dtype: np.dtype[Any], size: PackedSize) -> None:
        self._dtype = dtype
        self._size = size

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        for region in predictions:
            self._size.add(to_dtype(region.data, self._dtype)[0])


def sample_cost(
    plan: PredictionPlan,
    stack: ImageStack,
    model: Model | ChannelModels,
    packed: Callable[[], PackedSize],
    *,
    seconds: float = SECONDS,
    cancel: Event | None = None,
) -> SampledCost:
    """Predict some tiles of a plan, spread over the image, and pack them; nothing is stored.

    Reading, model and packing overlap as in a run. A first batch warms all up. Of tiles that are
    blended the windows are left out: each is predicted once in a run, which is what takes time.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    stack : ImageStack
        Its image.
    model : Model or ChannelModels
        Its model.
    packed : callable
        Gives what packs the pixels and counts their bytes.
    seconds : float
        How long to go on, about; one batch is measured in any case.
    cancel : threading.Event, optional
        Set it to stop; what was measured by then counts.

    Returns
    -------
    SampledCost

    Raises
    ------
    Exception
        Whatever reading or the model raises, as it is.
    """
    plan = replace(plan, blending="crop", insets=())
    batch = plan.settings.batch_size
    stop = cancel or Event()

    def run(numbers: Sequence[int]) -> SampledCost:
        size = packed()
        packing = _Packing(np.dtype(plan.output_dtype), size)
        last: list[Progress] = []
        schedule = Schedule(plan.tiles, order=numbers, rest=False)
        result = run_prediction(
            plan,
            stack,
            model,
            writers=[(packing, Path())],
            schedule=schedule,
            cancel=stop,
            progress=last.append,
        )
        size.finish()
        state = last[-1]
        tiles, took = state.measured_tiles, state.measured_seconds
        if not tiles or not took:
            # one batch: there is no time without starting threads
            tiles, took = max(1, result.n_done), result.seconds
        devices = tuple(str(replica.device) for replica in model.replicas)
        threads = _threads(plan, model) if devices == ("cpu",) else None
        return SampledCost(tiles, took, size.pixel_bytes, size.packed_bytes, devices, threads)

    run(spread_tiles(plan.tiles, batch, 1))
    first = run(spread_tiles(plan.tiles, batch, 1))
    batches = int(min(MOST_BATCHES, seconds / max(first.seconds_per_tile * batch, 1e-6)))
    if batches < 2 or stop.is_set():
        return first
    # one more, as the first one of a run is not counted
    numbers = spread_tiles(plan.tiles, batch * (batches + 1), min(PLACES, batches + 1))
    return run(numbers) if len(numbers) > batch else first


def spread_tiles(tiles: TileArea, n: int, places: int) -> list[int]:
    """Numbers of tiles that are predicted: runs of neighbours, evenly spread over all.

    Parameters
    ----------
    tiles : TileArea
        The tiles.
    n : int
        How many; fewer where there are not so many.
    places : int
        Number of runs.

    Returns
    -------
    list of int
        Ascending.
    """
    n = min(n, tiles.n_predicted)
    length = ceil(n / places)
    chosen: dict[int, None] = {}
    for place in range(places):
        # the middle of each of as many equal parts
        middle = min(tiles.n_tiles - 1, (2 * place + 1) * tiles.n_tiles // (2 * places))
        wanted = min(n, length * (place + 1))
        for number in _kept_from(middle, tiles):
            if len(chosen) >= wanted:
                break
            chosen[number] = None
    return sorted(chosen)


def _kept_from(start: int, tiles: TileArea) -> Iterator[int]:
    """Numbers of the tiles that are predicted, from one on, and then those before it."""
    skipped = tiles.skipped
    for first, last in ((start, tiles.n_tiles), (0, start)):
        if skipped is None:
            yield from range(first, last)
            continue
        for at in range(first, last, _STRETCH):
            kept = np.flatnonzero(~skipped[at : min(at + _STRETCH, last)])
            yield from (at + int(number) for number in kept)


def _threads(plan: PredictionPlan, model: Model | ChannelModels) -> int:
    import torch

    return plan.settings.torch_threads or model_threads(model) or torch.get_num_threads()
