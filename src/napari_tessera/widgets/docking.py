"""Docks as napari's menu opens them, which finds them again: there is no second one by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

_MENU_TITLE = "{} (Tessera)"
"""napari's own title: the widget's name, and the plugin's as it is displayed."""

_SCRIPT_TITLE = "{} (napari-tessera)"
"""The title by `Window.add_plugin_dock_widget`, as scripts open it; the menu does not find it."""


def opened_dock(
    viewer: Viewer, name: str, make: Callable[[Viewer], Any], *, tabify: bool = False
) -> tuple[Any, Any]:
    """The dock of that name, opened where it is not yet, and what is in it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    name : str
        Name of the widget in the manifest.
    make : callable
        Makes the widget of a viewer.
    tabify : bool
        Whether a new dock lies behind the others.
    """
    window = viewer.window
    title = _MENU_TITLE.format(name)
    for known in (title, _SCRIPT_TITLE.format(name)):
        widget = window.dock_widgets.get(known)
        if widget is not None:
            return widget.parentWidget(), widget
    widget = make(viewer)
    return window.add_dock_widget(widget, name=title, tabify=tabify), widget
