"""The buttons that compare input and output on the canvas: flip, split, and linked contrast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtWidgets import QPushButton

from napari_tessera.widgets.actions import FLIP
from napari_tessera.widgets.compare.canvas_access import without_proxy
from napari_tessera.widgets.compare.contrast_link import ContrastLink
from napari_tessera.widgets.compare.flip import Flip
from napari_tessera.widgets.compare.held_key import HeldKey
from napari_tessera.widgets.compare.hold_button import LetGo
from napari_tessera.widgets.compare.related import related_layers
from napari_tessera.widgets.compare.split import NOTHING, Split
from napari_tessera.widgets.extra_layers import ExtraLayers
from napari_tessera.widgets.fields.main_key import FLIP_KEY

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_tessera.widgets.dock import DenoiseDock

_FLIP_TIP = (
    "Hold: the input is shown in the place of the result.\n"
    f"Or hold {FLIP_KEY} while the mouse is over the image."
)
_SPLIT_TIP = "The input left of a line on the image, the result right of it. Drag the line."
_LINK_TIP = (
    "Contrast limits and gamma of input and result change together, so that noise does not seem\n"
    "to be gone where only the contrast is lower."
)


class CanvasComparison:
    """Puts the buttons into the check strip, and does what they say.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.

    Attributes
    ----------
    flip : Flip
        Shows the input for as long as it is held.
    split : Split
        Divides the canvas.
    link : ContrastLink
        Links contrast limits; on from the start.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        self._viewer = without_proxy(dock.viewer)
        self._closed = False
        self._extras = ExtraLayers(dock.controller, dock.checks)
        self._watched: list[Layer] = []
        self.flip = Flip(self._viewer)
        self.split = Split(self._viewer)
        self.link = ContrastLink(self._viewer)
        self.flip_button = PushButton(text="Flip (hold)", tooltip=_FLIP_TIP)
        self.split_button = PushButton(text="Split", tooltip=_SPLIT_TIP)
        self.link_button = PushButton(text="Link contrast", tooltip=_LINK_TIP)
        for button in (self.flip_button, self.split_button, self.link_button):
            dock.checks.buttons.addWidget(button.native)
        for button in (self.split_button, self.link_button):
            button.native.setCheckable(True)
        self._flip.setObjectName(FLIP)
        self._flip.setAccessibleName("Flip to the input while held")
        LetGo(self._flip)
        self._flip.pressed.connect(self.flip.hold)
        self._flip.released.connect(self.flip.release)
        self.flip.held_changed.connect(self.split.suspend)
        self.flip.held_changed.connect(self._on_visible)
        self._split.clicked.connect(self._on_split)
        self.split.changed.connect(self._show)
        self._link.toggled.connect(self.link.set_on)
        self._link.setChecked(True)
        self._key = HeldKey(self._viewer, FLIP_KEY, self.flip.hold, self.flip.release)
        events: Any = self._viewer.layers.events
        events.inserted.connect(self._show)
        events.removed.connect(self._show)
        # Also where the window is closed with the dock in it.
        dock.destroyed.connect(self.close)
        self._show()

    def close(self, _: object = None) -> None:
        """Show what was shown before, and let go of the viewer."""
        if self._closed:
            return
        self._closed = True
        self._key.let_go()
        self.flip.release()
        self.split.close()
        self.link.close()
        self._watch(())
        events: Any = self._viewer.layers.events
        events.inserted.disconnect(self._show)
        events.removed.disconnect(self._show)

    @property
    def _flip(self) -> QPushButton:
        native: QPushButton = self.flip_button.native
        return native

    @property
    def _split(self) -> QPushButton:
        native: QPushButton = self.split_button.native
        return native

    @property
    def _link(self) -> QPushButton:
        native: QPushButton = self.link_button.native
        return native

    def _on_split(self, on: bool) -> None:
        if on:
            self.split.start()
        else:
            self.split.end()
        self._show()

    def _show(self, event: object = None) -> None:
        """Let the buttons say what can be done, and what is."""
        found = related_layers(self._viewer.layers)
        self._watch([layer for one in found for layer in one.others])
        something = bool(found)
        self._flip.setEnabled(something)
        self._flip.setToolTip(_FLIP_TIP if something else NOTHING)
        reason = self.split.reason
        self._split.setEnabled(not reason)
        self._split.setChecked(self.split.on)
        self._split.setToolTip(reason or _SPLIT_TIP)

    def _watch(self, layers: Sequence[Layer]) -> None:
        """Listen to what shows or hides these layers, whoever it is."""
        for layer in self._watched:
            layer.events.visible.disconnect(self._on_visible)
        for layer in layers:
            layer.events.visible.connect(self._on_visible)
        self._watched = list(layers)

    def _on_visible(self, event: object = None) -> None:
        # What is hidden for as long as the input is shown is not hidden for the buttons.
        if not self.flip.held:
            self._extras.refresh()
