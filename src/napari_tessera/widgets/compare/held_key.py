"""A key of the viewer that does something for as long as it is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.fields.main_key import BoundKey

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
        self._press, self._release = press, release
        self._down = False
        self._let_go = False

        def on_key(_viewer: Any) -> Iterator[None]:
            self._set_down(True)
            yield
            self._set_down(False)

        self._key = BoundKey(viewer, key, on_key)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus)
            app.applicationStateChanged.connect(self._on_application)

    @property
    def is_bound(self) -> bool:
        """Whether the key is ours."""
        return self._key.is_bound

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
        self._key.release()

    def _set_down(self, down: bool) -> None:
        if down != self._down:
            self._down = down
            (self._press if down else self._release)()

    def _on_focus(self, before: object = None, after: object = None) -> None:
        self._set_down(False)

    def _on_application(self, state: Qt.ApplicationState) -> None:
        if state != Qt.ApplicationState.ApplicationActive:
            self._set_down(False)
