"""The button that opens the window in which models are compared."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QPushButton

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.actions import COMPARE
from napari_tessera.widgets.compare.canvas_access import without_proxy
from napari_tessera.widgets.compare.side_by_side.crop import IN_3D, crop_of
from napari_tessera.widgets.compare.side_by_side.taking_over import take_over
from napari_tessera.widgets.compare.side_by_side.window import FIRST_SIZE, CompareWindow
from napari_tessera.widgets.fields.text import in_peoples_words
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.run_state import BUSY

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.request import RunRequest

_TIP = (
    "Denoise what is in view with two to four models or settings, side by side,\n"
    "and take the one that looks best."
)
_BUSY = "A run is going on: wait for its end"


class CompareModels:
    """Puts the button below the main one, and opens one window at a time.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        self._dock = dock
        self._viewer = without_proxy(dock.viewer)
        self._closed = False
        self._size: QSize = FIRST_SIZE
        self.window: CompareWindow | None = None
        """The window, while it is open."""
        self.button = PushButton(text="Compare…", tooltip=_TIP)
        self._button.setObjectName(COMPARE)
        self._button.setAccessibleName("Compare models on this view")
        self._button.clicked.connect(self.open)
        dock.run_row.tools.addWidget(self._button)
        for signal in self._signals:
            signal.connect(self._show)
        self._viewer.dims.events.ndisplay.connect(self._show)
        layers: Any = self._viewer.layers.events
        layers.removed.connect(self._on_removed)
        dock.destroyed.connect(self.close)
        self._show()

    @property
    def _signals(self) -> tuple[Any, ...]:
        """What decides whether the button can be clicked."""
        controller, settings = self._dock.controller, self._dock.settings
        return (
            controller.state_changed,
            controller.review_changed,
            controller.problem_changed,
            self._dock.held_back_changed,
            settings.image.changed,
            settings.model.changed,
            settings.tiles.changed,
            settings.advanced.changed,
        )

    @property
    def _button(self) -> QPushButton:
        native: QPushButton = self.button.native
        return native

    @property
    def reason(self) -> str:
        """Why nothing can be compared now; empty where it can."""
        if self._dock.controller.state in BUSY:
            return _BUSY
        if reason := self._dock.reason(saving=False):
            return reason
        return f"T{IN_3D[1:]}" if self._viewer.dims.ndisplay != 2 else ""

    def open(self) -> None:
        """Open the window on what is in view, or bring the one that is open to the front."""
        if self.window is not None:
            self.window.raise_()
            self.window.activateWindow()
            return
        request = self._dock.request()
        if request is None or self.reason:
            return
        try:
            crop = crop_of(self._viewer, request)
        except PlanError as error:
            self._dock.run_row.set_failure(in_peoples_words(str(error)))
            return
        dock = self._dock
        self.window = CompareWindow(
            self._viewer, dock.settings, dock.models, request, crop, parent=dock
        )
        self.window.resize(self._size)
        self.window.chosen.connect(self._on_chosen)
        self.window.finished.connect(self._on_closed)
        self.window.show()

    def close(self, _: object = None) -> None:
        """Close the window, and let go of the viewer."""
        if self._closed:
            return
        self._closed = True
        self._viewer.dims.events.ndisplay.disconnect(self._show)
        layers: Any = self._viewer.layers.events
        layers.removed.disconnect(self._on_removed)
        window, self.window = self.window, None
        if window is not None:
            window.let_go()
            with suppress(RuntimeError):  # it is gone where the dock is destroyed
                window.close()

    def _on_chosen(self, request: RunRequest) -> None:
        take_over(self._dock.settings, request)

    def _on_closed(self, result: int = 0) -> None:
        if self.window is not None:
            self._size = self.window.size()
            self.window.let_go()
        self.window = None

    def _on_removed(self, event: Any) -> None:
        if self.window is not None and event.value is self.window.layer:
            self.window.close()

    def _show(self, event: object = None) -> None:
        if self._closed:
            return
        reason = self.reason
        self._button.setEnabled(not reason)
        self._button.setToolTip(plain_tip(reason or _TIP))
        if self.window is not None:
            controller = self._dock.controller
            self.window.pause(controller.state in BUSY or bool(controller.held_back))
