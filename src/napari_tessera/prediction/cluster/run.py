"""One image predicted onto disk by the workers of a cluster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from math import prod
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.cluster import on_worker
from napari_tessera.prediction.cluster.connecting import check_client
from napari_tessera.prediction.cluster.crew import Crew, CrewState, Lost
from napari_tessera.prediction.cluster.errors import ClusterError, SchedulerGoneError
from napari_tessera.prediction.cluster.failures import BlockError, Failure
from napari_tessera.prediction.cluster.gathering import (
    different_machines,
    scheduler_address,
    wait_for_workers,
)
from napari_tessera.prediction.cluster.image_place import image_place
from napari_tessera.prediction.cluster.local import is_local
from napari_tessera.prediction.cluster.order import BlockOrder
from napari_tessera.prediction.cluster.output_place import output_place
from napari_tessera.prediction.cluster.parcels import parcels_of
from napari_tessera.prediction.cluster.telling import ClusterTally
from napari_tessera.prediction.cluster.versions import resource_name
from napari_tessera.prediction.cluster.window import Window
from napari_tessera.prediction.cluster.words import (
    BLOCK,
    Outcome,
    OutputPlace,
    RunSpec,
    level_kind,
)
from napari_tessera.prediction.failed_block import FailedBlock
from napari_tessera.prediction.going_on import plan_into
from napari_tessera.prediction.pipeline import Progress, RunResult
from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.run_facts import run_info
from napari_tessera.prediction.saving import Output
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks import ImageStack
from napari_tessera.writing import WriteStrategy
from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.stored.block_store import BlockStore
from napari_tessera.writing.stored.image_store import ImageOptions

if TYPE_CHECKING:
    from distributed import Client

    from napari_tessera.prediction.cluster.watching import BlockWatch

PRIORITIES = 1000
"""After so many blocks priorities begin anew, so that another run there has its turn too."""

END_SECONDS = 60.0
"""How long a run that was stopped waits for batches that are at the model."""

ALONE_SECONDS = 5.0
"""How long a run may be without workers before that is told: one that died is started anew."""

LOCAL_ALONE_SECONDS = 300.0
"""How long processes of this computer may take to be there again before the run ends."""


def run_on_cluster(
    image: ImageStack,
    model: Any,
    output: Output,
    *,
    client: Client,
    plan: PredictionPlan | None = None,
    settings: Mapping[str, Any],
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[tuple[WriteStrategy, str | Path]] = (),
    progress: Callable[[Progress], None] | None = None,
    cancel: Event | None = None,
    ome_version: str = "0.5",
    chunks: int | Sequence[int] | None = None,
    copy_channels: bool = False,
    memory_limit: int | None = None,
    watch: BlockWatch | None = None,
) -> RunResult:
    """Predict an open image onto disk with the workers of a Dask cluster.

    Parameters
    ----------
    image, model, output, client, plan, settings, resume, overwrite, writers, progress, cancel,
    ome_version, chunks, copy_channels, memory_limit
        As for `save_prediction`; the limit of memory is that of each worker.
    watch : BlockWatch, optional
        Follows the blocks, and says which come first.

    Returns
    -------
    RunResult
        With ``failed_blocks`` where some failed again and again while the rest was finished.

    Raises
    ------
    ClusterError
        If the cluster cannot be worked with, or is lost.
    ValueError
        If image, model or output cannot be reached by workers.
    OSError
        As `predict_to_disk`; also where every block fails in the same way.
    """
    check_client(client)
    target = output.target
    if writers:
        raise ValueError(
            "writers are fed in this process, and a cluster predicts in others: leave them out, or "
            "the client"
        )
    where = output_place(target)
    plan, model, stored = plan_into(target, plan, settings, image, model, resume=resume)
    info = run_info(plan, image, model, Schedule(plan.tiles), stored is not None)
    options = ImageOptions(
        ome_version, output.compression, _chunks(chunks), copy_channels=copy_channels
    )
    tally = ClusterTally(plan, progress, before=0 if stored is None else stored.n_done)
    run = _Run(client, plan, cancel or Event(), tally, watch)
    if stored is not None and stored.completed and stored.fingerprint == plan.fingerprint:
        # nothing is left that workers could do
        with BlockStore(target, info, options=options, overwrite=overwrite) as store:
            return run.ended(store, ())
    model_spec, parcels = parcels_of(model)
    spec = RunSpec(
        uuid.uuid4().hex,
        plan.to_json(),
        image_place(image, plan),
        model_spec,
        resource_name(),
        DEFAULT_MEMORY_LIMIT if memory_limit is None else memory_limit,
    )
    with ExitStack() as stack:
        crew = Crew(client, spec, parcels, run.news)
        crew.start()
        stack.callback(crew.end)
        n_workers = wait_for_workers(crew, client, run.cancel, tally, where)
        if n_workers is None:
            # who stopped it is told how far it is, also where that was never told
            tally.tick(crew.state, now=True)
            return RunResult(False, tally.n_done, tally.total, 0, tally.seconds, 0, tally.notices)
        store = stack.enter_context(
            BlockStore(target, info, options=options, overwrite=overwrite, slots=n_workers)
        )
        return run.work(crew, spec, store, where)


class _Run:
    """A run whose workers are there, from its first block to its last level."""

    def __init__(
        self,
        client: Client,
        plan: PredictionPlan,
        cancel: Event,
        tally: ClusterTally,
        watch: BlockWatch | None,
    ) -> None:
        self._client: Any = client
        self._plan = plan
        self.cancel = cancel
        self._tally = tally
        self._watch = watch
        self._alone_since = time.monotonic()
        self._window: Window | None = None
        self._crew: Any = None

    def news(self, item: Any) -> None:
        """Hand on what the crew noticed."""
        if self._watch is not None and isinstance(item, Lost):
            self._watch.worker_lost(item.worker, expected=item.expected)
        if self._window is not None:
            self._window.inbox.put(item)

    def work(self, crew: Crew, spec: RunSpec, store: BlockStore, where: str) -> RunResult:
        """Hand out blocks until all are through, then those of each level."""
        self._crew, self._store, self._spec = crew, store, spec
        self._tally.opened(store)
        if self._watch is not None:
            self._watch.opened(store)
        self._place = OutputPlace(where, store.run_id)
        try:
            failed = self._blocks()
            if not self.cancel.is_set():
                self._levels()
            if self.cancel.is_set():
                self._stop_blocks()
                store.stop()
            else:
                store.finish([each.number for each in failed])
        except BaseException as error:
            # the error is what matters, and what follows may fail for the same reason
            if not isinstance(error, ClusterError):
                with suppress(Exception):
                    self._stop_blocks()
            if not isinstance(error, StoreBusyError):
                with suppress(OSError):
                    store.stop()
            self._say_how_far(error)
            raise
        return self.ended(store, failed)

    def ended(self, store: BlockStore, failed: Sequence[FailedBlock]) -> RunResult:
        """Tell how it ended."""
        self._tally.opened(store)
        # no workers were asked where nothing was left to do
        state = CrewState() if self._crew is None else self._crew.state
        self._tally.note(*different_machines(state))
        self._tally.tick(state, now=True)
        return RunResult(
            store.completed,
            self._tally.n_done,
            self._tally.total,
            store.nonfinite,
            self._tally.seconds,
            self._tally.absent_chunks,
            self._tally.notices,
            tuple(failed),
        )

    def _blocks(self) -> list[FailedBlock]:
        store = self._store
        first = None if self._watch is None else self._watch.first
        order = BlockOrder(store.cut, store.done, first)
        failures = self._hand_out(BLOCK, order.take, self._done)
        return [self._named(failure) for failure in failures]

    def _levels(self) -> None:
        """Build each smaller level of the one below it."""
        for level, grid in enumerate(self._store.levels):
            if level == 0:
                continue
            numbers = iter(range(prod(grid.counts)))
            failures = self._hand_out(level_kind(level), partial(next, numbers, None), None)
            if self.cancel.is_set():
                return
            if failures:
                raise BlockError(
                    f"level {level} of {self._store.target.name} could not be built: "
                    f"{failures[0].message}"
                )

    def _hand_out(
        self,
        kind: str,
        take: Callable[[], int | None],
        done: Callable[[Outcome], None] | None,
    ) -> list[Failure]:
        run, resource = self._spec.name, {self._spec.resource: 1}
        turn = count()

        def submit(number: int, key: str, workers: Collection[str] | None) -> Any:
            return self._client.submit(
                on_worker.work,
                run,
                self._place,
                kind,
                number,
                key=key,
                pure=False,
                resources=resource,
                workers=workers,
                allow_other_workers=False,
                # else Dask takes what is handed out together in any order
                priority=-(next(turn) % PRIORITIES),
            )

        self._window = Window(
            self._client,
            self._crew,
            submit,
            cancel=self.cancel,
            tick=self._tick,
            done=done or (lambda outcome: None),
        )
        return self._window.work(take, f"napari-tessera-{kind}-{run[:8]}")

    def _done(self, outcome: Outcome) -> None:
        result = outcome.result
        if result is None:
            return
        self._store.note_done(
            outcome.number, tiles=result.tiles, clipped=result.clipped, nonfinite=result.nonfinite
        )
        self._tally.done(outcome)
        if self._watch is not None:
            self._watch.block_done(outcome.number)

    def _tick(self) -> None:
        self._store.check()
        state = self._crew.state
        self._tally.note(*state.refused.values())
        if state.n_present:
            self._alone_since = time.monotonic()
        else:
            self._note_alone(time.monotonic() - self._alone_since)
        self._tally.tick(state)

    def _note_alone(self, seconds: float) -> None:
        local = is_local(self._client)
        if local and seconds > LOCAL_ALONE_SECONDS:
            raise BlockError(
                "the processes of this computer ended, and could not be started again: does it "
                "have enough memory?"
            )
        if seconds > ALONE_SECONDS:
            self._tally.note(
                "the processes of this computer ended, and were started again: does it have "
                "enough memory?"
                if local
                else f"{scheduler_address(self._client)} had no workers left: a run waits there "
                "until others come"
            )

    def _named(self, failure: Failure) -> FailedBlock:
        tiles = tuple(self._store.cut.owned_tiles(failure.number))
        self._tally.failed(tiles)
        return FailedBlock(failure.number, tiles, failure.message, failure.worker)

    def _stop_blocks(self) -> None:
        """Wait until no worker is at a block of this run."""
        # by the clock: each time workers are asked may take long itself
        until = time.monotonic() + END_SECONDS
        while self._crew.stop_blocks() and time.monotonic() < until:
            Event().wait(0.05)

    def _say_how_far(self, error: BaseException) -> None:
        if isinstance(error, ClusterError):
            done, total = self._tally.n_done, self._tally.total
            raise SchedulerGoneError(
                f"the scheduler at {scheduler_address(self._client)} is gone ({error}): {done} of "
                f"{total} tiles are in {self._store.target.name}"
            ) from error


def _chunks(chunks: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if chunks is None:
        return None
    return (chunks, chunks) if isinstance(chunks, int) else tuple(chunks)
