"""One layer's run: what was asked, what came of it, and the work off the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction import (
    CheckWriter,
    PlanError,
    PredictionPlan,
    RunResult,
    Schedule,
    run_prediction,
)
from napari_tessera.stacks import LayerStack
from napari_tessera.widgets.file_when_done import FileWhenDone
from napari_tessera.widgets.flip_disagreement import DISAGREEMENT
from napari_tessera.widgets.inside_layer import Inside
from napari_tessera.widgets.kept_tiles import clipped_pixels, kept_text, lost_tiles
from napari_tessera.widgets.layer_source import layer_letters, open_layer
from napari_tessera.widgets.looked_at import LookedAt
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.origins import OpenLayer, OriginBook, Origins
from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.output_store import Store, make_store, waits_text
from napari_tessera.widgets.place_report import PlaceReport, look_at_place
from napari_tessera.widgets.plan_differences import other_run
from napari_tessera.widgets.progress_box import ProgressBox
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.result_look import ResultLook
from napari_tessera.widgets.rgb import Colours, colours_of
from napari_tessera.widgets.run_area import inside_of, selection_of
from napari_tessera.widgets.run_plan import planned_run
from napari_tessera.widgets.save_target import (
    ResolvedTarget,
    layer_showing,
    resolve_target,
    store_writer,
)
from napari_tessera.widgets.seams import with_measured_seams
from napari_tessera.widgets.temporary import remove_leftovers
from napari_tessera.widgets.worker import model_threads
from napari_tessera.writing import ImageRegionData, WriteStrategy
from napari_tessera.writing.stored.stored_run import read_unfinished

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.widgets.live_layer import LiveLayer


@dataclass
class LayerRun:
    """A run over one layer, from the click to its end.

    What the GUI knows (layer, view) is read when it is made; `prepare` and `run` belong into
    another thread, one after the other.

    Parameters
    ----------
    request : RunRequest
        What was asked for.
    source : napari.layers.Image
        The input layer.
    name : str
        The layer's name at the click.
    stack : LayerStack
        Its image.
    letters : str
        Letters of the layer's dimensions.
    selection : mapping or None
        The area; None for everything.
    view : LookedAt
        What the person sees: tiles that lie there come first.
    """

    request: RunRequest
    source: Image
    name: str
    stack: LayerStack
    letters: str
    selection: Mapping[str, slice | int] | None
    view: LookedAt
    inside: Inside | None = None
    """Where in the area: shapes or labels as they were at the click; None for all of it."""
    rgb: Colours | None = None
    """How colours are made of the input's, where it is rgb."""
    save_path: Path | None = None
    """Where the request has it saved, if at all."""
    origins: Origins = field(default_factory=Origins)
    """What the image is read from, which is never replaced."""
    open_layers: tuple[OpenLayer, ...] = ()
    """What is open in the viewer, and is not replaced either."""
    known: Callable[[LayerRun], Mapping[int, ImageRegionData]] | None = None
    """Finds the cores of tiles, by number, that were predicted before and are taken as they are.

    Asked in the engine's thread, when there is a plan."""
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set to end the run after the batch at work."""
    gone: bool = False
    """Whether the run was ended because its input or output layer was removed."""
    progress: ProgressBox = field(default_factory=ProgressBox)
    checks: CheckWriter = field(default_factory=CheckWriter)
    model: Model | ChannelModels | None = None
    plan: PredictionPlan | None = None
    save: ResolvedTarget | None = None
    store: Store | None = None
    schedule: Schedule | None = None
    live: LiveLayer | None = None
    file: FileWhenDone | None = None
    """What writes the result when all is done, where the format is of that kind."""
    result: RunResult | None = None
    clipped_pixels: int = 0
    """Saved pixels that were clipped to the range of their type, once all is saved."""
    kept: str = ""
    """What is on disk of the run, in one line, once it was stopped."""
    getting_ready: bool = False
    """Whether the engine runs, and workers of a cluster are not at their first tile yet."""
    settings_warnings: tuple[str, ...] = ()
    """Those of the plan's warnings that do not come from the image's pixels."""
    done_before: int = 0
    """Tiles that were finished when the engine was last started."""
    began: bool = False
    """Whether the engine was started, so that there may be something to go on with."""

    def __post_init__(self) -> None:
        self.look = ResultLook(self.source)
        self.data = self.source.data
        """What the layer showed at the click."""

    @classmethod
    def of(
        cls,
        viewer: ViewerModel,
        request: RunRequest,
        layer: Image,
        book: OriginBook | None = None,
    ) -> LayerRun:
        """Read off the viewer what a run over a layer needs to know.

        Parameters
        ----------
        viewer : napari.components.ViewerModel
            The viewer.
        request : RunRequest
            What is asked for.
        layer : napari.layers.Image
            The input layer.
        book : OriginBook, optional
            What is known of where layers' data is read from.

        Raises
        ------
        PlanError
            If the axes do not fit, or nothing of the layer is in view or inside the shapes.
        """
        try:
            stack = open_layer(layer, request.axes)
        except ValueError as error:
            raise PlanError(str(error), "image" if request.axes is None else "axes") from None
        letters = layer_letters(layer, stack.original_axes)
        book = book or OriginBook()
        return cls(
            request,
            layer,
            layer.name,
            stack,
            letters,
            selection_of(viewer, request, layer, letters),
            LookedAt.of(viewer, layer, letters),
            inside_of(viewer, request, layer, letters),
            None if request.tta == DISAGREEMENT else colours_of(layer, stack),
            request.save_path(layer),
            book.of(layer),
            book.all_of(viewer.layers),
        )

    @property
    def has_its_data(self) -> bool:
        """Whether the layer still shows what it showed at the click."""
        return self.source.data is self.data

    @property
    def is_preview(self) -> bool:
        """Whether only a part is asked for: the next run shows itself in the same layer."""
        return self.request.area != EVERYTHING

    @property
    def prepared(self) -> bool:
        """Whether there is a plan and room for the output."""
        return self.plan is not None and self.store is not None

    def torch_threads(self, model: Model | ChannelModels) -> int | None:
        """Threads for a model on the CPU; None where that is not for this computer to say."""
        return model_threads(model)

    def check(self) -> None:
        """Find what of image, model and settings keeps it from being run where it is to be."""

    def make_plan(
        self, cache: ModelCache, stack: Any = None
    ) -> tuple[PredictionPlan, Model | ChannelModels]:
        """Load the model and decide everything; see `planned_run`."""
        return planned_run(self, cache, stack)

    def resolve_save(self) -> ResolvedTarget | None:
        """Where this layer is saved to, if at all. Takes time: not for the GUI thread."""
        save = self.request.save
        if save is None or self.save_path is None:
            return None
        places: list[str | Path] = [str(self.stack.source), *self.origins.of(self.stack)]
        return resolve_target(self.save_path, save, places, self._shown_by)

    def look_at_place(self, plan: PredictionPlan) -> PlaceReport | None:
        """What is where this layer is saved to, beside a plan made without the image's pixels."""
        save = self.request.save
        if save is None or self.save_path is None:
            return None
        shown_by = self._shown_by(self.save_path)
        return look_at_place(self.save_path, save.file_format, plan, shown_by)

    def waits(self, plan: PredictionPlan) -> str:
        """Where a result is that does not fit into memory; empty where it does, or is saved."""
        save = self.request.save
        chosen = None
        if save is not None and self.save_path is not None:
            chosen = ResolvedTarget(self.save_path, save.file_format)
        return waits_text(plan, self.colours_of(plan), chosen)

    def colours_of(self, plan: PredictionPlan) -> Colours | None:
        """How the result of a plan is shown in colours; None where it has not all of them."""
        made = dict(zip(plan.layout.output_axes, plan.layout.output_shape, strict=True))
        return self.rgb if made.get("C") == 3 else None

    def _shown_by(self, path: Path) -> str:
        return layer_showing(self.open_layers, path)

    def prepare(self, cache: ModelCache, reusable: MemoryStore | None) -> None:
        """Plan, and make room for the output; takes from milliseconds to seconds.

        Parameters
        ----------
        cache : ModelCache
            Has the models of earlier runs.
        reusable : MemoryStore, optional
            Output of an earlier preview.
        """
        remove_leftovers()
        save = self.resolve_save()
        plan, model = self.make_plan(cache)
        outlined = self.make_plan(cache, OutlineStack(self.stack))[0].warnings
        settings_warnings = with_measured_seams(outlined, plan.warnings)
        stored = read_unfinished(save.path) if save is not None and save.resume else None
        if stored is not None and stored.fingerprint != plan.fingerprint:
            raise other_run(stored, plan)
        schedule = Schedule(plan.tiles, done=stored.done if stored is not None else ())
        self.view.put_first(schedule)
        colours = self.colours_of(plan)
        # Last, as it empties the earlier preview. What is continued is read from disk first, which
        # can fail, so that it gets memory of its own.
        store = self.make_store(plan, colours, None if stored else reusable, save)
        if stored is not None and save is not None and isinstance(store, MemoryStore):
            store.fill_from(save.path, stored.done)
        self.file = None
        if save is not None and not save.while_running:
            self.file = FileWhenDone(plan, save, store)
        self.plan, self.model, self.store, self.save = plan, model, store, save
        self.settings_warnings, self.schedule = settings_warnings, schedule

    def make_store(
        self,
        plan: PredictionPlan,
        colours: Colours | None,
        reusable: MemoryStore | None,
        save: ResolvedTarget | None,
    ) -> Store:
        """Make room for the output; an earlier preview's is used again where it can be."""
        return make_store(plan, self.letters, colours, reusable, save)

    def look_at(self, view: LookedAt) -> None:
        """Let what is seen come first from now on."""
        self.view = view
        if self.schedule is not None:
            view.put_first(self.schedule)

    def shows(self, layer: object) -> bool:
        """Whether a layer is the input or the output of this run."""
        return layer is self.source or (
            self.live is not None and layer is not None and layer is self.live.layer
        )

    def run(self) -> None:
        """Predict the tiles that are missing; returns early once `cancel` is set."""
        assert self.plan is not None
        assert self.model is not None
        assert self.schedule is not None
        assert self.store is not None
        resume = self.began or bool(self.save and self.save.resume)
        if self.began:
            self.schedule.again(self.lost())
        self.began = True
        self.progress.start()
        self.done_before = self.schedule.n_done
        writers: list[tuple[WriteStrategy, str | Path]] = [(self.store, "."), (self.checks, ".")]
        if self.file is not None:
            writers.append((self.file, "."))
        elif self.save is not None and isinstance(self.store, MemoryStore):
            overwrite = self.save.overwrite and not resume
            saver = store_writer(self.save, overwrite=overwrite)
            writers.append((saver, self.save.path.parent))
        self.result = None
        try:
            self.result = self._predict(writers, resume)
            if self.save is not None and self.file is None:
                self.look.enter(self.save.path, self.plan.fingerprint, self._colours)
                self.clipped_pixels = clipped_pixels(self)
        finally:
            # an idle model holds no memory of a GPU
            self.model.release()
            completed = self.result is not None and self.result.completed
            with suppress(OSError):
                self.kept = "" if completed else self.kept_text()

    def _predict(self, writers: list[tuple[WriteStrategy, str | Path]], resume: bool) -> RunResult:
        assert self.plan is not None
        assert self.model is not None
        return run_prediction(
            self.plan,
            self.stack,
            self.model,
            writers=writers,
            schedule=self.schedule,
            cancel=self.cancel,
            progress=self.progress.put,
            resume=resume,
            known=None if self.known is None else self.known(self),
        )

    def write_file(self) -> None:
        """Write the file that is written when all is done."""
        assert self.file is not None
        self.file.write(self.cancel, self.look.channels(self._colours))
        self.clipped_pixels = clipped_pixels(self)

    def read_look(self) -> None:
        """Take note of how the result is shown, for what is saved; in the GUI thread."""
        self.look.read(None if self.live is None else self.live.layer)

    @property
    def _colours(self) -> Colours | None:
        return None if self.store is None else self.store.colours

    @property
    def has_to_write(self) -> bool:
        """Whether all tiles are there, and the file that they go into is not."""
        done = self.result is not None and self.result.completed
        return done and self.file is not None and not self.file.written

    def kept_text(self) -> str:
        """What is on disk of a run that was stopped; empty where nothing is saved."""
        return kept_text(self)

    def lost(self) -> list[int]:
        """Finished tiles that are not there: a disk that was full has not kept all."""
        return lost_tiles(self)
