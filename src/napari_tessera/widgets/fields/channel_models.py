"""One model for each channel: a row of its own for every channel of the image."""

from __future__ import annotations

from functools import partial

from magicgui.widgets import CheckBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.look import LABEL_WIDTH
from napari_tessera.widgets.fields.model_chooser import (
    NO_MODEL,
    OTHER,
    KnownModels,
    ModelChooser,
    browse,
)

MOST_CHANNELS = 16
"""Channels that get rows: an axis with more is hardly one of colours."""

_EXTRA = (("not denoised", NO_MODEL), ("Choose a file…", OTHER))


class ChannelModels(QWidget):
    """Switch between one model for all channels and a chooser for each channel.

    Hidden unless the image has several channels.

    Parameters
    ----------
    known : KnownModels
        What is offered.

    Attributes
    ----------
    switched : Signal()
        Each channel is to have a model of its own, or no longer.
    changed : Signal()
        Another model was chosen for a channel.
    """

    switched = Signal()
    changed = Signal()

    def __init__(self, known: KnownModels, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known = known
        self._n_channels = 1
        self.choosers: list[ModelChooser] = []
        self._labels: list[QLabel] = []
        self.box = CheckBox(
            text="One model per channel",
            tooltip="Choose a model of one channel for each channel of the image.",
        )
        self._form = Form(self, LABEL_WIDTH)
        self._title = self._form.add_row("Model", self.box.native)
        self.box.native.setAccessibleName("One model per channel")
        self.box.changed.connect(self._on_switched)
        self.hide()

    @property
    def are_wanted(self) -> bool:
        """Whether each channel has a model of its own."""
        return bool(self.box.value) and 1 < self._n_channels <= MOST_CHANNELS

    @property
    def value(self) -> tuple[tuple[int, str], ...]:
        """Channel and model of those that are denoised; empty where all have the same."""
        if not self.are_wanted:
            return ()
        models = [chooser.model for chooser in self.choosers[: self._n_channels]]
        return tuple((c, model) for c, model in enumerate(models) if model != NO_MODEL)

    @property
    def problem(self) -> str:
        """Why no run can start; else empty."""
        return "Choose a model for a channel" if self.are_wanted and not self.value else ""

    def set_channels(self, n_channels: int) -> None:
        """Say how many channels the image has."""
        self._n_channels = n_channels
        self.setVisible(1 < n_channels <= MOST_CHANNELS)

    def reset(self) -> None:
        """One model for all again."""
        self.box.value = False

    def show_rows(self, model: str) -> None:
        """Show the rows there are to be; one that is new begins with this model."""
        wanted = self._n_channels if self.are_wanted else 0
        while len(self.choosers) < wanted:
            self._add_row(model)
        self._title.setText("Model" if wanted else "")
        for i, (label, chooser) in enumerate(zip(self._labels, self.choosers, strict=True)):
            label.setVisible(i < wanted)
            chooser.combo.setVisible(i < wanted)

    def _add_row(self, model: str) -> None:
        channel = len(self.choosers)
        chooser = ModelChooser(self._known, f"Model of channel {channel}", _EXTRA)
        chooser.choose(model)
        chooser.changed.connect(partial(self._on_chosen, channel))
        self._labels.append(self._form.add_row(f"C {channel}", chooser.combo))
        self.choosers.append(chooser)

    def _on_switched(self) -> None:
        self.switched.emit()

    def _on_chosen(self, channel: int, model: str) -> None:
        if model == OTHER:
            self.choosers[channel].refresh()
            browse(self).fileSelected.connect(partial(self._on_file, channel))
        else:
            self.changed.emit()

    def _on_file(self, channel: int, path: str) -> None:
        self.choosers[channel].choose(path)
        self.changed.emit()
