"""Functions that the client has workers call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distributed import get_worker

from napari_tessera.prediction.cluster.model_plugin import ModelPlugin, model_plugin_name
from napari_tessera.prediction.cluster.run_plugin import RunPlugin, run_plugin_name
from napari_tessera.prediction.cluster.words import Look, Outcome, OutputPlace
from napari_tessera.stacks.checks import error_line

if TYPE_CHECKING:
    from distributed import Worker


def work(run: str, place: OutputPlace, kind: str, number: int) -> Outcome:
    """A task: work on a block of a run. An error is part of what it gives, not raised."""
    worker: Any = get_worker()
    plugin = worker.plugins.get(run_plugin_name(run))
    if plugin is None:
        return Outcome("stranger", number, str(worker.address))
    outcome: Outcome = plugin.side.work(kind, number, str(worker.get_current_task()), place)
    return outcome


def lacks(hashes: Sequence[str], *, dask_worker: Worker) -> list[str]:
    """Which of some models are not on the worker, or are only being written."""
    plugins: Any = {sha256: dask_worker.plugins.get(model_plugin_name(sha256)) for sha256 in hashes}
    return [sha256 for sha256, one in plugins.items() if one is None or not one.is_kept]


async def receive(plugin: ModelPlugin, *, dask_worker: Worker) -> str:
    """Take a model, unless it is there; gives why that failed, in one line, or nothing."""
    why = await _taken(plugin, dask_worker)
    there: Any = dask_worker.plugins.get(plugin.name)
    if why or there is None:
        return why or "the model could not be kept"
    return "" if await there.kept() else "the model could not be kept"


async def join(plugin: RunPlugin, *, dask_worker: Worker) -> str:
    """Take part in a run, unless that is so already; gives why that failed, or nothing."""
    return await _taken(plugin, dask_worker)


async def _taken(plugin: ModelPlugin | RunPlugin, worker: Any) -> str:
    if plugin.name in worker.plugins:
        return ""
    try:
        await worker.plugin_add(plugin=plugin, name=plugin.name, catch_errors=False)
    except Exception as error:
        # any exception, as text: not each can be sent, and some look like a worker that is gone
        worker.plugins.pop(plugin.name, None)
        return error_line(error)
    return ""


def look(run: str, *, dask_worker: Worker) -> Look | None:
    """Say how it stands; None where the run is unknown."""
    plugin: Any = dask_worker.plugins.get(run_plugin_name(run))
    return None if plugin is None else plugin.look()


def stop(run: str, *, dask_worker: Worker) -> int:
    """Have all blocks of a run end after the batch that they are at; says how many there are."""
    plugin: Any = dask_worker.plugins.get(run_plugin_name(run))
    if plugin is None:
        return 0
    keys = plugin.side.keys_at_work()
    for key in keys:
        plugin.side.stop(key)
    return len(keys)


async def leave(run: str, *, dask_worker: Worker) -> None:
    """Have no part in a run any more."""
    name = run_plugin_name(run)
    if name in dask_worker.plugins:
        await dask_worker.plugin_remove(name=name)
