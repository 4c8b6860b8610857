"""Live preview: while it is on, the output follows what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from qtpy.QtCore import QObject, QTimer

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.fields.text import bytes_text, in_peoples_words
from napari_tessera.widgets.preview.controls import PreviewControls
from napari_tessera.widgets.preview.engine import EngineReport, PreviewEngine
from napari_tessera.widgets.preview.images import PreviewImages
from napari_tessera.widgets.preview.known import known_cores
from napari_tessera.widgets.preview.moves import REST_MS, Moves
from napari_tessera.widgets.preview.output import PreviewOutput
from napari_tessera.widgets.preview.tile_cache import TileCache, default_budget
from napari_tessera.widgets.request import EVERYTHING, TILE, VIEW
from napari_tessera.widgets.run_queue import RunQueue
from napari_tessera.widgets.run_state import BUSY, PREVIEW, RESTING
from napari_tessera.widgets.speed import estimate_text
from napari_tessera.widgets.worker import Job, start_job

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.preview.plans import Planned
    from napari_tessera.widgets.reports import FieldProblem, PlanReview
    from napari_tessera.widgets.request import RunRequest
    from napari_tessera.writing import ImageRegionData

LOOK_MS = 50
"""How often the GUI thread looks at what has come while tiles are predicted, in milliseconds."""

CHECK_MS = 500
"""How often it looks whether something else is in view that no event has told of."""


class LivePreview(QObject):
    """The toggle beside the main button, and what it does.

    While it is on, the tiles in view are denoised, the nearest to the middle of the view first,
    and kept in a cache, which the output layer shows. What is denoised follows camera, sliders,
    settings and the choice of images. Pixels that are edited in place tell nobody: what is there
    of them is denoised anew once it is turned off and on again. While it is off the cache is
    empty; the output layer keeps the tiles that it shows.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._viewer = dock.viewer
        self._controller = dock.controller
        self.cache = TileCache(default_budget())
        """Tiles that were denoised."""
        self.engine = PreviewEngine(self.cache, dock.models, self._controller.speed)
        self._images = PreviewImages(dock.viewer)
        self._outputs: dict[Image, PreviewOutput] = {}
        self._on = self._closed = self._busy_with_layers = False
        self._before = self._controller.results.runs
        self._moves = Moves(dock.viewer, self)
        self._moves.moved.connect(self._follow)
        self._look = _timer(self, LOOK_MS, self._show)
        self._check = _timer(self, CHECK_MS, self._follow_unheard)
        self._settings = _timer(self, REST_MS, self._follow)
        self._settings.setSingleShot(True)
        self._seen: Any = None
        self._review: PlanReview | None = None
        """What the newest settings that were looked at come to."""
        self._reviewed: Any = None
        """What they asked for."""
        self._finishing: Any = None
        """What a full run is wanted of, as soon as it was looked at."""
        self.controls = PreviewControls(dock, self.cache)
        self.controls.toggled.connect(self._on_toggled)
        self.controls.budget_changed.connect(self._follow)
        fields = dock.settings
        for each in (fields.image, fields.model, fields.tiles, fields.advanced):
            each.changed.connect(self._on_settings)
        self._controller.state_changed.connect(self._on_state)
        self._controller.review_changed.connect(self._on_review)
        self._controller.problem_changed.connect(self._on_problem)
        dock.finish_wanted.connect(self.finish)
        self._viewer.layers.events.removed.connect(self._on_removed)
        # Whoever destroys the dock: the thread ends. (It holds nothing of Qt.)
        self._leash: Callable[[], None] = partial(PreviewEngine.stop, self.engine)
        dock.destroyed.connect(self._leash)

    @property
    def is_on(self) -> bool:
        """Whether the output follows what is looked at."""
        return self._on

    @property
    def outputs(self) -> tuple[PreviewOutput, ...]:
        """What is shown of each image."""
        return tuple(self._outputs.values())

    def finish(self) -> None:
        """Denoise all of the area chosen, or everything; what is there is not predicted again.

        Settings that have not been looked at yet are looked at first: what cannot be run is
        refused, and the preview goes on.
        """
        request = self._dock.request()
        if not self._on or request is None or self._dock.reason():
            return
        self._finishing = self._asks()
        if self._reviewed is not None and self._reviewed == self._finishing:
            self._finish(request)
        else:
            self._controller.review(self._dock.settings.request_to_review())

    def _asks(self) -> Any:
        """What the settings ask for now, and of which pixels."""
        request = self._dock.settings.request_to_review()
        layers = () if request is None else request.layers
        return request, tuple(self._images.name(layer) for layer in layers)

    def _on_review(self, review: PlanReview | None) -> None:
        """Take note that settings were looked at, and can be run."""
        self._review = review
        self._reviewed = None
        if review is None or not self._on:
            return
        asks = self._asks()
        if asks[0] == review.request:
            self._reviewed = asks
        if self._finishing is not None:
            wanted, self._finishing = self._finishing, None
            request = self._dock.request()
            if wanted == self._reviewed and request is not None and not self._dock.reason():
                # Everybody else is told of the review first.
                QTimer.singleShot(0, self.finish)

    def _on_problem(self, problem: FieldProblem | None) -> None:
        if problem is not None:
            self._finishing = None

    def _finish(self, request: RunRequest) -> None:
        self._finishing = None
        area = EVERYTHING if request.area in (VIEW, TILE) else request.area
        names = {layer: self._images.name(layer) for layer in request.layers}
        known = partial(_known, self.cache, self.engine.plans.kept, names)
        self._dock.start(replace(request, area=area), known)

    def close(self) -> None:
        """Let go of viewer and thread; what is shown stays."""
        if self._closed:
            return
        self._closed = True
        self._turn_off()
        self.cache.clear()
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_toggled(self, on: bool) -> None:
        if on and not self._on:
            if self._controller.begin_preview():
                self._turn_on()
            else:
                self.controls.set_on(False)
        elif not on and self._on:
            self._turn_off()
            if self._before.current is not None:
                # A run that can go on is the last one again.
                self._controller.results.begin(self._before)
            self._controller.end_preview()

    def _on_state(self, state: str) -> None:
        if self._on and state != PREVIEW:
            # A run takes over.
            self._turn_off()
        if state in RESTING and not self._on:
            # What a run could take of it, it has.
            self._images.renew()
            self._forget_outdated()
            self.cache.clear()
        self.controls.set_possible(state not in BUSY)

    def _turn_on(self) -> None:
        self._on = True
        self._before = self._controller.results.runs
        self._images.renew()
        self._on_review(self._review)
        self._moves.start()
        self._check.start()
        self._follow()

    def _turn_off(self) -> None:
        self._on = False
        self._finishing = None
        self.engine.stop()
        self._moves.stop()
        for timer in (self._look, self._check, self._settings):
            timer.stop()
        for output in self.outputs:
            output.freeze()
        # The next run, or preview, may show something else in these layers.
        self._outputs.clear()
        self._controller.grid.follow(None)
        self.controls.set_on(False)
        self.controls.say("")

    def _on_settings(self) -> None:
        if self._on:
            self._settings.start()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        shown = next((one for one in self.outputs if one.layer is layer), None)
        if layer in self._outputs:
            self._outputs.pop(layer).freeze()
        elif shown is None or self._busy_with_layers:
            return
        else:
            # Whoever deletes the preview does not want it.
            del self._outputs[shown.source]
            if self._on:
                self.controls.button.click()
        self._forget_outdated()

    def _forget_outdated(self) -> None:
        names = self._images.outdated()
        for name in names:
            self.engine.plans.forget(name)
            self.cache.forget(name)
        for output in self.outputs:
            if output.name.rpartition(":")[0] in names:
                # What is computed of them goes with the tiles.
                output.changed()
                output.finish()

    def _follow_unheard(self) -> None:
        """Follow what no event tells of: an image that was moved, other data in the output."""
        replaced = any(output.shows_else for output in self.outputs)
        if replaced or self._look_of_things() != self._seen:
            self._follow()

    def _look_of_things(self) -> Any:
        request = self._dock.settings.request_to_review()
        if request is None:
            return None
        try:
            wishes = self._images.wishes(request)
        except PlanError as error:
            return str(error)
        return [(wish.image, wish.selection, _transform(wish.run.source)) for wish in wishes]

    def _follow(self) -> None:
        """Let be denoised what is looked at now."""
        if not self._on:
            return
        self._settings.stop()
        self._forget_outdated()
        self._seen = self._look_of_things()
        request = self._dock.settings.request_to_review()
        if request is None or not request.layers:
            self.engine.stop()
            self.controls.say(self._dock.reason() or "open an image", "muted")
            return
        try:
            wishes = self._images.wishes(request)
        except PlanError as error:
            self.engine.stop()
            self.controls.say(in_peoples_words(str(error)), "muted")
            return
        if self.engine.want(wishes):
            start_job(Job(self.engine.work, "live preview", stand_back=True), _nothing, quiet=True)
        self._look.start()

    def _show(self) -> None:
        """Show what has come."""
        working = self.engine.working
        report = self.engine.report()
        self._show_layers(report)
        for name, _ in report.finished:
            for output in self.outputs:
                if output.name == name:
                    output.changed()
        for output in self.outputs:
            output.tick() if working else output.finish()
        grid = self._controller.grid
        if self.outputs:
            grid.follow(self.outputs[0])
            grid.tick()
        if report.planned:
            readings = self.engine.readings(report.planned[0][1].name)
            self._controller.checks_changed.emit(readings)
        if report.finished:
            self._tell_estimate(report)
        self._say(report)
        if not working:
            self._look.stop()

    def _tell_estimate(self, report: EngineReport) -> None:
        """Tell what everything would take, at the speed of the tiles that came."""
        review, speed = self._review, self._controller.speed
        request = self._dock.request()
        if request is None or request.area in (VIEW, TILE, EVERYTHING):
            plans, area = [(each.plan, each.model) for _, each in report.planned], EVERYTHING
        elif review is not None and review.request == request and len(report.planned) == 1:
            plans, area = [(review.plan, report.planned[0][1].model)], request.area
        else:
            return
        known = [(plan, speed.seconds_per_tile(plan, model)) for plan, model in plans]
        if all(seconds is not None for _, seconds in known):
            channels = report.planned[0][0].run.request.made_channels if known else None
            self._controller.estimate_changed.emit(estimate_text(known, area, channels))

    def _show_layers(self, report: EngineReport) -> None:
        """Show what is planned, in layers."""
        self._busy_with_layers = True
        try:
            for wish, planned in report.planned:
                source = wish.run.source
                if source not in self._viewer.layers or self._images.name(source) != wish.image:
                    continue
                output = self._outputs.get(source)
                if output is None:
                    output = PreviewOutput(self._viewer, self.cache, source)
                    self._outputs[source] = output
                output.show(wish, planned)
                wish.run.live = cast("Any", output)
        finally:
            self._busy_with_layers = False
        runs = [wish.run for wish, _ in report.planned if wish.run.live is not None]
        shown = list(self._controller.results.runs)
        if runs and list(map(id, runs)) != list(map(id, shown)):
            # What is computed of outputs (removed noise) is computed of these.
            self._controller.results.begin(RunQueue(runs))

    def _say(self, report: EngineReport) -> None:
        if report.problem:
            self.controls.say(in_peoples_words(report.problem))
        elif report.kept < report.in_view:
            self.controls.say(
                f"{report.kept:,} of the {report.in_view:,} tiles in view fit into "
                f"{bytes_text(self.cache.budget)}: those nearest to the middle are denoised",
                "muted",
            )
        elif not report.planned:
            self.controls.say("getting ready…", "muted")
        elif report.waiting:
            done = report.in_view - report.waiting
            self.controls.say(f"denoising, {done:,} of {report.in_view:,} tiles in view", "muted")
        else:
            self.controls.say("what is in view is denoised", "muted")
        self.controls.show_used()


def _known(
    cache: TileCache, kept: tuple[Planned, ...], names: dict[Image, str], run: LayerRun
) -> Mapping[int, ImageRegionData]:
    """Tiles of a run that are in the cache."""
    assert run.plan is not None
    assert run.model is not None
    return known_cores(cache, names.get(run.source, ""), kept, run.plan, run.model)


def _transform(layer: Image) -> tuple[bytes, str]:
    """What moves the output with its input: where it lies, and what it is called."""
    matrix = layer._transforms[1:].simplified.affine_matrix
    return matrix.tobytes(), str(layer.name)


def _nothing() -> None:
    """Nobody waits for the end of the job: its tiles are looked for while it goes on."""


def _timer(parent: QObject, milliseconds: int, slot: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
