"""Entries of napari's command palette: they act on the dock of the current viewer.

Where there is no dock yet, it is opened first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.widgets.actions import DockActions


def denoise() -> None:
    """Start to denoise with the settings in the dock."""
    if (actions := _actions()) is not None:
        actions.denoise()


def stop() -> None:
    """Stop what runs."""
    if (actions := _actions()) is not None:
        actions.stop()


def go_on() -> None:
    """Continue what was stopped."""
    if (actions := _actions()) is not None:
        actions.go_on()


def toggle_grid() -> None:
    """Show or hide the tile grid."""
    if (actions := _actions()) is not None:
        actions.toggle_grid()


def flip() -> None:
    """Show the input in the place of the result, or the result again."""
    if (actions := _actions()) is not None:
        actions.flip()


def live_preview() -> None:
    """Switch the live preview on or off."""
    if (actions := _actions()) is not None:
        actions.live_preview()


def try_tile() -> None:
    """Let the next click in the image try a tile."""
    if (actions := _actions()) is not None:
        actions.try_tile()


def compare() -> None:
    """Compare models on this view."""
    if (actions := _actions()) is not None:
        actions.compare()


def tune() -> None:
    """Measure which tiles are the fastest, and use them."""
    if (actions := _actions()) is not None:
        actions.tune()


def _actions() -> DockActions | None:
    """Actions of the current viewer's dock; None where there is no viewer."""
    import napari
    from napari.utils.notifications import show_info

    from napari_tessera.widgets.actions import DockActions
    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.docking import opened_dock

    viewer = napari.current_viewer()
    if viewer is None:
        show_info("Open a napari window first")
        return None
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, DenoiseDock):
            return DockActions(widget)
    _, made = opened_dock(viewer, "Denoise", DenoiseDock)
    return DockActions(made)
