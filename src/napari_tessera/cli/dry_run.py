"""``predict --dry-run``: what a run would take, by some of its tiles; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.cli.describing import bytes_text
from napari_tessera.cli.dry_run_text import estimate_text
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.cli.jobs import PredictJob
from napari_tessera.cli.reporting import Reporter

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.prediction.sampled_cost import SampledCost
    from napari_tessera.prediction.saving import Output
    from napari_tessera.stacks import ImageStack

SAMPLED_IMAGES = 3
"""Images of one kind whose tiles are measured: they differ in how well they pack."""


@dataclass(frozen=True)
class Cost:
    """What an image takes, or several together.

    Parameters
    ----------
    images, tiles, tiles_done : int
        How many; of the tiles those that are on disk already.
    blocks : int or None
        What workers share; None without workers.
    seconds : float
        Of one process, on this computer; tiles that lie over several blocks are predicted as often.
    output_bytes, disk_bytes, peak_bytes : int
        Of the pixels without levels, of what is stored, and of what is there at once at most; less
        what is on disk already.
    """

    images: int = 0
    tiles: int = 0
    tiles_done: int = 0
    blocks: int | None = None
    seconds: float = 0.0
    output_bytes: int = 0
    disk_bytes: int = 0
    peak_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other: what waits beside one result is gone by the next."""
        peak = max(self.peak_bytes, self.disk_bytes + other.peak_bytes)
        blocks = None
        if self.blocks is not None or other.blocks is not None:
            blocks = (self.blocks or 0) + (other.blocks or 0)
        return Cost(
            self.images + other.images,
            self.tiles + other.tiles,
            self.tiles_done + other.tiles_done,
            blocks,
            self.seconds + other.seconds,
            self.output_bytes + other.output_bytes,
            self.disk_bytes + other.disk_bytes,
            peak,
        )


class Estimator:
    """Measures tiles, and works out from them what images take.

    Parameters
    ----------
    job : PredictJob
        What was asked for.
    model : Model or ChannelModels
        The model.
    reporter : Reporter
        Told what there is to warn of.
    interrupts : Interrupts
        Looked at between batches.
    """

    def __init__(
        self,
        job: PredictJob,
        model: Model | ChannelModels,
        reporter: Reporter,
        interrupts: Interrupts,
    ) -> None:
        self._job = job
        self._model = model
        self._interrupts = interrupts
        self._sampled: dict[tuple[Any, ...], list[SampledCost]] = {}
        self.workers, self.threads = 1, None
        if job.cluster is not None:
            self.workers, self.threads = job.cluster.size(reporter.warning)

    def cost(self, stack: ImageStack, plan: PredictionPlan, output: Output) -> Cost:
        """What an image takes."""
        from napari_tessera.prediction.blocks import cut_of_run
        from napari_tessera.prediction.disk_need import disk_need, planned_run
        from napari_tessera.prediction.saving import SaveOptions
        from napari_tessera.writing import read_unfinished
        from napari_tessera.writing.stored.image_store import ImageOptions

        chunks = self._job.saving["chunks"]
        options = ImageOptions(
            SaveOptions(**self._job.saving).ome_version,
            output.compression,
            (chunks, chunks) if isinstance(chunks, int) else chunks,
            copy_channels=self._job.copy_channels,
        )
        run = planned_run(plan, stack, self._model)
        need = disk_need(plan, run, output, options)
        sampled = self._sample(plan, stack, output, need.chunks)
        blocks, redundancy = None, 1.0
        if self._job.cluster is not None:
            cut = cut_of_run(run, options, self.workers)
            blocks, redundancy = cut.n_blocks, cut.redundancy
        stored = read_unfinished(output.target) if self._job.resume and output.resumable else None
        done = stored.n_done if stored and stored.fingerprint == plan.fingerprint else 0
        left = 1 - done / plan.total_tiles if plan.total_tiles else 0.0
        share = sampled.stored_share
        return Cost(
            1,
            plan.total_tiles,
            done,
            blocks,
            plan.total_tiles * left * redundancy * sampled.seconds_per_tile,
            plan.output_bytes,
            round(need.stored(share) * left),
            round(need.most(share) * left),
        )

    def _sample(
        self, plan: PredictionPlan, stack: ImageStack, output: Output, chunks: tuple[int, ...]
    ) -> SampledCost:
        """Measure tiles of the first images of each kind; of further ones these hold."""
        from napari_tessera.prediction.sampled_cost import sample_cost
        from napari_tessera.prediction.saving import SaveOptions
        from napari_tessera.writing.files.packed_size import PackedSize

        kind = (plan.input_dtype, plan.output_dtype, plan.patch_size, plan.fold, plan.precision)
        known = self._sampled.setdefault(kind, [])
        if len(known) < SAMPLED_IMAGES:
            if self._job.threads is None and self.threads is not None:
                plan = plan.with_settings(torch_threads=self.threads)
            packed = partial(
                PackedSize,
                output.form,
                output.compression,
                chunks,
                plan.output_dtype,
                SaveOptions(**self._job.saving).ome_version,
            )
            known.append(
                sample_cost(plan, stack, self._model, packed, cancel=self._interrupts.cancel)
            )
            if self._interrupts.signum is not None:
                raise Interrupted(self._interrupts.signum)
        return sum_of(known)

    def facts(self, cost: Cost, place: str, path: Path | None, planning: float) -> dict[str, Any]:
        """All that is known, for JSON.

        Parameters
        ----------
        cost : Cost
            Of all images.
        place : str
            What was typed as output.
        path : pathlib.Path or None
            The same as a local file or folder.
        planning : float
            Seconds that planning took: a run plans as well.
        """
        from napari_tessera.prediction.disk_need import free_space

        sampled = sum_of([one for known in self._sampled.values() for one in known])
        free = free_space(path)
        return {
            "output": place,
            "images": cost.images,
            "tiles": cost.tiles,
            "tiles_done": cost.tiles_done,
            "blocks": cost.blocks,
            "workers": None if self._job.cluster is None else self.workers,
            "threads_per_worker": self.threads,
            "seconds": round(cost.seconds / self.workers + planning, 1),
            "planning_seconds": round(planning, 3),
            "measured_tiles": sampled.tiles,
            "measured_seconds": round(sampled.seconds, 3),
            "measured_on": list(sampled.devices),
            "measured_threads": sampled.threads,
            "output_bytes": cost.output_bytes,
            "disk_bytes": cost.disk_bytes,
            "disk_peak_bytes": cost.peak_bytes,
            "stored_share": round(sampled.stored_share, 4),
            "free_bytes": free,
            "fits": None if free is None else cost.peak_bytes <= free,
        }


def sum_of(sampled: Sequence[SampledCost]) -> SampledCost:
    """All that was measured, together."""
    return sum(sampled[1:], sampled[0])


def estimate_one(
    job: PredictJob,
    stack: ImageStack,
    model: Model | ChannelModels,
    plan: PredictionPlan,
    output: Output,
    planning: float,
    reporter: Reporter,
    interrupts: Interrupts,
) -> int:
    """Say what an image takes.

    Returns
    -------
    int
        Exit status: 0.
    """
    interrupts.guard()
    estimator = Estimator(job, model, reporter, interrupts)
    cost = estimator.cost(stack, plan, output)
    tell(estimator.facts(cost, str(output.target), output.target.path, planning), reporter)
    return 0


def tell(facts: dict[str, Any], reporter: Reporter) -> None:
    """Say it, and warn where the result does not fit."""
    reporter.estimated(facts, estimate_text(facts))
    if facts["fits"] is False:
        reporter.warning(
            f"the result does not fit: up to {bytes_text(facts['disk_peak_bytes'])} are needed, "
            f"and {bytes_text(facts['free_bytes'])} are free"
        )
