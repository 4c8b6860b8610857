"""A batch of tiles through the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching import TileSpecs
from napari_tessera.prediction.constant_tiles import ConstantTiles
from napari_tessera.prediction.cores import model_threads
from napari_tessera.prediction.out_of_memory import Notices, WithinMemory
from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.prediction.tile_io import Tile, crop
from napari_tessera.prediction.transfer.choice import transfer_for
from napari_tessera.prediction.turns import TURNS, Turn, reduction

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction.transfer.plain import Transfer

Cut = Callable[[TileSpecs, Any], Any]
"""Takes what is wanted out of a predicted tile."""

Begun = Callable[[], list[NDArray[Any]]]
"""Waits for what was begun."""


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
    notices : Notices, optional
        Is told where memory ran out and less is done at once.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        model: Model | ChannelModels,
        cancel: Event | None = None,
        notices: Notices | None = None,
    ) -> None:
        model = model.in_precision(plan.precision)
        if plan.precision != model.precision:
            raise PlanError(
                f"the plan is for {plan.precision}, the model is loaded for {model.precision}: "
                f"load it with precision={plan.precision!r}",
                "plan",
            )
        self._plan = plan
        self._model = model
        self._cancel = cancel or Event()
        self._within_memory = WithinMemory(plan, notices or Notices())
        self._threads: AbstractContextManager[None] | None = None
        self._constant = ConstantTiles()
        self._transfers: dict[torch.device, Transfer] = {}
        self._wide = _holds_more_than_float32(np.dtype(plan.output_dtype))

    @property
    def depth(self) -> int:
        """Batches that are best at the model at once: begun, and not yet waited for."""
        return 1 if self._plan.tta != "none" else self._transfer(self._model.device).depth

    def __enter__(self) -> Self:
        from napari_tessera.models.threads import own_threads

        threads = self._plan.settings.torch_threads
        self._threads = own_threads(model_threads(self._model) if threads is None else threads)
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
        """Predict tiles, and cut out their cores: `begin`, and wait for it."""
        return self.begin(tiles)()

    def whole(self, tiles: Sequence[Tile]) -> list[NDArray[Any]]:
        """Predict tiles as `__call__`, all of their pixels that lie in the image."""
        return self.begin_whole(tiles)()

    def begin(self, tiles: Sequence[Tile]) -> Begun:
        """Begin to predict tiles, and to cut out their cores.

        Parameters
        ----------
        tiles : sequence of Tile
            At most ``batch_size``; fewer are filled up, so that the model always sees one shape.

        Returns
        -------
        callable
            Waits for the core of each tile, ``C(Z)YX``, in grey levels: float32, or float64 where
            the output can hold more. To be called once, in the order in which they were begun.

        Raises
        ------
        ModelError
            If the model answers with another shape than it did for the plan.
        StoppedError
            If the run was cancelled before all flips and turns were predicted.
        """
        return self._begin(tiles, crop)

    def begin_whole(self, tiles: Sequence[Tile]) -> Begun:
        """Begin to predict tiles as `begin`, all of their pixels that lie in the image."""
        spatial = self._plan.layout.view_shape[2:]

        def inside(specs: TileSpecs, predicted: Any) -> Any:
            sizes = [size - start for size, start in zip(spatial, specs["coords"], strict=True)]
            return predicted[(slice(None), *(slice(size) for size in sizes))]

        return self._begin(tiles, inside)

    def _begin(self, tiles: Sequence[Tile], cut: Cut) -> Begun:
        """Begin to predict, those of each channel's model together; the order is kept."""
        import torch

        def run(model: Model, tiles: Sequence[Tile]) -> Begun:
            return self._batch(model, tiles, cut)

        models = [self._model.for_channel(tile.channel or 0) for tile in tiles]
        begun: list[tuple[Begun, list[int]]] = []
        # no_grad and not inference_mode: a function may want gradients inside.
        with torch.no_grad():
            for model in dict.fromkeys(models):
                own = [i for i, of_tile in enumerate(models) if of_tile is model]
                predicted = self._within_memory.run(model, [tiles[i] for i in own], run)
                begun.append((predicted, own))

        def wait() -> list[NDArray[Any]]:
            found = {i: made for here, own in begun for i, made in zip(own, here(), strict=True)}
            return [found[i] for i in range(len(tiles))]

        return wait

    def _batch(self, model: Model, tiles: Sequence[Tile], cut: Cut) -> Begun:
        """Begin a batch of tiles that one model predicts."""
        transfer = self._transfer(model.device)

        def given(some: Sequence[Tile]) -> Tensor:
            return self._given(transfer, some)

        if self._plan.tta != "none":
            turned = self._turned(model, tiles, given, cut)
            return lambda: turned
        shape = tiles[0].pixels.shape[1:]
        out = self._constant.answers(
            model, tiles, shape, lambda some: self._run(model, given(some))
        )
        cores = [
            tile.processing.answered(cut(tile.specs, predicted))
            for tile, predicted in zip(tiles, out, strict=True)
        ]
        if not self._wide:
            numbers = [tile.processing for tile in tiles]
            return transfer.down(list(zip(cores, numbers, strict=True))).arrays
        wide = [
            self._shifted(tile, tile.processing.multiplied(core.cpu().numpy()))
            for tile, core in zip(tiles, cores, strict=True)
        ]
        return lambda: wide

    def _turned(
        self,
        model: Model,
        tiles: Sequence[Tile],
        given: Callable[[Sequence[Tile]], Tensor],
        cut: Cut,
    ) -> list[NDArray[Any]]:
        """What is made of the predictions of all flips and turns."""
        # the same tiles are brought to the model once for all turns
        brought: dict[tuple[int, ...], Tensor] = {}

        def turned(turn: Turn, some: Sequence[Tile]) -> Tensor:
            which = tuple(tile.index for tile in some)
            if which not in brought:
                brought.clear()
                brought[which] = given(some)
            return self._run(model, turn.apply(brought[which]))

        reductions = [reduction(self._plan.tta) for _ in tiles]
        for turn in TURNS:
            if turn is not TURNS[0] and self._cancel.is_set():
                raise StoppedError
            shape = turn.shape(tiles[0].pixels.shape[1:])
            out = self._constant.answers(model, tiles, shape, partial(turned, turn))
            for reduced, tile, predicted in zip(reductions, tiles, out, strict=True):
                reduced.add(tile.processing.finished(cut(tile.specs, turn.undo(predicted))))
        return [
            self._shifted(tile, reduced.result)
            for tile, reduced in zip(tiles, reductions, strict=True)
        ]

    def _given(self, transfer: Transfer, tiles: Sequence[Tile]) -> Tensor:
        """What the model is given of tiles, filled up to a batch."""
        import torch

        missing = self._plan.settings.batch_size - len(tiles)
        filled = [*tiles, *[tiles[-1]] * missing]
        pixels = transfer.up(filled)
        if any(tile.processing.before for tile in tiles):
            pixels = torch.stack(
                [
                    tile.processing.prepared(tile_pixels)
                    for tile, tile_pixels in zip(filled, pixels, strict=True)
                ]
            )
        return pixels

    def _run(self, model: Model, batch: Tensor) -> Tensor:
        out = self._within_memory(model, batch)
        self._check(model, tuple(out.shape), tuple(batch.shape))
        return out

    def _transfer(self, device: torch.device) -> Transfer:
        found = self._transfers.get(device)
        if found is None:
            found = self._transfers[device] = transfer_for(device)
        return found

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
        if self._plan.tta != "disagreement":
            made = tile.processing.shifted(made)
        return np.ascontiguousarray(made, np.float64 if self._wide else np.float32)


def _holds_more_than_float32(output: np.dtype[Any]) -> bool:
    return output.itemsize > 2 and output != np.float32
