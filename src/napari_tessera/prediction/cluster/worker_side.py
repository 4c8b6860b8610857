"""What a worker does for a run: opens image, model and output, and works on blocks."""

from __future__ import annotations

import os
import socket
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.block_run import (
    BlockTask,
    predict_block,
    stored_plan,
    write_level_block,
)
from napari_tessera.prediction.cluster.image_place import difference_of, open_place, unreadable
from napari_tessera.prediction.cluster.model_plugin import ModelPlugin, model_plugin_name
from napari_tessera.prediction.cluster.words import (
    BLOCK,
    FIT,
    LEVEL,
    PREPARING,
    UNFIT,
    Look,
    Machine,
    Outcome,
    OutputPlace,
    RunSpec,
)
from napari_tessera.prediction.cores import model_threads
from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.prediction.planning import resolve_batch_size
from napari_tessera.stacks import ImageStack
from napari_tessera.stacks.closing import close_stack
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.stored.block_target import BlockTarget

if TYPE_CHECKING:
    from distributed import Worker

    from napari_tessera.models import ChannelModels, Model


class _Work:
    """A task that is being worked on."""

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number
        self.stop = Event()
        self.tiles = self.total = 0

    def note(self, tiles: int, total: int) -> None:
        self.tiles, self.total = tiles, total


class WorkerSide:
    """The part of a run that is on one worker. Thread-safe.

    Parameters
    ----------
    spec : RunSpec
        The run.
    worker : distributed.Worker
        The worker.
    """

    def __init__(self, spec: RunSpec, worker: Worker) -> None:
        self._spec = spec
        self._worker: Any = worker
        self.state = PREPARING
        self.why = ""
        self._plan = PredictionPlan.from_json(spec.plan)
        self._image: ImageStack | None = None
        self._model: Model | ChannelModels | None = None
        self._machine: Machine | None = None
        self._task: BlockTask | None = None
        self._ready = Event()
        self._lock = Lock()
        self._opening = Lock()
        self._at_work: dict[str, _Work] = {}
        self._ended = False

    def prepare(self) -> None:
        """Open the image and load the model; what fails makes the worker unfit."""
        why = "ended while it was getting ready: look at its log"
        try:
            why = self._open()
        except Exception as error:
            why = said(error)
        finally:
            # whatever it was: blocks that were handed out wait for this
            self.why = why
            self.state = UNFIT if why else FIT
            self._ready.set()
        if self._ended:
            self._let_go()

    def refuse(self, why: str) -> None:
        """Take no part any more.

        Parameters
        ----------
        why : str
            What it does, behind its name.
        """
        self.why, self.state = why, UNFIT

    def _open(self) -> str:
        """Open what is read; returns why the worker cannot take part, in one line, or nothing."""
        spec, plan = self._spec, self._plan
        try:
            self._image = open_place(spec.image)
            difference = difference_of(self._image, plan)
        except (OSError, ValueError) as error:
            return unreadable(spec.image, error)
        if difference is not None:
            return f"finds another image at {spec.image.name} ({difference}): mend what it sees"
        model = self._load().in_precision(plan.precision)
        if model.precision != plan.precision:
            model = model.to(str(model.device), plan.precision)
        if model.sha256 != spec.model.sha256:
            return f"loaded another model ({model.sha256[:12]} for {spec.model.sha256[:12]})"
        threads = plan.settings.torch_threads or model_threads(model) or self._worker.state.nthreads
        self._plan = plan.with_settings(torch_threads=threads, batch_size=self._batch(model))
        model.get_ready()
        self._machine = Machine(_device_name(model), threads)
        self._model = model
        return ""

    def _load(self) -> Model | ChannelModels:
        from napari_tessera.models import ChannelModels

        found = {
            channel: self._model_plugin(sha256).take(self._spec.name, options)
            for channel, sha256, options in self._spec.model.parcels
        }
        if None in found:
            return found[None]
        by_channel = {channel: one for channel, one in found.items() if channel is not None}
        return ChannelModels(by_channel)

    def _model_plugin(self, sha256: str) -> ModelPlugin:
        plugin: ModelPlugin = self._worker.plugins[model_plugin_name(sha256)]
        return plugin

    def _batch(self, model: Model | ChannelModels) -> int:
        """What was planned, unless that was for another kind of device."""
        planned = self._plan.settings.batch_size
        if model.device.type == self._spec.model.device:
            return planned
        return resolve_batch_size("auto", model, self._plan.patch_size)

    def look(self) -> Look:
        """How the worker stands."""
        with self._lock:
            work = next(iter(self._at_work.values()), None)
        return Look(
            self.state,
            self.why,
            work.kind if work else "",
            work.number if work else None,
            work.tiles if work else 0,
            work.total if work else 0,
            f"{socket.gethostname()} {os.getpid()}",
            self._machine,
        )

    def keys_at_work(self) -> list[str]:
        """Names of the Dask tasks that are being worked on."""
        with self._lock:
            return list(self._at_work)

    def stop(self, key: str) -> None:
        """Have a task end after the batch that it is at."""
        with self._lock:
            if (work := self._at_work.get(key)) is not None:
                work.stop.set()

    def work(self, kind: str, number: int, key: str, place: OutputPlace) -> Outcome:
        """Work on a block.

        Parameters
        ----------
        kind : str
            `BLOCK`, or that of a level.
        number : int
            Of the block.
        key : str
            Name of the Dask task.
        place : OutputPlace
            Where to write; the same for all blocks of a run.
        """
        work = _Work(kind, number)
        with self._lock:
            self._at_work[key] = work
        try:
            return self._work(work, place)
        finally:
            with self._lock:
                del self._at_work[key]
            if self._ended:
                self._let_go()

    def _work(self, work: _Work, place: OutputPlace) -> Outcome:
        number, address = work.number, str(self._worker.address)
        while not self._ready.wait(0.1):
            if work.stop.is_set():
                return Outcome("stopped", number, address)
        if self.state != FIT:
            return Outcome("unfit", number, address, self.why)
        if self._ended:
            return Outcome("stranger", number, address)
        try:
            task = self._opened(place)
        except StoreBusyError as error:
            return Outcome("failed", number, address, said(error), fatal=True)
        except (OSError, ValueError) as error:
            return Outcome("unfit", number, address, said(error))
        try:
            if work.kind == BLOCK:
                result = predict_block(task, number, cancel=work.stop, progress=work.note)
                if not result.completed:
                    return Outcome("stopped", number, address)
                return Outcome("done", number, address, result=result)
            level = int(work.kind.removeprefix(LEVEL))
            write_level_block(task.target, level, number)
            return Outcome("done", number, address)
        except Exception as error:
            return Outcome("failed", number, address, said(error), is_fatal(error))

    def _opened(self, place: OutputPlace) -> BlockTask:
        with self._opening:
            if self._task is None:
                assert self._image is not None
                assert self._model is not None
                target = BlockTarget.open(place.where, place.run_id)
                settings = self._plan.settings
                plan = stored_plan(target).with_settings(
                    batch_size=settings.batch_size,
                    reader_threads=settings.reader_threads,
                    torch_threads=settings.torch_threads,
                )
                self._task = BlockTask(
                    plan,
                    self._image,
                    self._model,
                    target,
                    self._spec.memory_limit,
                    str(self._worker.local_directory),
                )
            return self._task

    def end(self) -> None:
        """Stop what is at work, then let go of image and model."""
        with self._lock:
            self._ended = True
            for work in self._at_work.values():
                work.stop.set()
            busy = bool(self._at_work) or not self._ready.is_set()
        if not busy:
            self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            if self._at_work:
                return
            image, self._image = self._image, None
            self._model = self._task = None
        if image is not None:
            close_stack(image)
        for _, sha256, _ in self._spec.model.parcels:
            plugin = self._worker.plugins.get(model_plugin_name(sha256))
            if plugin is not None:
                plugin.leave(self._spec.name)


def said(error: BaseException) -> str:
    """What an error says, in one line; of one that is no message to people, its type too."""
    text = " ".join(str(error).strip().partition("\n")[0].split())
    known = isinstance(error, OSError | ValueError) and text
    return text if known else f"{type(error).__name__}: {text}".rstrip(": ")


def is_fatal(error: BaseException) -> bool:
    """Whether every block will fail in that way, on every worker."""
    if isinstance(error, StoreError):
        return error.full
    return isinstance(error, StoreBusyError | PlanError)


def _device_name(model: Model | ChannelModels) -> str:
    import torch

    if model.device.type == "cuda":
        return str(torch.cuda.get_device_name(model.device))
    if model.device.type == "cpu":
        return f"CPU with {torch.backends.cpu.get_cpu_capability()}"
    return model.device.type
