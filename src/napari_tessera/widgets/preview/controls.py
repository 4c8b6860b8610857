"""What people see of the live preview in the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QPushButton, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.text import bytes_text
from napari_tessera.widgets.preview.tile_cache import TileCache, default_budget

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock

TIP = "Follow what I look at"

EDITED = "After an image was edited in place: off and on again, to read it anew"

_GB = 10**9


class PreviewControls(QObject):
    """The toggle, a line for what is in the way, and how much memory tiles may take.

    Parameters
    ----------
    dock : DenoiseDock
        Has the places for them.
    cache : TileCache
        Has the tiles.

    Attributes
    ----------
    toggled : Signal(bool)
        The toggle was clicked.
    budget_changed : Signal()
        Tiles may take more memory, or less.
    """

    toggled = Signal(bool)
    budget_changed = Signal()

    def __init__(self, dock: DenoiseDock, cache: TileCache) -> None:
        super().__init__(dock)
        self._cache = cache
        self.button = QPushButton("Live")
        self.button.setCheckable(True)
        self.button.setObjectName("live")
        self.button.setAccessibleName("Live preview")
        self.button.toggled.connect(self.toggled)
        dock.run_row.beside_main.addWidget(self.button)
        self.message = Message()
        column = dock.run_row.layout()
        assert isinstance(column, QVBoxLayout)
        # Below the main button and the tools.
        column.insertWidget(2, self.message)
        self.memory = QDoubleSpinBox()
        self.memory.setObjectName("live-memory")
        self.memory.setRange(0.1, 10_000)
        self.memory.setDecimals(1)
        self.memory.setSingleStep(0.5)
        self.memory.setSuffix(" GB")
        self.memory.setValue(cache.budget / _GB)
        self.memory.setToolTip(
            "Memory for tiles of the live preview, in GB: those looked at longest ago go first.\n"
            "At first a quarter of the memory that is free."
        )
        self.memory.valueChanged.connect(self._on_memory)
        advanced = dock.settings.advanced
        _add_above(advanced.copies, "Cache", self.memory)
        advanced.copies.reset_wanted.connect(self._reset)
        self.show_used()

    def set_on(self, on: bool) -> None:
        """Show whether it is on; tells nobody."""
        with QSignalBlocker(self.button):
            self.button.setChecked(on)

    def set_possible(self, possible: bool) -> None:
        """Let it be clicked, or not while a run goes on."""
        self.button.setEnabled(possible)
        self.show_used()

    def say(self, text: str, level: str = "error") -> None:
        """Show why nothing comes, or not all of it; empty: nothing."""
        line = f"Live: {text}" if text else ""
        if (self.message.message, self.message.level) != (line, level if line else ""):
            self.message.say(line, level)

    def show_used(self) -> None:
        """Tell in the tooltip how much memory tiles take."""
        if not self.button.isEnabled():
            self.button.setToolTip("Not while a run goes on: stop it first, or wait")
            return
        used, budget = bytes_text(self._cache.used), bytes_text(self._cache.budget)
        tiles = f"Denoised tiles take {used} of {budget} (see Advanced)"
        self.button.setToolTip(f"{TIP}\n{EDITED}\n{tiles}")

    def _reset(self) -> None:
        self.memory.setValue(default_budget() / _GB)

    def _on_memory(self, gigabytes: float) -> None:
        self._cache.budget = round(gigabytes * _GB)
        self.show_used()
        self.budget_changed.emit()


def _add_above(last: QWidget, label: str, field: QWidget) -> None:
    """Add a row to the form that a widget is the last one of, above that."""
    body = last.parentWidget()
    form = None if body is None else body.layout()
    assert isinstance(form, Form)
    form.removeWidget(last)
    form.add_row(label, field)
    form.add_across(last)
