"""One model for each channel: a row of its own for every channel of the image."""

from __future__ import annotations

import re
from functools import partial

from magicgui.widgets import CheckBox
from qtpy.QtCore import QPoint, Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.look import LABEL_WIDTH, set_property
from napari_tessera.widgets.fields.model_chooser import (
    NO_MODEL,
    OTHER,
    KnownModels,
    ModelChooser,
    browse,
)

MOST_CHANNELS = 16
"""Channels that get rows: an axis with more is hardly one of colours."""

_NAMED = re.compile(r"\bchannel (\d+)\b")
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
        self._begins_anew = False
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
        if self.are_wanted and not self.value:
            return "Choose a model for a channel: none is denoised"
        return ""

    def set_channels(self, n_channels: int) -> None:
        """Say how many channels the image has."""
        self._n_channels = n_channels
        self.setVisible(1 < n_channels <= MOST_CHANNELS)

    def forget(self) -> None:
        """Start anew, for another image: one model for all, and no model of a channel."""
        with self.box.changed.blocked():
            self.box.value = False
        self._begins_anew = True

    def take(self, path: str, position: QPoint) -> bool:
        """Choose a file for the channel whose row is at a position; gives whether there is one."""
        for channel, chooser in enumerate(self.choosers):
            combo = chooser.combo
            if combo.isVisible() and combo.y() <= position.y() <= combo.geometry().bottom():
                self._on_file(channel, path)
                return True
        return False

    def show_problem(self, problem: str) -> None:
        """Mark the channels that a problem names, and those of the same model; else all."""
        models = [chooser.model for chooser in self.choosers]
        named = {int(channel) for channel in _NAMED.findall(problem)} & {*range(len(models))}
        bad = {models[channel] for channel in named}
        for chooser in self.choosers:
            is_wrong = bool(problem) and (not bad or chooser.model in bad)
            set_property(chooser.combo, "wrong", "true" if is_wrong else "false")

    def reset(self) -> None:
        """One model for all again."""
        self._begins_anew = True
        self.box.value = False

    def show_rows(self, model: str) -> None:
        """Show the rows there are to be; one that is new begins with this model."""
        wanted = self._n_channels if self.are_wanted else 0
        if wanted and self._begins_anew:
            self._begins_anew = False
            for chooser in self.choosers:
                chooser.choose(model)
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
        # Later made than all that follows, it would come last.
        before = self.choosers[-1].combo if self.choosers else self.box.native
        QWidget.setTabOrder(before, chooser.combo)
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
