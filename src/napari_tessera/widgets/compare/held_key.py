"""A key of the viewer that does something for as long as it is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.components import ViewerModel


class HeldKey(QObject):
    """Binds a key in a viewer until it is let go.

    A key that somebody has bound already stays theirs. When the window, or what is typed into,
    changes while the key is down, nobody is told of its release: it counts as released then.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the key works.
    key : str
        The key, as napari writes it.
    press, release : callable
        What to do when it goes down, and when it comes up.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        key: str,
        press: Callable[[], None],
        release: Callable[[], None],
    ) -> None:
        super().__init__()
        self._viewer, self._key = viewer, key
        self._press, self._release = press, release
        self._down = False
        self._let_go = False

        def on_key(_viewer: Any) -> Iterator[None]:
            self._set_down(True)
            yield
            self._set_down(False)

        self._on_key = on_key
        try:
            viewer.bind_key(key, on_key)
            self.is_bound = True
        except ValueError:
            self.is_bound = False
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus)
            app.applicationStateChanged.connect(self._on_application)

    def let_go(self) -> None:
        """Take the key away from the viewer, if it is still ours."""
        self._set_down(False)
        if self._let_go:
            return
        self._let_go = True
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.disconnect(self._on_focus)
            app.applicationStateChanged.disconnect(self._on_application)
        if not self.is_bound:
            return
        self.is_bound = False
        found = self._viewer.bind_key(self._key, None)
        if found is not None and found is not self._on_key:
            self._viewer.bind_key(self._key, found)

    def _set_down(self, down: bool) -> None:
        if down != self._down:
            self._down = down
            (self._press if down else self._release)()

    def _on_focus(self, before: object = None, after: object = None) -> None:
        self._set_down(False)

    def _on_application(self, state: Qt.ApplicationState) -> None:
        if state != Qt.ApplicationState.ApplicationActive:
            self._set_down(False)
