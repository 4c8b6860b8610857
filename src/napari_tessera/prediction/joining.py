"""From predicted tiles to the cores that are handed on: cut out of one tile each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import Origin, Tile, to_region
from napari_tessera.writing import ImageRegionData


@dataclass(frozen=True)
class Predicted:
    """A core on its way to the writers.

    Parameters
    ----------
    index : int
        Number of the tile, of the plan's area, that it is the core of.
    region : ImageRegionData
        The core.
    nonfinite : int
        Number of pixels of the core's input that are NaN or infinite.
    known : bool
        Whether it was known before, so that nothing was read or predicted for it.
    """

    index: int
    region: ImageRegionData
    nonfinite: int
    known: bool = False


@dataclass(frozen=True)
class Job:
    """Some cores and what has to be predicted for them.

    Parameters
    ----------
    cores : tuple of int
        Numbers of the tiles (of the plan's area) whose cores are wanted.
    missing : tuple of (int, TileSpecs)
        Tiles to predict first, by the numbers that `Joining` knows them by.
    """

    cores: tuple[int, ...]
    missing: tuple[tuple[int, TileSpecs], ...]


class Joining(Protocol):
    """Decides which tiles a core is made of, and makes it. Used in one thread."""

    whole: bool
    """Whether all of each predicted tile is needed, and not its core."""

    def prepare(self, indices: Sequence[int]) -> Job:
        """Say what has to be predicted for some cores. Jobs are finished in the same order."""
        ...

    def take(self, tile: Tile, predicted: NDArray[Any]) -> None:
        """Keep a prediction that a job misses."""
        ...

    def finish(self, job: Job) -> list[Predicted]:
        """Make a job's cores, once all that it misses was taken."""
        ...

    def undo(self) -> None:
        """Forget all jobs that are not finished, as if they had never been prepared.

        Predictions that were taken for them may be kept for others.
        """
        ...


class Cropping:
    """Each core comes out of its own tile.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    origin : Origin
        The image.
    """

    whole = False

    def __init__(self, plan: PredictionPlan, origin: Origin) -> None:
        self._plan = plan
        self._origin = origin
        self._taken: list[tuple[Tile, NDArray[Any]]] = []

    def prepare(self, indices: Sequence[int]) -> Job:
        """Miss just the tiles themselves."""
        missing = tuple((index, self._plan.tiles.spec(index)) for index in indices)
        return Job(tuple(indices), missing)

    def take(self, tile: Tile, predicted: NDArray[Any]) -> None:
        """Keep a core."""
        self._taken.append((tile, predicted))

    def finish(self, job: Job) -> list[Predicted]:
        """Label the cores."""
        taken, self._taken = self._taken, []
        return [
            Predicted(tile.index, to_region(self._plan, self._origin, tile, core), tile.nonfinite)
            for tile, core in taken
        ]

    def undo(self) -> None:
        """Drop what was taken."""
        self._taken.clear()
