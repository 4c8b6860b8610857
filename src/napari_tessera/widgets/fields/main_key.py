"""The key that does what the main button does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QKeySequence

if TYPE_CHECKING:
    from napari.components import ViewerModel

KEY = "Control-Shift-D"
"""As napari writes it; free in napari 0.9."""


def key_text() -> str:
    """The key as this system writes it: ``"Ctrl+Shift+D"``."""
    sequence = QKeySequence(KEY.replace("Control", "Ctrl").replace("-", "+"))
    return sequence.toString(QKeySequence.SequenceFormat.NativeText)


class MainKey:
    """Binds the key in a viewer until it is let go.

    A key that somebody has bound already stays theirs.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the key works.
    press : callable
        What the key does.
    """

    def __init__(self, viewer: ViewerModel, press: Callable[[], None]) -> None:
        self._viewer = viewer

        def on_key(_viewer: Any) -> None:
            press()

        self._on_key = on_key
        try:
            viewer.bind_key(KEY, on_key)
            self.is_bound = True
        except ValueError:
            self.is_bound = False

    def release(self) -> None:
        """Take the key away from the viewer, if it is still ours."""
        if not self.is_bound:
            return
        self.is_bound = False
        found = self._viewer.bind_key(KEY, None)
        if found is not None and found is not self._on_key:
            self._viewer.bind_key(KEY, found)
