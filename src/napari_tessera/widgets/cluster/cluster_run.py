"""One layer's run by the workers of a Dask cluster."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.prediction import PredictionPlan, Progress, RunResult
from napari_tessera.prediction.cluster.connecting import cluster_client
from napari_tessera.prediction.cluster.errors import (
    ClusterError,
    SchedulerGoneError,
    dask_distributed,
)
from napari_tessera.prediction.saving import SaveOptions
from napari_tessera.widgets.cluster.conditions import check_image, check_pixels, check_settings
from napari_tessera.widgets.cluster.store import ClusterStore
from napari_tessera.widgets.disk_room import check_room_to_save
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.looked_at import LookedAt
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.output_store import Store
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.region import Selection
    from napari_tessera.writing import WriteStrategy
    from napari_tessera.writing.stored.block_store import BlockStore


@dataclass
class ClusterRun(LayerRun):
    """A run that workers read, predict and save; this computer plans, watches and shows it.

    Parameters
    ----------
    request, source, name, stack, letters, selection, view
        As for `LayerRun`; the request names the scheduler.
    """

    said: tuple[str, ...] = ()
    """What is to be known of scheduler and workers: lines are only added."""
    failed: tuple[int, ...] = ()
    """Tiles of blocks that were given up since the engine was last started."""
    _saying: threading.Lock = field(default_factory=threading.Lock)

    def torch_threads(self, model: Model | ChannelModels) -> int | None:
        """Each worker takes as many as it has."""
        return None

    def check(self) -> None:
        """Find what keeps workers from it: image, model or place to save to."""
        check_settings(self.request)
        check_image(self.stack, self.name)

    def prepare(self, cache: ModelCache, reusable: MemoryStore | None) -> None:
        """Plan, and make ready to show what workers will save."""
        self.check()
        super().prepare(cache, reusable)

    def make_store(
        self,
        plan: PredictionPlan,
        colours: Colours | None,
        reusable: MemoryStore | None,
        save: ResolvedTarget | None,
    ) -> Store:
        """Make room for the output, which is never in memory."""
        assert save is not None
        check_pixels(self.stack, plan, self.name)
        check_room_to_save(plan, save)
        store = ClusterStore(plan, self.letters, colours, save, self.progress.put_news)
        store.look_at(self.view.selection)
        return store

    def look_at(self, view: LookedAt) -> None:
        """Let what is seen come first from now on."""
        self.view = view
        if isinstance(self.store, ClusterStore):
            self.store.look_at(view.selection)

    def opened(self, store: BlockStore) -> None:
        """Workers are ready, and the image on disk is there."""
        self.getting_ready = False
        if isinstance(self.store, ClusterStore):
            self.store.opened(store)

    def block_done(self, number: int) -> None:
        """A worker has saved a block."""
        if isinstance(self.store, ClusterStore):
            self.store.block_done(number)

    def worker_lost(self, worker: str, *, expected: bool) -> None:
        """A worker does no more."""
        if not expected:
            self._say(f"the worker {worker} is lost: what it was at goes to the others")

    def first(self) -> Selection | None:
        """What is looked at now."""
        return self.view.selection

    def _predict(
        self, writers: Sequence[tuple[WriteStrategy, str | Path]], resume: bool
    ) -> RunResult:
        assert self.plan is not None
        assert self.model is not None
        assert self.save is not None
        assert isinstance(self.store, ClusterStore)
        # Dask is an extra, and loaded by who runs on a cluster alone
        dask_distributed()
        from napari_tessera.prediction.cluster.run import run_on_cluster

        self.failed = self.said = ()
        self.getting_ready = True
        completed = False
        options = SaveOptions(self.save.file_format.name, self.save.compression)
        try:
            with cluster_client(self.request.cluster, warn=self._say) as client:
                result = run_on_cluster(
                    self.stack,
                    self.model,
                    options.of(self.save.path),
                    client=client,
                    plan=self.plan,
                    settings={},
                    resume=resume,
                    overwrite=self.save.overwrite and not resume,
                    progress=self._report,
                    cancel=self.cancel,
                    copy_channels=True,
                    watch=self,
                )
            completed = result.completed
        except SchedulerGoneError as error:
            # the dock has its own way out
            raise ClusterError(error.told) from error
        finally:
            self.getting_ready = False
            self.store.close(completed)
        self._say(*result.notices)
        return replace(result, notices=self.said)

    def lost(self) -> list[int]:
        """Workers enter what they have saved: nothing that is done is not there."""
        return []

    def _say(self, *lines: str) -> None:
        with self._saying:
            self.said = tuple(dict.fromkeys((*self.said, *lines)))

    def _report(self, progress: Progress) -> None:
        """Take note of how far it is; called from threads of the engine."""
        assert self.schedule is not None
        for tile in progress.finished:
            self.schedule.finish(tile)
        self.failed = tuple(dict.fromkeys((*self.failed, *progress.failed)))
        self._say(*progress.notices)
        self.progress.put(replace(progress, failed=self.failed, notices=self.said))
