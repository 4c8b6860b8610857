"""Which model denoises, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from qtpy.QtCore import Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.about_model import AboutModel
from napari_tessera.widgets.fields.channel_models import ChannelModels
from napari_tessera.widgets.fields.form import Form, as_wide_as_its_text
from napari_tessera.widgets.fields.look import GAP, LABEL_WIDTH, set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.model_chooser import (
    BUILTIN,
    OTHER,
    KnownModels,
    ModelChooser,
    browse,
)
from napari_tessera.widgets.fields.text import in_peoples_words

if TYPE_CHECKING:
    from napari_tessera.widgets.model_reader import ModelReading
    from napari_tessera.widgets.request import RunRequest

TRAIN = "Train on this layer…"
"""Last choice: a model that is yet to be trained."""

SEES_VOLUMES = "This image has Z: Built-in 3D looks at neighbouring planes too"
"""Said of the model that is chosen at first, which takes plane by plane."""


class ModelField(QWidget):
    """Chooser of the built-in model, models used before, and any file, for all channels or each.

    A file can be dropped here as well.

    Attributes
    ----------
    changed : Signal()
        Another model was chosen.
    training_wanted : Signal()
        A model is to be trained on the image.
    reading_wanted : Signal()
        What is known of the model is to be found out, as far as that was not done yet.
    about : AboutModel
        What is known of the model; shown on demand.
    channels : ChannelModels
        Models of single channels.
    """

    changed = Signal()
    training_wanted = Signal()
    reading_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.known = KnownModels(self)
        self._reported = ""
        self._layers: tuple[object, ...] = ()
        self._axes = ""
        self.main = ModelChooser(self.known, "Model", extra=[(TRAIN, OTHER)])
        self.main.changed.connect(self._on_main)
        self.browse_button = PushButton(
            text="…",
            tooltip=(
                "Choose a model file; of a package its .zip, or the .yaml in its folder.\n"
                "A file or a package's folder can be dropped here as well."
            ),
        )
        self.browse_button.native.setAccessibleName("Choose a model file")
        as_wide_as_its_text(self.browse_button.native)
        self.browse_button.changed.connect(self._browse)
        self.about_button = QToolButton()
        self.about_button.setText("i")
        self.about_button.setCheckable(True)
        self.about_button.setToolTip("About this model.")
        self.about_button.setAccessibleName("About this model")
        self.about_button.toggled.connect(self._on_about)
        self.message = Message()
        self.warnings = Message()
        self.hint = Message()
        """What else could be chosen for an image like this."""
        self.about = AboutModel()
        self.about.hide()
        self.channels = ChannelModels(self.known)
        self.channels.switched.connect(self._on_switched)
        self.channels.changed.connect(self._on_chosen)
        self._row = QWidget()
        form = Form(self._row)
        form.add_row("Model", self.main.combo, self.browse_button.native, self.about_button)
        for note in (self.message, self.warnings, self.hint):
            note.setContentsMargins(LABEL_WIDTH + GAP, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        for part in (self._row, self.channels, self.message, self.warnings, self.hint, self.about):
            layout.addWidget(part)
        self.setAcceptDrops(True)

    @property
    def value(self) -> str:
        """What `load_model` takes: the built-in's name or the path of a file."""
        return self.main.model

    @value.setter
    def value(self, model: str | Path) -> None:
        if self.main.choose(model):
            self._on_chosen()

    @property
    def of_channels(self) -> tuple[tuple[int, str], ...]:
        """Channel and model of those that have one of their own; empty: one for all."""
        return self.channels.value

    @property
    def problem(self) -> str:
        """Why no run can start, as far as this field alone knows; else empty."""
        return self.channels.problem

    @property
    def reading_is_wanted(self) -> bool:
        """Whether there is something to say of the model before it is run.

        The built-in one has no secrets, and reading it takes time.
        """
        return not self.of_channels and (self.value != BUILTIN or self.about_button.isChecked())

    def set_channels(self, n_channels: int, layers: Iterable[object] = (), axes: str = "") -> None:
        """Say how many channels the image has that a model could be chosen for, and its axes.

        Models of the channels of other layers mean nothing here: they are forgotten.
        """
        layers, before = tuple(layers), self._layers
        self._layers = layers
        if layers != before:
            self.channels.forget()
        self._axes = axes
        self.channels.set_channels(n_channels)
        self._show_rows()
        self._show_problem()
        self._show_hint()

    def keep(self, request: RunRequest) -> None:
        """Remember the files of a request for next time, now that they could be loaded."""
        models = [model for _, model in request.channel_models] or [request.model]
        self.known.keep([model for model in reversed(models) if isinstance(model, str)])

    def report(self, problem: str) -> None:
        """Show why the model cannot be used; empty: it can."""
        self._reported = in_peoples_words(problem)
        self._show_problem()

    def show_reading(self, reading: ModelReading) -> None:
        """Show what was found out of the model."""
        if reading.info is None:
            # A problem stands below the chooser, once.
            self.about.show_nothing("" if reading.problem else "Reading the model…")
            self._show_about()
            self.warnings.say("")
            if reading.problem and not self.channels.are_wanted:
                self.report(reading.problem)
            return
        self.about.show_info(reading.info)
        self._show_about()
        self.show_warnings(reading.info.warnings)

    def show_warnings(self, warnings: Iterable[str]) -> None:
        """Show what people should know of the model."""
        self.warnings.say("\n".join(map(in_peoples_words, warnings)), "warning")

    def reset(self) -> None:
        """The built-in model for all channels again."""
        self.channels.reset()
        self.value = BUILTIN
        self.about_button.setChecked(False)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Take one local file, or the folder of a package."""
        if event is not None and _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Choose what was dropped."""
        path = "" if event is None else _dropped(event)
        if event is None or not path:
            return
        event.acceptProposedAction()
        if not self.channels.are_wanted:
            self._on_file(path)
        elif not self.channels.take(path, self.channels.mapFrom(self, event.position().toPoint())):
            self.message.say("Drop the file on the chooser of its channel", "warning")

    def _on_main(self, model: str) -> None:
        if model == OTHER:
            self.main.refresh()
            self.training_wanted.emit()
        else:
            self._on_chosen()

    def _on_chosen(self) -> None:
        self.report("")
        self.warnings.say("")
        self._show_hint()
        self.changed.emit()
        self._want_reading()

    def _show_problem(self) -> None:
        problem = self.problem or self._reported
        self.message.say(problem)
        set_property(self.main.combo, "wrong", "true" if problem else "false")
        self.channels.show_problem(problem)

    def _show_hint(self) -> None:
        flat = self.value == BUILTIN and not self.channels.are_wanted
        self.hint.say(SEES_VOLUMES if flat and "Z" in self._axes else "", "muted")

    def _on_about(self) -> None:
        self._want_reading()
        self._show_about()

    def _show_about(self) -> None:
        self.about.setVisible(self.about_button.isChecked() and self.about.says_something)

    def _want_reading(self) -> None:
        if self.reading_is_wanted:
            self.reading_wanted.emit()

    def _on_switched(self) -> None:
        self._show_rows()
        self._on_chosen()

    def _show_rows(self) -> None:
        each = self.channels.are_wanted
        self.channels.show_rows(self.value)
        self._row.setVisible(not each)
        if each:
            self.about_button.setChecked(False)

    def _browse(self) -> None:
        browse(self).fileSelected.connect(self._on_file)

    def _on_file(self, path: str) -> None:
        if path == self.value:
            # The same file may hold another model by now.
            self._on_chosen()
        self.value = path


def _dropped(event: QDropEvent) -> str:
    """Path of the one local file or folder that is dropped; else empty."""
    data = event.mimeData()
    urls = [] if data is None else data.urls()
    return urls[0].toLocalFile() if len(urls) == 1 else ""
