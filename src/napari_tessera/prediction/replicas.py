"""Batches shared by the same model on several devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from numpy.typing import NDArray

from napari_tessera.prediction.inference import Begun, StoppedError, TileModel
from napari_tessera.prediction.out_of_memory import Notices
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import Tile

if TYPE_CHECKING:
    import torch

    from napari_tessera.models import ChannelModels, Model

Made = TypeVar("Made")

AHEAD = 2
"""Batches for each replica, the one at work counted, so that none waits for its next one."""


class Predicting(Protocol):
    """What predicts tiles: a model, or several replicas of one. A context manager."""

    @property
    def depth(self) -> int:
        """Batches that are best at the model at once: begun, and not yet waited for."""
        ...

    def begin(self, tiles: Sequence[Tile]) -> Begun:
        """Begin to predict tiles, and to cut out their cores."""
        ...

    def begin_whole(self, tiles: Sequence[Tile]) -> Begun:
        """Begin to predict all pixels of tiles that lie in the image."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def at_models(
    plan: PredictionPlan,
    replicas: Sequence[Model | ChannelModels],
    cancel: Event,
    notices: Notices | None = None,
) -> Predicting:
    """What predicts the tiles of a plan: in the thread that asks where there is one replica.

    Parameters
    ----------
    plan, cancel, notices
        As for `TileModel`.
    replicas : sequence of Model or ChannelModels
        The model, on each of its devices.

    Raises
    ------
    PlanError
        If the plan is for another precision than the model's.
    """
    if len(replicas) == 1:
        return TileModel(plan, replicas[0], cancel, notices)
    return Replicas(plan, replicas, cancel, notices)


@dataclass
class _Batch:
    """Tiles that wait for a replica, and what comes of them."""

    tiles: Sequence[Tile]
    whole: bool
    made: Future[list[NDArray[Any]]] = field(default_factory=Future)


class Replicas:
    """The same model on several devices, each in a thread of its own.

    Whichever has time takes the batch that was begun first: devices of different speed each do
    what they can. What a batch makes does not depend on where, to what "bit for bit" means.

    Parameters
    ----------
    plan, cancel, notices
        As for `TileModel`.
    replicas : sequence of Model or ChannelModels
        The model, on each of its devices.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        replicas: Sequence[Model | ChannelModels],
        cancel: Event,
        notices: Notices | None = None,
    ) -> None:
        self._models = [
            (TileModel(plan, replica, cancel, notices), replica.device) for replica in replicas
        ]
        self._cancel = cancel
        self._waiting: deque[_Batch] = deque()
        self._changed = Condition()
        self._closed = False
        self._error: BaseException | None = None
        self._threads: list[Thread] = []

    @property
    def depth(self) -> int:
        """Batches that are best begun, and not yet waited for."""
        return AHEAD * len(self._models)

    def __enter__(self) -> Self:
        try:
            for i, (tile_model, device) in enumerate(self._models):
                name = f"tessera-model-{i}"
                thread = Thread(
                    target=self._work, args=(tile_model, device), name=name, daemon=True
                )
                thread.start()
                self._threads.append(thread)
        except BaseException:
            # a container may grant no thread more, and those that began wait for batches
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Begin no further batch, and wait for those at work."""
        self._close()
        for thread in self._threads:
            thread.join()

    def begin(self, tiles: Sequence[Tile]) -> Begun:
        """Have tiles predicted, and their cores cut out, as `TileModel.begin`."""
        return self._begin(_Batch(tiles, whole=False))

    def begin_whole(self, tiles: Sequence[Tile]) -> Begun:
        """Have tiles predicted, all of their pixels that lie in the image."""
        return self._begin(_Batch(tiles, whole=True))

    def _begin(self, batch: _Batch) -> Begun:
        with self._changed:
            if self._closed:
                batch.made.set_exception(self._error or StoppedError())
            else:
                self._waiting.append(batch)
                self._changed.notify()
        return batch.made.result

    def _close(self, error: BaseException | None = None) -> None:
        """Begin no further batch; of those that no replica has, nothing comes any more."""
        with self._changed:
            self._closed = True
            self._error = self._error or error
            while self._waiting:
                self._waiting.popleft().made.set_exception(self._error or StoppedError())
            self._changed.notify_all()

    def _next(self, wait: bool) -> _Batch | None:
        """The batch that was begun first; None where there is none, or there will be none."""
        with self._changed:
            while wait and not self._waiting and not self._closed:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting and not self._closed else None

    def _work(self, tile_model: TileModel, device: torch.device) -> None:
        begun: deque[tuple[_Batch, Begun]] = deque()
        try:
            self._predict(tile_model, device, begun)
        except BaseException as error:
            # any exception: who waits for a batch must not wait for ever
            self._close(error)
            for batch, _ in begun:
                if not batch.made.done():
                    batch.made.set_exception(error)

    def _predict(
        self, tile_model: TileModel, device: torch.device, begun: deque[tuple[_Batch, Begun]]
    ) -> None:
        """Predict batch by batch on one device, as many at once as suit it.

        Those that are begun, and not yet waited for, stand in ``begun``.
        """
        with _current(device), tile_model:
            while True:
                batch = self._next(wait=not begun)
                if batch is not None:
                    wait = self._tried(batch, partial(self._start, tile_model, batch))
                    if wait is not None:
                        begun.append((batch, wait))
                elif not begun:
                    return
                if begun and (batch is None or len(begun) >= tile_model.depth):
                    first, wait = begun.popleft()
                    made = self._tried(first, wait)
                    if made is not None:
                        first.made.set_result(made)

    def _start(self, tile_model: TileModel, batch: _Batch) -> Begun:
        if self._cancel.is_set():
            raise StoppedError
        return (tile_model.begin_whole if batch.whole else tile_model.begin)(batch.tiles)

    def _tried(self, batch: _Batch, do: Callable[[], Made]) -> Made | None:
        """Do something for a batch; where that fails it is said of this batch, and all stop."""
        try:
            return do()
        except BaseException as error:
            # any exception: the thread that waits for the batch raises it
            self._close(error)
            batch.made.set_exception(error)
            return None


def _current(device: torch.device) -> AbstractContextManager[Any]:
    """Have what is made on "cuda", without a number, made on that device in this thread."""
    if device.type != "cuda":
        return nullcontext()
    import torch

    return torch.cuda.device(device)
