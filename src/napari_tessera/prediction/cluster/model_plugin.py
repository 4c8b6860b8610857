"""A model on a worker: its file, what was loaded from it, and when both may go."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin

from napari_tessera.prediction.cluster.parcels import ModelParcel
from napari_tessera.prediction.cluster.words import LoadOptions

if TYPE_CHECKING:
    from distributed import Worker

    from napari_tessera.models import Model

LOOK_SECONDS = 5.0

RELEASE_SECONDS = 60.0
"""How long a model that no run has stays loaded: the next image of several is there sooner."""

FORGET_SECONDS = 1800.0
"""How long its file stays."""


def model_plugin_name(sha256: str) -> str:
    """What a worker knows a model as: its contents."""
    return f"napari-tessera-model-{sha256}"


class ModelPlugin(WorkerPlugin):
    """Brings a model to a worker, once however many runs and tasks there are.

    Parameters
    ----------
    parcel : ModelParcel
        Its file; it is written to a folder of the worker's, which goes with the worker.
    """

    def __init__(self, parcel: ModelParcel) -> None:
        self.name = model_plugin_name(parcel.sha256)
        self._parcel: ModelParcel | None = parcel
        self.is_kept = False
        """Whether its file is written, so that it can be loaded."""

    async def setup(self, worker: Worker) -> None:
        """Write the file."""
        assert self._parcel is not None
        parcel, self._parcel = self._parcel, None
        self._worker = worker
        self._kept = asyncio.Event()
        self._lock = Lock()
        self._loaded: dict[LoadOptions, Model] = {}
        self._users: set[str] = set()
        self._idle_since = time.monotonic()
        self._path: Path | None = None
        self._source = parcel.name
        loop = asyncio.get_running_loop()
        try:
            if parcel.content is not None:
                folder = Path(worker.local_directory) / self.name
                self._path = await loop.run_in_executor(None, _written, parcel, folder)
                self._source = str(self._path)
            self._watching = asyncio.create_task(self._watch())
            self.is_kept = True
        finally:
            self._kept.set()

    async def kept(self) -> bool:
        """Wait until it has been written, or could not be."""
        await self._kept.wait()
        return self.is_kept

    async def teardown(self, worker: Worker) -> None:
        """Forget the model, and remove its file."""
        self._watching.cancel()
        # not in the worker's loop, which would stand still while a model is loaded
        await asyncio.get_running_loop().run_in_executor(None, self._end)

    def _end(self) -> None:
        with self._lock:
            self._release()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            if self._path.parent.is_dir():
                self._path.parent.rmdir()

    def take(self, user: str, options: LoadOptions) -> Model:
        """Load the model, unless it is loaded; it stays until nobody uses it.

        Parameters
        ----------
        user : str
            Name of the run that uses it.
        options : LoadOptions
            How.

        Raises
        ------
        ModelError
            As `load_model`: the same refusing loaders read it.
        """
        from napari_tessera.models import load_model

        with self._lock:
            self._users.add(user)
            if options not in self._loaded:
                self._loaded[options] = load_model(
                    self._source,
                    device=options.device,
                    spatial_dims=options.spatial_dims,
                    in_channels=options.in_channels,
                    prepare=options.prepare,
                )
            return self._loaded[options]

    def leave(self, user: str) -> None:
        """Say that a run does not use it any more."""
        self._users.discard(user)
        self._idle_since = time.monotonic()

    @property
    def loaded(self) -> bool:
        """Whether it is in memory."""
        return bool(self._loaded)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._lock.acquire(blocking=False):
                continue
            try:
                idle = 0.0 if self._users else time.monotonic() - self._idle_since
                if idle > RELEASE_SECONDS:
                    # one that cannot be let go of is no reason to keep the file of it for ever
                    with suppress(Exception):
                        self._release()
            finally:
                self._lock.release()
            if idle > FORGET_SECONDS:
                # not from this task, which that ends
                self._ending = asyncio.create_task(self._worker.plugin_remove(name=self.name))
                return

    def _release(self) -> None:
        models = list(self._loaded.values())
        self._loaded.clear()
        for model in models:
            model.release()


def _written(parcel: ModelParcel, folder: Path) -> Path:
    content: Any = parcel.content
    found = hashlib.sha256(content).hexdigest()
    if found != parcel.sha256:
        raise OSError(
            f"{parcel.name} came with other contents ({found[:12]}) than were sent "
            f"({parcel.sha256[:12]}): start the run again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / parcel.name
    try:
        path.write_bytes(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path
