"""The dock *Train on this layer*: three fields, a button, and how the training goes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from napari_tessera.training.errors import TrainingError
from napari_tessera.widgets.fields.column import Column
from napari_tessera.widgets.fields.form import FieldLabel
from napari_tessera.widgets.fields.image import ImageField
from napari_tessera.widgets.fields.layer_watch import viewer_slots
from napari_tessera.widgets.fields.look import set_property, style_sheet
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.notify import worth_telling
from napari_tessera.widgets.sample_opener import SampleOpener
from napari_tessera.widgets.training.advanced import TrainingAdvanced
from napari_tessera.widgets.training.basics import LengthField, MethodField, image_problem
from napari_tessera.widgets.training.box import Curve
from napari_tessera.widgets.training.controller import (
    BUSY,
    PAUSED,
    PREPARING,
    TrainingController,
)
from napari_tessera.widgets.training.neighbours import Neighbours, choose_model, denoise_view
from napari_tessera.widgets.training.pace import pace_key
from napari_tessera.widgets.training.places import fresh_path, unfinished
from napari_tessera.widgets.training.preview import TrainingPreview
from napari_tessera.widgets.training.request import TrainingRequest
from napari_tessera.widgets.training.run_view import TrainingView
from napari_tessera.widgets.training.unfinished import Unfinished, read_unfinished
from napari_tessera.widgets.training.words import paused_text, steps_text, trained_text

if TYPE_CHECKING:
    import napari.viewer

    from napari_tessera.widgets.reports import FieldProblem
    from napari_tessera.widgets.worker import Outcome

WIDTH = 320
"""Width that the dock asks for, px."""

HEIGHT = 560
"""Height that the dock asks for, px."""

PROMISE = "Trains a denoiser on your own image, which is never changed."


class TrainingDock(QWidget):
    """Dock widget that trains a model on an image layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer whose layers are trained on; napari hands it in.

    Attributes
    ----------
    image, method, length, advanced : QWidget
        The fields.
    view : TrainingView
        Buttons, progress, loss curve.
    controller : TrainingController
        Trains.
    preview : TrainingPreview
        Shows what was learned so far.
    neighbours : Neighbours
        Docks that take turns with this one.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.setObjectName("napari-tessera-training")
        self.viewer = viewer
        self._closed = self._was_docked = False
        self._trained: tuple[Any, Path] | None = None
        """Layer and model of the last training that came to its end."""
        self._found: Unfinished | None = None
        self._image_reported = ""
        self.controller = TrainingController(viewer, self)
        self.preview = TrainingPreview(viewer, self)
        self.image = ImageField(viewer.layers)
        self.method = MethodField(viewer.layers)
        self.length = LengthField()
        self.advanced = TrainingAdvanced(viewer.layers)
        self.view = TrainingView()
        self._sample = SampleOpener(self, self.image, viewer)
        self._looks = NewestJob("looking for stopped trainings", self)
        self._paces = NewestJob("reading how fast trainings were", self)
        self.neighbours = Neighbours(self)
        self._lay_out()
        self._connect()
        self._slots = viewer_slots(
            viewer, self._on_layers, self._on_selection, _nothing, self._follow_theme
        )
        for emitter, slot in self._slots:
            emitter.connect(slot)
        self.destroyed.connect(partial(_let_go, self._slots, self.image.watch))
        self._follow_theme()
        self._on_image()
        self.advanced.find_devices()
        self._paces.ask(None, self.controller.book.read)

    def sizeHint(self) -> QSize:
        """Size asked for; what does not fit is scrolled to."""
        return QSize(WIDTH, HEIGHT)

    def event(self, event: QEvent | None) -> bool:
        """Notice the end: taken out of the window or deleted, it lets go of the viewer."""
        if event is not None and event.type() == QEvent.Type.DeferredDelete:
            self.shut_down()
        if event is not None and event.type() in (QEvent.Type.Show, QEvent.Type.FontChange):
            self._level_labels()
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
            elif self._was_docked:
                self.shut_down()
        return handled

    @property
    def reason(self) -> str:
        """Why nothing can be trained now; empty where something can, or does."""
        if self.controller.busy:
            return ""
        return (
            self.neighbours.reason
            or image_problem(self.image)
            or self.method.problem
            or self.advanced.problem
        )

    def request(self) -> TrainingRequest | None:
        """What the fields ask for; None where they cannot be read."""
        if self.reason:
            return None
        path = self.advanced.save.path
        if path is None:
            return None
        return TrainingRequest(
            self.image.layers[0],
            self.image.axes,
            self.advanced.settings(self.method.value, self.length.steps),
            path,
            self.method.target,
            self.advanced.mask_layer,
            str(self.advanced.device.value),
        )

    def start(self, goes_on: bool = False) -> None:
        """Train as the fields say; or go on with the training that was stopped."""
        request, found = self.request(), self._found
        if request is None or self.controller.busy:
            return
        if not goes_on or found is None:
            self._begin(request)
            return
        # a model is there where the weights so far were used: more steps replace it
        settings = found.settings
        request = replace(request, settings=settings, resume=True, overwrite=True)
        self._begin(request, found.curve)

    def start_over(self) -> None:
        """Train anew what was stopped. What it had learned is forgotten unless it was used."""
        request = self.request()
        if request is None or self.controller.busy:
            return
        if request.model_out.exists():
            fresh = fresh_path(request.layer.name, request.settings.method)
            self._begin(replace(request, model_out=fresh))
        else:
            self._begin(replace(request, overwrite=True))

    def shut_down(self) -> None:
        """Pause what goes on and let go of the viewer; the dock is of no use afterwards."""
        if self._closed:
            return
        self._closed = True
        self.preview.close()
        self.controller.shut_down()
        self.neighbours.close()
        self._sample.close()
        self._looks.forget()
        self._paces.forget()
        _let_go(self._slots, self.image.watch)
        self._slots.clear()

    def _lay_out(self) -> None:
        promise = QLabel(PROMISE)
        promise.setWordWrap(True)
        set_property(promise, "level", "muted")
        self.column = Column(
            (promise, self.image, self.method, self.length, self.view, self.advanced)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.column)

    def _level_labels(self) -> None:
        """Let the three fields begin at one place, whatever their labels are."""
        fields = (self.image, self.method, self.length)
        labels = [label for field in fields for label in field.findChildren(FieldLabel)]
        widest = max(label.sizeHint().width() for label in labels)
        for label in labels:
            label.setMinimumWidth(widest)

    def _connect(self) -> None:
        self.image.changed.connect(self._on_image)
        self.method.changed.connect(self._on_method)
        self.length.changed.connect(self._on_settings)
        self.advanced.changed.connect(self._on_settings)
        self._looks.finished.connect(self._on_found)
        self._paces.finished.connect(self._show_times)
        self.neighbours.changed.connect(self._show_action)
        view, controller = self.view, self.controller
        view.start_wanted.connect(self.start)
        view.over_wanted.connect(self.start_over)
        view.stop_wanted.connect(controller.stop)
        view.preview_toggled.connect(self.preview.switch)
        view.use_wanted.connect(self._use)
        controller.state_changed.connect(self._on_state)
        controller.told.connect(self._on_told)
        controller.noticed.connect(view.add_notice)
        controller.problem_found.connect(self._on_problem)
        controller.trained.connect(self._on_trained)
        self.preview.failed.connect(self._on_preview_failed)
        self.preview.shown.connect(partial(view.preview_note.say, ""))
        self.preview.removed.connect(partial(view.set_preview, False))

    def _begin(self, request: TrainingRequest, curve: Curve | None = None) -> None:
        self._trained = None
        self._forget_reports()
        self.view.forget_notices()
        self.view.say_kept("")
        self.view.offer_use(False)
        self.controller.start(request, curve or Curve())
        if self.controller.busy:
            self.preview.begin(request, self.controller.box)

    def _on_layers(self, event: object = None) -> None:
        self.image.refresh_choices()
        self.method.refresh_choices()
        self.advanced.refresh_choices()
        self._show_action()

    def _on_selection(self, event: object = None) -> None:
        if not self.controller.busy:
            self.image.follow_selection()

    def _follow_theme(self, event: object = None) -> None:
        from napari.utils.theme import get_theme

        kind = str(get_theme(self.viewer.theme).type)
        self.setStyleSheet(style_sheet(kind))
        self.view.curve.set_theme(kind)

    def _on_image(self) -> None:
        layers = self.image.layers
        self.method.set_image(layers[0] if len(layers) == 1 else None)
        self.advanced.set_image(self.image.letters)
        self._on_settings()

    def _on_method(self) -> None:
        self.advanced.set_method(self.method.value)
        self._on_settings()

    def _on_settings(self) -> None:
        if self.controller.busy:
            return
        self._forget_reports()
        layers = self.image.layers
        name = layers[0].name if len(layers) == 1 else ""
        self.advanced.save.suggest(name, self.method.value)
        self._show_times()
        self._look_for_unfinished()
        self._show_action()

    def _forget_reports(self) -> None:
        self._image_reported = ""
        self.image.report(self._image_note)
        self.method.report("")
        self.advanced.forget_reports()
        self.view.say_failed("")

    @property
    def _image_note(self) -> str:
        """What stands below the image: none to be opened is told by the field itself."""
        return self._image_reported or (image_problem(self.image) if self.image.layers else "")

    def _look_for_unfinished(self) -> None:
        """Find out whether the model's training was begun before."""
        path = self.advanced.save.path
        self._found = None
        if path is not None and unfinished(path):
            self._looks.ask(path, partial(read_unfinished, path))
        else:
            self._looks.forget()

    def _on_found(self, path: Path, outcome: Outcome) -> None:
        if self._closed or self.controller.busy or path != self.advanced.save.path:
            return
        self._found = outcome.value
        if self._found is None:
            self.advanced.report("checkpoint", str(outcome.error))
        elif self.controller.state != PAUSED:
            done = steps_text(self._found.step)
            told = f"A training was stopped after {done} of {self._found.settings.steps:,}"
            self.view.say_kept(f"{told}: Continue training goes on", "muted")
        self._show_action()

    def _show_times(self, *_: object) -> None:
        advanced = self.advanced
        key = ""
        try:
            settings = advanced.settings(self.method.value, self.length.steps)
            layers = self.image.layers
            channels = 3 if layers and layers[0].rgb else self.image.n_channels
            key = pace_key(settings, channels, str(advanced.device.value))
        except TrainingError:
            pass
        self.length.show_time(partial(self.controller.book.seconds, key), advanced.typed_steps)

    def _show_action(self) -> None:
        if self._closed:
            return
        goes_on = self._found is not None
        self.view.show_action(self.reason, goes_on=goes_on, can_restart=goes_on)

    def _on_state(self, state: str) -> None:
        busy = state in BUSY
        for field in (self.image, self.method, self.length, self.advanced):
            field.setEnabled(not busy)
        self.view.show_state(state)
        if state == PREPARING:
            self._found = None
        if not busy:
            self.preview.end()
            self._on_selection()
            self._on_settings()
        if state == PAUSED:
            self.view.say_kept(f"{paused_text(self.controller.progress)}.")
        self._show_action()

    def _on_told(self) -> None:
        request, progress = self.controller.request, self.controller.progress
        steps = 1 if request is None else request.settings.steps
        self.view.show_progress(progress, self.controller.curve, steps)

    def _on_problem(self, problem: FieldProblem) -> None:
        """Show why a training could not begin, or go on, beside the field that causes it."""
        if problem.field in ("image", "axes"):
            self._image_reported = problem.message
            self.image.report(problem.message)
        elif problem.field == "target":
            self.method.report(problem.message)
        elif not self.advanced.report(problem.field, problem.message):
            self.view.say_failed(problem.message)
        if self.controller.progress is not None and self.controller.progress.step:
            # it went on for a while: who looks elsewhere is told
            show_error(problem.message)
        self._show_action()

    def _on_trained(self, model: Path) -> None:
        request, progress = self.controller.request, self.controller.progress
        assert request is not None
        self._trained = (request.layer, model)
        line = trained_text(model.stem, progress)
        self.view.say_kept(f"{line}.")
        self.view.offer_use(request.layer in self.viewer.layers)
        choose_model(self.viewer, model)
        seconds = 0.0 if progress is None else progress.seconds
        if worth_telling(seconds, looking=QApplication.activeWindow() is not None):
            show_info(line)
            QApplication.alert(self.window())

    def _use(self) -> None:
        if self._trained is not None and self._trained[0] in self.viewer.layers:
            denoise_view(self.viewer, *self._trained)

    def _on_preview_failed(self, why: str) -> None:
        self.view.preview_note.say(why, "warning")


def _nothing(event: object = None) -> None:
    """What is done when camera or sliders move: the preview looks by itself."""


def _let_go(slots: list[tuple[Any, Any]], watch: Any) -> None:
    """Leave nothing of the dock in the viewer, which may live on without it."""
    for emitter, slot in slots:
        emitter.disconnect(slot)
    slots.clear()
    watch.release()
