"""Drawing only what lies on one side of a vertical line on the canvas."""

from __future__ import annotations

from typing import Any

from vispy.visuals.filters import Filter
from vispy.visuals.shaders import Function

_CODE = """
void keep_side() {
    if ((gl_FragCoord.x - $edge) * $side < 0.0) discard;
}
"""

LEFT, RIGHT = -1.0, 1.0


class SideFilter(Filter):  # type: ignore[misc]  # vispy has no type information
    """A vispy filter that drops the fragments left or right of a line.

    The graphics card does it while it draws: no pixel is copied, whatever the layer's data,
    transform or level, and a move of the line costs one redraw.

    Parameters
    ----------
    side : float
        `LEFT` or `RIGHT`: what is kept.
    """

    def __init__(self, side: float) -> None:
        super().__init__(fcode=Function(_CODE), fhook="pre", fpos=1)
        shader: Any = self.fshader
        shader["side"] = side
        self.side = side
        self.move(0.0)

    def move(self, edge: float) -> None:
        """Put the line elsewhere: pixels of the framebuffer, from its left edge."""
        shader: Any = self.fshader
        shader["edge"] = float(edge)
