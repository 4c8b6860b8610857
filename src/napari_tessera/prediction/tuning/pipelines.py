"""How fast whole runs are, and each of their stages by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_tessera.prediction.api import predict
from napari_tessera.prediction.expected_reads import expected_reads
from napari_tessera.prediction.pipeline import Progress, iter_predictions, run_prediction
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.to_disk import predict_to_disk
from napari_tessera.prediction.tuning.stopping import Listener
from napari_tessera.prediction.tuning.timing import in_turn
from napari_tessera.stacks import ArrayStack, open_stack
from napari_tessera.stacks.read_once import read_once
from napari_tessera.writing import ImageRegionData, WriteTilesZarr

if TYPE_CHECKING:
    from napari_tessera.models import Model

READ, WRITE = "reading", "writing"
ARRAYS, ZARRS = "array to array", "Zarr to Zarr"

WORDS = {
    READ: "reading tiles",
    WRITE: "writing the result",
    ARRAYS: "whole runs, array to array",
    ZARRS: "whole runs, Zarr to Zarr",
}


class Runs:
    """Runs over one image, in memory and in a folder.

    Parameters
    ----------
    plan : PredictionPlan
        What is run.
    model : Model
        The model.
    image : numpy.ndarray
        The image, in the plan's axes.
    stored : Path
        The same as a Zarr array.
    folder : Path
        Where results are written; each is removed before the next.
    listener : Listener
        May stop a run.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        model: Model,
        image: NDArray[Any],
        stored: Path,
        folder: Path,
        listener: Listener,
    ) -> None:
        self._plan = plan
        self._model = model
        self._image = ArrayStack(image, plan.input_axes)
        self._stored = stored
        self._out = folder / "out.ome.zarr"
        self._listener = listener
        self._known: dict[int, ImageRegionData] = {}
        self.limited_by: str | None = None
        """What the last run from Zarr to Zarr waited for most: ``"read"``, ``"model"`` or
        ``"write"``; None where it was too short to tell."""

    def measure(self, seconds: float) -> Mapping[str, list[float]]:
        """Time reading, writing and both kinds of runs in turn.

        Parameters
        ----------
        seconds : float
            How long it may take, about; each is run once at least.

        Returns
        -------
        mapping of str to list of float
            Times in seconds by what was done.
        """
        ways: dict[str, Callable[[], object]] = {
            READ: self.read,
            WRITE: self.write,
            ARRAYS: self.arrays,
            ZARRS: self.zarrs,
        }
        began = time.perf_counter()
        self._keep_cores()
        first = {}
        for name, do in ways.items():
            self._listener.at((time.perf_counter() - began) / seconds, WORDS[name])
            since = time.perf_counter()
            do()
            first[name] = time.perf_counter() - since
        left = max(seconds - (time.perf_counter() - began), 0.0)
        listener = self._listener.part(1 - left / seconds, left / seconds)
        return in_turn(ways, first, left, listener, WORDS.__getitem__)

    def read(self) -> None:
        """Read all tiles as a run does: as many at once, and each chunk decoded once."""
        plan = self._plan
        stored = open_stack(self._stored, plan.input_axes)
        stack = read_once(stored, expected_reads(plan))

        def one(number: int) -> None:
            specs = plan.tiles.spec(number)
            sample, plane, channel = plan.layout.base_sample(specs["sample_idx"])
            channels = plan.input_channels if channel is None else (channel,)
            start, size = list(specs["coords"]), list(specs["patch_size"])
            if plane is not None:
                start, size = [plane, *start], [1, *size]
            stack.extract_patch(sample, channels, start, size)

        with ThreadPoolExecutor(plan.settings.reader_threads) as pool:
            for _ in pool.map(one, range(plan.tiles.n_tiles)):
                pass

    def write(self) -> None:
        """Write a result that is known: nothing is read or predicted."""
        self._remove()
        writers = [(WriteTilesZarr(self._out), Path())]
        run_prediction(
            self._plan,
            self._image,
            self._model,
            writers=writers,
            cancel=self._listener.cancel,
            known=self._known,
        )

    def arrays(self) -> None:
        """A whole run, array to array."""
        predict(self._image, self._model, plan=self._plan, cancel=self._listener.cancel)

    def zarrs(self) -> None:
        """A whole run, Zarr to Zarr."""
        self._remove()

        def note(progress: Progress) -> None:
            self.limited_by = progress.bottleneck or self.limited_by

        predict_to_disk(
            open_stack(self._stored, self._plan.input_axes),
            self._model,
            self._out,
            plan=self._plan,
            cancel=self._listener.cancel,
            progress=note,
        )

    def _keep_cores(self) -> None:
        """Predict once what `write` writes; it warms the model up, too."""
        self._listener.at(0.0, WORDS[ARRAYS])
        cores = iter_predictions(self._plan, self._image, self._model, cancel=self._listener.cancel)
        self._known = {region.additional_metadata["tile_index"]: region for region in cores}
        self._listener.at(0.0, WORDS[ARRAYS])

    def _remove(self) -> None:
        shutil.rmtree(self._out, ignore_errors=True)
