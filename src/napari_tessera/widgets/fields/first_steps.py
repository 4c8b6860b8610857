"""One line below the main button that tells a new user what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QVBoxLayout

from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.request import EVERYTHING, INSIDE, SLICE, VIEW, VOLUME
from napari_tessera.widgets.run_state import IDLE

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock

OPEN = "Open an image: File → Open, or drag it into the window; or click Try a sample."
_WHAT = {
    VIEW: "what is on screen",
    SLICE: "the plane on display",
    VOLUME: "the volume on display",
    EVERYTHING: "all of the image",
    INSIDE: "what is inside the shapes",
}


class FirstSteps(QObject):
    """Says what to do, then what the main button will do; gone with the first run.

    Where a field tells what is wrong, that is what to do next: this line says nothing then.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.

    Attributes
    ----------
    line : Message
        What it says.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._over = False
        self.line = Message()
        rows = dock.run_row.layout()
        assert isinstance(rows, QVBoxLayout)
        rows.insertWidget(rows.indexOf(dock.run_row.failure), self.line)
        fields = dock.settings
        for field in (fields.image, fields.model, fields.area, fields.tiles, fields.save):
            field.changed.connect(self._show)
        fields.advanced.changed.connect(self._show)
        dock.readiness.changed.connect(self._show)
        dock.controller.state_changed.connect(self._on_state)
        self._show()

    def close(self) -> None:
        """Nothing of the viewer is held."""

    def _on_state(self, state: str) -> None:
        self._over = self._over or state != IDLE
        self._show()

    def _show(self) -> None:
        self.line.say("" if self._over or self._is_wrong else self._text(), "muted")

    @property
    def _is_wrong(self) -> bool:
        """Whether a field tells of an error; that no image is open is none."""
        settings = self._dock.settings
        known = bool(settings.image.layers) and bool(settings.problem)
        return known or self._dock.readiness.problem is not None

    def _text(self) -> str:
        layers = self._dock.settings.image.layers
        if not layers:
            return OPEN
        what = _WHAT.get(self._dock.settings.area.value, "")
        if not what:
            return ""
        into = "a new layer" if len(layers) == 1 else "a new layer for each"
        return f"Denoises {what} into {into}."
