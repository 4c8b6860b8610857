"""Clicks in the canvas, told from drags; where in an image they are."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.widgets.fields.layer_facts import shape_of
from napari_tessera.widgets.view_region import slice_on_display, world_to_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

STILL = 4
"""Canvas pixels that the mouse may move in a click; beyond that it is a drag."""

CURSOR = "cross"
"""How the mouse looks while clicks are waited for."""

LEFT = 1


class Clicks:
    """Calls back for clicks with the left button; drags pan as ever.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    clicked : callable
        Gets the position in the viewer's world.
    """

    def __init__(self, viewer: ViewerModel, clicked: Callable[[Any], None]) -> None:
        self._viewer: Any = viewer
        self._clicked = clicked
        self._before = ""
        self._on = False

    def start(self) -> None:
        """Wait for clicks; the mouse is a cross."""
        if self._on:
            return
        self._on = True
        self._before = str(self._viewer.cursor.style)
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        self._viewer.cursor.style = CURSOR
        self._viewer.cursor.events.style.connect(self._keep_cursor)

    def stop(self) -> None:
        """Wait no more; the mouse is as it was."""
        if not self._on:
            return
        self._on = False
        self._viewer.cursor.events.style.disconnect(self._keep_cursor)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._viewer.cursor.style = self._before

    def _keep_cursor(self, event: object = None) -> None:
        # The layer that is selected decides otherwise.
        style = str(self._viewer.cursor.style)
        if style != CURSOR:
            self._before = style
            self._viewer.cursor.style = CURSOR

    def _on_press(self, viewer: Any, event: Any) -> Generator[None]:
        """Follow the mouse from press to release, as napari's callbacks do."""
        if event.button != LEFT or event.modifiers:
            return
        start, position = np.array(event.pos, float), tuple(event.position)
        yield
        still = True
        while event.type == "mouse_move":
            still = still and float(np.abs(event.pos - start).max()) <= STILL
            yield
        if still and float(np.abs(event.pos - start).max()) <= STILL:
            self._clicked(position)


def position_in(
    viewer: ViewerModel, layer: Image, letters: str, world: Any
) -> dict[str, float] | None:
    """Where in a layer's image a point of the viewer's world is.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, in 2D display.
    layer : napari.layers.Image
        The layer.
    letters : str
        Letters of its dimensions.
    world : sequence of float
        The point.

    Returns
    -------
    dict or None
        Axis letter to index: fractional along the axes on the canvas, what the sliders say along
        the others. None where it is outside the image.
    """
    point = np.asarray(world, float)
    if point.size < layer.ndim:
        return None
    at = world_to_layer(viewer, layer, point)
    on_display = slice_on_display(viewer, layer, letters)
    shape = shape_of(layer)
    position: dict[str, float] = dict(on_display.indices)
    for letter in on_display.displayed:
        d = letters.index(letter)
        if not -0.5 <= at[d] < shape[d] - 0.5:
            return None
        position[letter] = float(at[d])
    return position
