"""The dock *Train on this layer*: three fields, a button, and how the training goes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_tessera.training.errors import TrainingError
from napari_tessera.widgets.fields.column import Column
from napari_tessera.widgets.fields.form import FieldLabel
from napari_tessera.widgets.fields.image import ImageField
from napari_tessera.widgets.fields.layer_watch import viewer_slots
from napari_tessera.widgets.fields.look import kind_of_theme, set_property, style_sheet
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.sample_opener import SampleOpener
from napari_tessera.widgets.tab_order import read_in_order
from napari_tessera.widgets.training.advanced import TrainingAdvanced
from napari_tessera.widgets.training.basics import (
    LengthField,
    MethodField,
    channels_guess,
    image_problem,
)
from napari_tessera.widgets.training.box import Curve
from napari_tessera.widgets.training.controller import (
    BUSY,
    DONE,
    PAUSED,
    PREPARING,
    TrainingController,
)
from napari_tessera.widgets.training.ending import TrainingEnds
from napari_tessera.widgets.training.neighbours import Neighbours
from napari_tessera.widgets.training.pace import pace_key
from napari_tessera.widgets.training.places import fresh_path
from napari_tessera.widgets.training.preview import TrainingPreview
from napari_tessera.widgets.training.request import TrainingRequest
from napari_tessera.widgets.training.run_view import TrainingView
from napari_tessera.widgets.training.stopped import StoppedTraining
from napari_tessera.widgets.training.words import paused_text

if TYPE_CHECKING:
    import napari.viewer


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
    stopped : StoppedTraining
        What can go on.
    ends : TrainingEnds
        Tells how trainings end.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.setObjectName("napari-tessera-training")
        self.viewer = viewer
        self._closed = self._was_docked = False
        self.controller = TrainingController(viewer, self)
        self.preview = TrainingPreview(viewer, self)
        self.image = ImageField(viewer.layers)
        self.method = MethodField(viewer.layers)
        self.length = LengthField()
        self.advanced = TrainingAdvanced(viewer.layers)
        self.view = TrainingView()
        self._sample = SampleOpener(self, self.image, viewer)
        self.stopped = StoppedTraining(self)
        self._paces = NewestJob("reading how fast trainings were", self)
        self.neighbours = Neighbours(self)
        self._lay_out()
        self.ends = TrainingEnds(self)
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
        # a button that is clicked need not take the focus: what is typed counts now, not later,
        # when it would wipe out what the training has told by then
        for rest in self.findChildren(TypingRest):
            rest.finish()
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
        # what was found is looked for again where a number that was just typed counts from now on
        found, request = self.stopped.found, self.request()
        if request is None or self.controller.busy:
            return
        if not goes_on or found is None or found.model_out != request.model_out:
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
            # what was used stays
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
        self.stopped.forget()
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
        room = self.image.beside.parentWidget()
        if room is not None:
            # there are no small buttons here: the chooser is as wide as those below it
            room.hide()
        for before, after in pairwise(read_in_order(self.column.content)):
            QWidget.setTabOrder(before, after)

    def _level_labels(self) -> None:
        """Let fields below one another begin at one place, whatever their labels are."""
        for fields in ((self.image, self.method, self.length), (self.advanced,)):
            labels = [label for field in fields for label in field.findChildren(FieldLabel)]
            widest = max(label.sizeHint().width() for label in labels)
            for label in labels:
                label.setMinimumWidth(widest)

    def _connect(self) -> None:
        self.image.changed.connect(self._on_image)
        self.method.changed.connect(self._on_method)
        self.length.changed.connect(self._on_settings)
        self.advanced.changed.connect(self._on_settings)
        self.stopped.changed.connect(self._on_stopped)
        self._paces.finished.connect(self._show_times)
        self.neighbours.changed.connect(self.show_action)
        view, controller = self.view, self.controller
        view.start_wanted.connect(self.start)
        view.over_wanted.connect(self.start_over)
        view.stop_wanted.connect(controller.stop)
        view.preview_toggled.connect(self.preview.switch)
        controller.state_changed.connect(self._on_state)
        controller.told.connect(self._on_told)
        controller.noticed.connect(view.add_notice)
        self.preview.failed.connect(self._on_preview_failed)
        self.preview.shown.connect(partial(view.preview_note.say, ""))
        self.preview.removed.connect(partial(view.set_preview, False))

    def _begin(self, request: TrainingRequest, curve: Curve | None = None) -> None:
        self.ends.forget()
        self.controller.start(request, curve or Curve())
        if self.controller.busy:
            self.preview.begin(request, self.controller.box)

    def _on_layers(self, event: object = None) -> None:
        self.image.refresh_choices()
        self.method.refresh_choices()
        self.advanced.refresh_choices()
        self.ends.show_use()
        self.show_action()

    def _on_selection(self, event: object = None) -> None:
        if not self.controller.busy:
            self.image.follow_selection()

    def _follow_theme(self, event: object = None) -> None:
        kind = kind_of_theme(self.viewer.theme)
        self.setStyleSheet(style_sheet(kind))
        self.view.curve.set_theme(kind)

    def _on_image(self) -> None:
        layers = self.image.layers
        self.method.set_image(layers[0] if len(layers) == 1 else None)
        self.advanced.set_image(self.image.letters)
        self.image.making.say(channels_guess(self.image), "muted")
        if self.image.making.message:
            self.image.ask_for_axes()
        request = self.controller.request
        if not self.controller.busy and request is not None and layers != (request.layer,):
            # what was told of the last training is not about this image
            self.view.forget_notices()
            self.view.curve.hide()
        self._on_settings()

    def _on_method(self) -> None:
        self.advanced.set_method(self.method.value)
        self._on_settings()

    def _on_settings(self) -> None:
        if self.controller.busy:
            return
        self.ends.forget_problems()
        self._show_times()
        self.look_again()

    def look_again(self) -> None:
        """Find a place for the model, and whether a training there can go on."""
        layers = self.image.layers
        layer = layers[0] if len(layers) == 1 else None
        others = self.stopped.others(layer, self.method.target, self.advanced.mask_layer)
        save = self.advanced.save
        save.suggest("" if layer is None else layer.name, self.method.value, others)
        self.stopped.look(None if save.path in others else save.path)
        if self.ends.model is None and not self._just_paused:
            # it was said of another image
            self.view.say_kept("")
        self.show_action()

    @property
    def _just_paused(self) -> bool:
        """Whether the last training was stopped, and is what the fields are about."""
        request = self.controller.request
        if request is None or self.controller.state != PAUSED:
            return False
        path = self.advanced.save.path
        return request.model_out == path and self.image.layers == (request.layer,)

    def _on_stopped(self) -> None:
        if self._closed or self.controller.busy:
            return
        if self.stopped.problem:
            problem = self.stopped.problem
            self.look_again()
            self.view.say_kept(problem, "warning")
        elif not self._just_paused and self.advanced.save.path != self.ends.model:
            self.ends.forget_trained()
            self.view.say_kept(self.stopped.text, "muted")
        self.show_action()

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
        advanced.numbers["steps"].set_auto(self.length.steps)
        self.length.show_time(partial(self.controller.book.seconds, key), advanced.typed_steps)

    def show_action(self) -> None:
        """Show what the buttons do, and why not."""
        if self._closed:
            return
        goes_on = self.stopped.found is not None
        waits_for = "" if self.controller.busy else self.neighbours.reason
        self.view.show_action(self.reason, waits_for, goes_on=goes_on)

    def _on_state(self, state: str) -> None:
        busy = state in BUSY
        for field in (self.image, self.method, self.length, self.advanced):
            field.setEnabled(not busy)
        self.view.show_state(state)
        if state == PREPARING:
            self.stopped.forget()
        if not busy:
            if state != DONE:
                self.preview.end()
            self._on_selection()
            self._on_settings()
        if state == PAUSED:
            self.view.say_kept(f"{paused_text(self.controller.progress)}.")
        self.show_action()

    def _on_told(self) -> None:
        request, progress = self.controller.request, self.controller.progress
        steps = 1 if request is None else request.settings.steps
        self.view.show_progress(progress, self.controller.curve, steps)

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
