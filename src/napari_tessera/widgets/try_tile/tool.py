"""Try a tile: a click in the image denoises the tile there, and tells what the rest would take."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QPushButton, QShortcut, QVBoxLayout

from napari_tessera.widgets.fields.main_key import MainKey
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.text import in_peoples_words
from napari_tessera.widgets.layer_source import layer_letters, open_layer
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.request import TILE, RunRequest
from napari_tessera.widgets.run_state import DONE, RESTING
from napari_tessera.widgets.try_tile.click import Clicks, position_in
from napari_tessera.widgets.try_tile.costs import costs_of, runs_of
from napari_tessera.widgets.try_tile.frame import TileFrame
from napari_tessera.widgets.try_tile.words import cost_lines, tile_text

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.worker import Outcome

TIP = (
    "Click in the image: the tile there is denoised with the settings as they are,\n"
    "and what the area chosen, and everything, would take is told. Esc ends it."
)

HINT = "Click in the image to denoise the tile there. Esc ends it."

ESCAPE = "Escape"


class TryTile(QObject):
    """The button below the main one, and what it does.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._viewer = dock.viewer
        self._asked: RunRequest | None = None
        """What the last click asked for, until it is told what came of it."""
        self._key: MainKey | None = None
        self.button = QPushButton("Try a tile")
        self.button.setObjectName("try")
        self.button.setCheckable(True)
        self.button.setToolTip(TIP)
        self.button.toggled.connect(self._on_toggled)
        dock.run_row.tools.addWidget(self.button)
        self.message = Message()
        column = dock.run_row.layout()
        assert isinstance(column, QVBoxLayout)
        # Below the main button and the tools.
        column.insertWidget(2, self.message)
        self._shortcut = QShortcut(QKeySequence(Qt.Key.Key_Escape), dock)
        self._shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._shortcut.setEnabled(False)
        self._shortcut.activated.connect(self.end)
        self.frame = TileFrame(dock.viewer)
        self._clicks = Clicks(dock.viewer, self._on_click)
        self._costs = NewestJob("working out what everything takes", self)
        self._costs.finished.connect(self._on_costs)
        self._told: tuple[str, ...] = ()
        dock.controller.state_changed.connect(self._on_state)
        self._source: Image | None = None
        """The image that a tile was tried of."""
        self._with: RunRequest | None = None
        """The settings that what is told holds for."""
        fields = dock.settings
        for field in (fields.image, fields.model, fields.area, fields.tiles, fields.save):
            field.changed.connect(self._on_settings)
        fields.advanced.changed.connect(self._on_settings)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._closed = False

    def end(self) -> None:
        """Put the tool away."""
        self.button.setChecked(False)

    def close(self) -> None:
        """Let go of the viewer."""
        if self._closed:
            return
        self._closed = True
        self._put_away()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self.frame.close()

    def _on_toggled(self, on: bool) -> None:
        if not on:
            self._put_away()
            return
        self._clicks.start()
        self._key = MainKey(self._viewer, self.end, ESCAPE)
        self._shortcut.setEnabled(True)
        self.message.say(HINT, "muted")

    def _put_away(self) -> None:
        self._clicks.stop()
        self._shortcut.setEnabled(False)
        if self._key is not None:
            self._key.release()
            self._key = None
        self._asked = self._source = None
        self._forget()
        self.message.say("")

    def _forget(self) -> None:
        """Tell nothing any more of the tile that was tried."""
        self._with = None
        self._costs.forget()
        self.frame.hide()
        self._dock.run_row.hide_estimate(False)

    def _on_settings(self) -> None:
        """Take away what was told with other settings."""
        if self._with is not None and self._dock.request() != self._with:
            self._forget()
            self.message.say(HINT, "muted")

    def _on_removed(self, event: Any) -> None:
        asked = () if self._asked is None else self._asked.layers
        if event.value is self._source or event.value in asked:
            self.end()
        elif isinstance(event.value, Image):
            # The chooser is told of it too.
            QTimer.singleShot(0, self._end_without_image)

    def _end_without_image(self) -> None:
        if not self._closed and not self._dock.settings.image.layers:
            self.end()

    def _on_click(self, world: Any) -> None:
        # napari is through with the mouse first.
        QTimer.singleShot(0, partial(self._try, world))

    def _try(self, world: Any) -> None:
        """Denoise the tile at a point of the viewer's world."""
        request = self._dock.request()
        if self._closed or not self.button.isChecked():
            return
        if self._dock.controller.busy:
            self.message.say("One run at a time: wait for the end, or stop it", "muted")
        elif self._viewer.dims.ndisplay == 3:
            self.message.say("A tile is tried in 2D display: go back to it, then click", "muted")
        elif request is None or not request.layers:
            self.message.say(self._dock.reason() or "Open an image first", "muted")
        else:
            found = self._layer_at(request, world)
            if found is None:
                names = " or ".join(layer.name for layer in request.layers)
                self.message.say(f"Nothing to denoise there: click inside {names}", "muted")
            else:
                layer, at = found
                self._start(request, layer, at)

    def _layer_at(self, request: RunRequest, world: Any) -> tuple[Image, dict[str, float]] | None:
        """The topmost of the chosen images at a point, and where in it."""
        for layer in reversed([each for each in self._viewer.layers if each in request.layers]):
            try:
                letters = layer_letters(layer, open_layer(layer, request.axes).original_axes)
            except ValueError:
                continue
            at = position_in(self._viewer, layer, letters, world)
            if at is not None:
                return layer, at
        return None

    def _start(self, request: RunRequest, layer: Image, at: dict[str, float]) -> None:
        asked = replace(
            request, layers=(layer,), area=TILE, at=tuple(at.items()), inside=None, save=None
        )
        self._forget()
        self._asked = asked
        self.message.say("Denoising one tile…", "muted")
        self._dock.start(asked)
        if self._dock.controller.request != asked:
            # It was refused at once; the field that it is about says why.
            self._on_state(self._dock.controller.state)

    def _on_state(self, state: str) -> None:
        asked = self._asked
        if asked is None or state not in RESTING:
            return
        self._asked = None
        runs = list(self._dock.controller.runs)
        run = runs[0] if runs and self._dock.controller.request == asked else None
        if state == DONE and run is not None and run.plan is not None and run.result is not None:
            self._show(run, run.result.seconds)
        else:
            reason = self._dock.reason()
            self.message.say(in_peoples_words(reason) or HINT, "muted")

    def _show(self, run: LayerRun, seconds: float) -> None:
        """Frame the tile, and tell its time; what the rest takes is worked out meanwhile."""
        plan = run.plan
        assert plan is not None
        self._source, self._with = run.source, self._dock.request()
        along = dict(zip(plan.layout.output_axes, plan.tiles.block(0), strict=True))
        self.frame.show(run.source, run.letters, [along[letter] for letter in run.letters])
        tiles = max(1, plan.total_tiles)
        self._told = (tile_text(plan, seconds),)
        self.message.say(self._told[0], "muted")
        request = self._dock.request()
        if request is None:
            return
        queues = runs_of(self._viewer, request)
        each = seconds / tiles
        self._costs.ask(run, partial(costs_of, queues, self._dock.models, each))

    def _on_costs(self, run: LayerRun, outcome: Outcome) -> None:
        if outcome.error is None:
            lines = (*self._told, *cost_lines(outcome.value))
            self.message.say("\n".join(lines), "muted")
            # It would say the last line again.
            self._dock.run_row.hide_estimate(bool(outcome.value))
