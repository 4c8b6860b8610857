"""The keys that work while the dock is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QKeySequence

if TYPE_CHECKING:
    from napari.components import ViewerModel

KEY = "Control-Shift-D"
"""Key of the main button, as napari writes it; all of these are free in napari 0.9."""

FLIP_KEY = "H"
GRID_KEY = "Control-Shift-G"
PREVIEW_KEY = "Control-Shift-L"
TRY_KEY = "Control-Shift-E"
COMPARE_KEY = "Control-Shift-M"

WHAT_KEYS_DO = (
    (KEY, "denoise, stop, continue"),
    (FLIP_KEY, "hold to see the input (mouse over the image)"),
    (GRID_KEY, "tile grid on or off"),
    (PREVIEW_KEY, "live preview on or off"),
    (TRY_KEY, "try one tile: then click in the image"),
    (COMPARE_KEY, "compare models on this view"),
)
"""All keys, and what they do, in the words of the help."""


def key_text(key: str = KEY) -> str:
    """A key as this system writes it: ``"Ctrl+Shift+D"``."""
    sequence = QKeySequence(key.replace("Control", "Ctrl").replace("-", "+"))
    return sequence.toString(QKeySequence.SequenceFormat.NativeText)


class BoundKey:
    """Binds a key in a viewer until it is let go.

    A key that somebody has bound already stays theirs.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the key works.
    key : str
        The key, as napari writes it.
    on_key : callable
        What napari calls with the viewer; a generator goes on when the key comes up.
    """

    def __init__(self, viewer: ViewerModel, key: str, on_key: Callable[[Any], Any]) -> None:
        self._viewer = viewer
        self._key = key
        self._on_key = on_key
        try:
            viewer.bind_key(key, on_key)
            self.is_bound = True
        except ValueError:
            self.is_bound = False

    def release(self) -> None:
        """Take the key away from the viewer, if it is still ours."""
        if not self.is_bound:
            return
        self.is_bound = False
        found = self._viewer.bind_key(self._key, None)
        if found is not None and found is not self._on_key:
            self._viewer.bind_key(self._key, found)


class MainKey(BoundKey):
    """A key that does something when it goes down.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the key works.
    press : callable
        What the key does.
    key : str, optional
        The key, as napari writes it; by default that of the main button.
    """

    def __init__(self, viewer: ViewerModel, press: Callable[[], None], key: str = KEY) -> None:
        super().__init__(viewer, key, lambda _viewer: press())
