"""A batch of tiles through the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.prediction.tile_io import Tile, crop
from napari_tessera.prediction.turns import TURNS, Turn, reduction

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


class StoppedError(Exception):
    """The run was cancelled while tiles were at the model: there is no prediction of them."""


class TileModel:
    """Runs the model on tiles, and what is done to grey levels before and after it.

    With test-time augmentation each tile is predicted in all of its flips and turns, one after
    another, and what comes out is turned back before it is reduced.

    A context manager to be used in one thread: torch's number of threads binds to the thread
    that runs the model, changes for no other one, and is put back at the end.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    model : Model or ChannelModels
        The model.
    cancel : threading.Event, optional
        Looked at between the flips and turns of a tile: once set, no further one is predicted.
    """

    def __init__(
        self, plan: PredictionPlan, model: Model | ChannelModels, cancel: Event | None = None
    ) -> None:
        if plan.precision != model.precision:
            raise PlanError(
                f"the plan is for {plan.precision}, the model is loaded for {model.precision}: "
                f"load it with precision={plan.precision!r}",
                "plan",
            )
        self._plan = plan
        self._model = model
        self._cancel = cancel or Event()
        self._threads: AbstractContextManager[None] | None = None

    def __enter__(self) -> Self:
        from napari_tessera.models.threads import own_threads

        self._threads = own_threads(self._plan.settings.torch_threads)
        self._threads.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._threads is not None:
            self._threads.__exit__(kind, error, traceback)

    def __call__(self, tiles: Sequence[Tile]) -> list[NDArray[Any]]:
        """Predict tiles, and cut out their cores.

        Parameters
        ----------
        tiles : sequence of Tile
            At most ``batch_size``; fewer are filled up, so that the model always sees one shape.

        Returns
        -------
        list of numpy.ndarray
            Core of each tile, ``C(Z)YX``, in grey levels: float32, or float64 where the output
            can hold more.

        Raises
        ------
        ModelError
            If the model answers with another shape than it did for the plan.
        StoppedError
            If the run was cancelled before all flips and turns were predicted.
        """
        return self._predict(tiles, crop)

    def whole(self, tiles: Sequence[Tile]) -> list[NDArray[Any]]:
        """Predict tiles as `__call__`, all of their pixels that lie in the image."""
        spatial = self._plan.layout.view_shape[2:]

        def inside(specs: TileSpecs, predicted: Any) -> Any:
            sizes = [size - start for size, start in zip(spatial, specs["coords"], strict=True)]
            return predicted[(slice(None), *(slice(size) for size in sizes))]

        return self._predict(tiles, inside)

    def _predict(
        self, tiles: Sequence[Tile], cut: Callable[[TileSpecs, Any], Any]
    ) -> list[NDArray[Any]]:
        """Predict, those of each channel's model together, and keep the order."""
        import torch

        found: dict[int, NDArray[Any]] = {}
        models = {tile.index: self._model.for_channel(tile.channel or 0) for tile in tiles}
        # no_grad and not inference_mode: a function may want gradients inside.
        with torch.no_grad():
            for model in dict.fromkeys(models.values()):
                own = [tile for tile in tiles if models[tile.index] is model]
                for tile, made in zip(own, self._batch(model, own, cut), strict=True):
                    found[tile.index] = self._shifted(tile, made)
        return [found[tile.index] for tile in tiles]

    def _batch(
        self, model: Model, tiles: Sequence[Tile], cut: Callable[[TileSpecs, Any], Any]
    ) -> list[NDArray[np.float64]]:
        """Predictions but for what is added last of all."""
        import torch

        missing = self._plan.settings.batch_size - len(tiles)
        filled = [*tiles, *[tiles[-1]] * missing]
        pixels = torch.from_numpy(np.stack([tile.pixels for tile in filled])).to(model.device)
        if any(tile.processing.before for tile in tiles):
            pixels = torch.stack(
                [
                    tile.processing.prepared(tile_pixels)
                    for tile, tile_pixels in zip(filled, pixels, strict=True)
                ]
            )

        def run(turn: Turn) -> list[NDArray[np.float64]]:
            turned = turn.apply(pixels)
            out = model(turned)
            self._check(model, tuple(out.shape), tuple(turned.shape))
            out = turn.undo(out)
            return [
                tile.processing.finished(cut(tile.specs, predicted))
                for tile, predicted in zip(tiles, out, strict=False)
            ]

        if self._plan.tta == "none":
            return run(TURNS[0])
        reductions = [reduction(self._plan.tta) for _ in tiles]
        for turn in TURNS:
            if turn is not TURNS[0] and self._cancel.is_set():
                raise StoppedError
            for reduced, prediction in zip(reductions, run(turn), strict=True):
                reduced.add(prediction)
        return [reduced.result for reduced in reductions]

    def _check(self, model: Model, made: tuple[int, ...], given: tuple[int, ...]) -> None:
        """Raise unless the model answers as it did when it was planned with."""
        from napari_tessera.models import ModelError

        channels = self._plan.output_channels
        if self._plan.layout.fold.endswith("C") or channels is None:
            channels = 1
        expected = (given[0], channels, *given[2:])
        if made != expected:
            raise ModelError(
                f"the model {model.name} made {made} of a tile batch {given}, {expected} was "
                "expected: a model must answer alike for every tile"
            )

    def _shifted(self, tile: Tile, made: NDArray[np.float64]) -> NDArray[Any]:
        """Add what comes last, in float64 where the output can hold more than float32 can."""
        output = np.dtype(self._plan.output_dtype)
        wide = np.float64 if output.itemsize > 2 and output != np.float32 else np.float32
        if self._plan.tta != "disagreement":
            made = tile.processing.shifted(made)
        return np.ascontiguousarray(made, wide)
