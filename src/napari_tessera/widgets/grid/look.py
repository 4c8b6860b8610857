"""How states look: colours and shapes, the same on the canvas and in the legend."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, SKIPPED, WAITING

Colour = tuple[float, float, float]
Point = tuple[float, float]

# Of Okabe and Ito's palette (2008), told apart with every kind of colour vision.
SKY: Colour = (0.34, 0.71, 0.91)
ORANGE: Colour = (0.90, 0.62, 0.00)
GREEN: Colour = (0.00, 0.62, 0.45)
YELLOW: Colour = (0.94, 0.89, 0.26)
VERMILLION: Colour = (0.84, 0.37, 0.00)
BLACK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class StateLook:
    """How a tile in a state is marked.

    Parameters
    ----------
    colour : tuple of float
        Red, green and blue, 0 to 1.
    strokes : tuple
        Strokes of the mark from point to point, (down, right) in a square from 0 to 1.
    width : float
        Width of the strokes, in canvas pixels.
    largest : float
        Longest edge of the mark, in canvas pixels.
    share : float
        Longest edge of the mark as a share of its tile's.
    inset : float
        Where the tile has room for it, how far the mark is from its first corner, in canvas
        pixels; 0 for in the middle.
    wash : tuple of float
        Red, green, blue and opacity of what is laid over the tile; opacity 0 for nothing.
    far_wash : tuple of float
        The same where tiles are too small for marks of their own.
    """

    colour: Colour
    strokes: tuple[tuple[Point, Point], ...] = ()
    width: float = 2.0
    largest: float = float("inf")
    share: float = 1.0
    inset: float = 0.0
    wash: tuple[float, float, float, float] = (0, 0, 0, 0)
    far_wash: tuple[float, float, float, float] = (0, 0, 0, 0)


_FRAME = (
    ((0.0, 0.0), (0.0, 1.0)),
    ((0.0, 1.0), (1.0, 1.0)),
    ((1.0, 1.0), (1.0, 0.0)),
    ((1.0, 0.0), (0.0, 0.0)),
)

LOOKS = {
    WAITING: StateLook(SKY),
    RUNNING: StateLook(YELLOW, _FRAME, width=3, wash=(*YELLOW, 0.12), far_wash=(*YELLOW, 0.12)),
    DONE: StateLook(
        GREEN,
        (((0.55, 0.0), (0.95, 0.36)), ((0.95, 0.36), (0.05, 1.0))),
        width=2.5,
        largest=13,
        share=0.5,
        inset=7,
        far_wash=(*GREEN, 0.25),
    ),
    FAILED: StateLook(
        VERMILLION,
        (((0.0, 0.0), (1.0, 1.0)), ((0.0, 1.0), (1.0, 0.0))),
        width=4,
        largest=48,
        share=0.6,
        wash=(*VERMILLION, 0.3),
        far_wash=(*VERMILLION, 0.6),
    ),
    SKIPPED: StateLook(
        WHITE,
        (((0.5, 0.0), (0.0, 0.5)), ((1.0, 0.0), (0.0, 1.0)), ((1.0, 0.5), (0.5, 1.0))),
        width=1,
        wash=(*BLACK, 0.45),
        far_wash=(*BLACK, 0.45),
    ),
}
"""Looks by state. A tile that waits has the lines of the grid alone."""
