"""A model with settings that is compared with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from napari_tessera.models import ModelError
from napari_tessera.prediction import CheckReadings, PlanError, RunResult, Schedule, run_prediction
from napari_tessera.widgets.compare.side_by_side.crop import ViewCrop
from napari_tessera.widgets.disk_view import display_axes
from napari_tessera.widgets.fields.text import in_peoples_words, overlap_text, sizes_text
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.run_messages import describe_failure

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.prediction import PredictionPlan
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.model_cache import ModelCache
    from napari_tessera.widgets.request import RunRequest

WAITING, LOADING, RUNNING, DONE, FAILED = "waiting", "loading", "running", "done", "failed"


class Prepared(NamedTuple):
    """What a candidate needs before it can be predicted."""

    plan: PredictionPlan
    model: Model | ChannelModels
    store: MemoryStore


@dataclass(eq=False)
class Candidate:
    """What is asked for, and how far it is.

    Parameters
    ----------
    request : RunRequest
        Model and settings.
    """

    request: RunRequest
    state: str = WAITING
    run: LayerRun | None = None
    store: MemoryStore | None = None
    done: int = 0
    total: int = 0
    seconds: float | None = None
    """How long the tiles took, loading and planning left out; None before the end."""
    problem: str = ""
    """Why there is no picture, in one line."""
    warnings: tuple[str, ...] = field(default=())
    """What to know of the model."""

    def wait(self) -> None:
        """Begin anew."""
        self.state, self.run, self.store = WAITING, None, None
        self.done = self.total = 0
        self.seconds, self.problem = None, ""

    @property
    def readings(self) -> CheckReadings | None:
        """What was read off the tiles so far; None before there is a run."""
        return None if self.run is None else self.run.checks.readings()

    def plane(self, crop: ViewCrop) -> NDArray[Any] | None:
        """The picture's pixels so far, NaN where no tile is done; None before there are any."""
        if self.store is None:
            return None
        rgb = self.store.colours is not None
        axes = display_axes(self.store.plan, crop.letters, rgb)
        return crop.plane_of(self.store.data(), axes[:-1] if rgb else axes)

    def prepare(self, cache: ModelCache) -> Prepared:
        """Load, plan, and make room in memory of its own; not for the GUI thread.

        Raises
        ------
        Exception
            Whatever loading, planning or reading raises.
        """
        run = self.run
        assert run is not None
        plan, model = run.make_plan(cache)
        colours = run.colours_of(plan)
        return Prepared(plan, model, MemoryStore(plan, plan.region, run.letters, colours))

    def take(self, prepared: Prepared) -> None:
        """Take what was prepared; from now on there is a picture, and `predict` fills it."""
        assert self.run is not None
        self.run.plan, self.run.model, self.store = prepared
        self.warnings = tuple(prepared.model.warnings)

    def predict(self) -> RunResult:
        """Predict all tiles; not for the GUI thread.

        Raises
        ------
        Exception
            Whatever reading or the model raises.
        """
        run = self.run
        assert run is not None
        assert run.plan is not None
        assert run.model is not None
        assert self.store is not None
        try:
            return run_prediction(
                run.plan,
                run.stack,
                run.model,
                writers=[(self.store, "."), (run.checks, ".")],
                schedule=Schedule(run.plan.tiles),
                cancel=run.cancel,
                progress=run.progress.put,
            )
        finally:
            # an idle model holds no memory of a GPU
            run.model.release()

    def look(self) -> bool:
        """Take note of what the run has done since; gives whether that is anything."""
        if self.run is None or self.state not in (LOADING, RUNNING):
            return False
        latest, finished = self.run.progress.take()
        if latest is None:
            return False
        self.state, self.done, self.total = RUNNING, latest.done, latest.total
        return bool(finished)


def model_title(request: RunRequest, known: Sequence[tuple[str, str]]) -> str:
    """What a column is called: the model's name.

    Parameters
    ----------
    request : RunRequest
        Model and settings.
    known : sequence of (str, str)
        Names that models go by in the chooser, and what `load_model` takes.
    """
    if request.channel_models:
        return "one model per channel"
    if not isinstance(request.model, (str, Path)):
        return type(request.model).__name__
    names = {model: name for name, model in known}
    return names.get(str(request.model), Path(request.model).name)


def difference_text(request: RunRequest, base: RunRequest) -> str:
    """What of the settings, model left out, differs from those of the dock; may be empty."""
    told = []
    if request.patch_size != base.patch_size:
        told.append(f"tiles {_sizes(request.patch_size)}")
    if request.overlaps != base.overlaps:
        text = request.overlaps
        told.append(f"overlap {text if isinstance(text, str) else overlap_text(text)}")
    if request.normalization != base.normalization:
        told.append(f"intensity range {request.normalization.replace('_', ' ')}")
    if request.blending != base.blending:
        told.append(f"joining {request.blending}")
    if request.tta != base.tta:
        told.append("no flips" if request.tta == "none" else f"{request.tta} over flips")
    if request.hot_pixels != base.hot_pixels:
        told.append(f"hot pixels {'replaced' if request.hot_pixels == 'replace' else 'kept'}")
    camera = (request.camera_offset, request.camera_gain)
    if camera != (base.camera_offset, base.camera_gain):
        told.append(f"camera offset {camera[0] or 0:g}, gain {camera[1] or 1:g}")
    return ", ".join(told)


def _sizes(sizes: str | tuple[int, ...]) -> str:
    return sizes if isinstance(sizes, str) else sizes_text(sizes)


def problem_text(candidate: Candidate, error: BaseException) -> str:
    """Say in one line why a candidate has no picture."""
    if isinstance(error, (PlanError, ModelError)) or candidate.run is None:
        return in_peoples_words(str(error))
    return in_peoples_words(describe_failure(candidate.run, error))
