"""The tile grid, drawn over the layer that is denoised."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Vectors
from numpy.typing import NDArray

from napari_tessera.widgets.grid_lines import GridSlice
from napari_tessera.widgets.output_layer import selection_kept
from napari_tessera.widgets.view_region import slice_on_display

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.prediction import PredictionPlan

GRID_NAME = "Tiles"

COLOURS = np.array(
    [
        [0.34, 0.71, 0.91, 0.9],  # core edges: sky blue
        [0.90, 0.62, 0.00, 0.55],  # overlap: orange, fainter
        [0.94, 0.89, 0.26, 1.0],  # done: yellow
        [0.84, 0.37, 0.00, 1.0],  # running: vermillion
    ]
)
"""Of Okabe and Ito's palette (2008), told apart with every kind of colour vision."""

DONE, RUNNING = 2, 3

LINE_WIDTH = 1.5
"""Width of lines on the screen, in canvas pixels."""

OVERLAP_GAP = 4
"""Overlaps narrower than so many line widths are not drawn until one zooms in."""

TICK_SIZE = 9.0
"""Size of the tick on a finished tile, in canvas pixels; less on small tiles."""

DRAW_SHARE = 0.2
"""Share of the GUI thread's time that drawing marks may take."""

MAX_TICKS = 20_000
"""Most tiles in a slice that are marked one by one."""


class TileGrid:
    """Shows the tiles of a plan in the slice on display, and which are done and running.

    One Vectors layer: lines across the whole slice for the edges of cores and of overlaps, a
    tick for each finished tile, a frame for each running one. It is put on top, never selected,
    and follows sliders and zoom. Belongs to the GUI thread.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._plan: PredictionPlan | None = None
        self._input: Image | None = None
        self._letters = ""
        self._slice: GridSlice | None = None
        self._done: NDArray[np.bool_] = np.zeros(0, bool)
        self._running: tuple[int, ...] = ()
        self._layer: Vectors | None = None
        self._width = 1.0
        self._stale = False
        self._not_before = 0.0
        viewer.dims.events.connect(self._on_dims)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def layer(self) -> Vectors | None:
        """The layer with the grid; None while there is none."""
        return self._layer

    @property
    def plan(self) -> PredictionPlan | None:
        """The plan whose tiles are shown; None while nothing is shown."""
        return self._plan

    def show(
        self, plan: PredictionPlan, layer: Image, letters: str, done: Iterable[int] = ()
    ) -> None:
        """Draw the grid of a plan on a layer, instead of what was drawn before.

        Parameters
        ----------
        plan : PredictionPlan
            The plan.
        layer : napari.layers.Image
            The input layer.
        letters : str
            Letters of its dimensions.
        done : iterable of int
            Tiles of the plan that are finished.
        """
        self._plan, self._input, self._letters = plan, layer, letters
        self._done = np.zeros(plan.total_tiles, bool)
        self._done[list(done)] = True
        self._running = ()
        self._redraw()

    def mark(self, finished: Iterable[int], running: Iterable[int]) -> None:
        """Mark tiles of the plan; those of other slices are remembered."""
        newly = [index for index in finished if not self._done[index]]
        self._done[newly] = True
        before, self._running = self._running, tuple(running)
        if self._slice is None:
            return
        changed = np.array([*newly, *set(before).symmetric_difference(self._running)], int)
        self._stale |= bool(np.isin(changed, self._slice.tiles).any())
        self.tick()

    def tick(self) -> None:
        """Draw marks that are not drawn yet, if it is time to.

        Thousands of marks take a while to draw, and the GUI thread has more to do.
        """
        if self._stale and (not self._running or time.monotonic() >= self._not_before):
            self._draw()

    def hide(self) -> None:
        """Take the grid away."""
        self._plan = self._input = self._slice = None
        self._done, self._running = np.zeros(0, bool), ()
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            with selection_kept(self._viewer):
                self._viewer.layers.remove(layer)

    def disconnect(self) -> None:
        """Take the grid away for good."""
        self.hide()
        self._viewer.dims.events.disconnect(self._on_dims)
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_dims(self, event: object) -> None:
        if self._plan is None or self._input is None:
            return
        on_display = slice_on_display(self._viewer, self._input, self._letters)
        seen = None if self._slice is None else (self._slice.displayed, self._slice.indices)
        if seen != (on_display.displayed, on_display.indices):
            self._redraw()

    def _on_zoom(self, event: object) -> None:
        if self._layer is None:
            return
        # Redrawing costs more than a line a little too thick.
        if not 0.75 < self._line_width() / self._width < 1.33:
            self._draw()

    def _on_removed(self, event: object) -> None:
        removed = getattr(event, "value", None)
        if removed is self._layer and removed is not None:
            self._layer = None
            self.hide()
        elif removed is self._input and removed is not None:
            self.hide()

    def _redraw(self) -> None:
        if self._plan is None or self._input is None or self._input not in self._viewer.layers:
            self.hide()
            return
        on_display = slice_on_display(self._viewer, self._input, self._letters)
        self._slice = (
            GridSlice(self._plan, on_display.displayed, on_display.indices)
            if len(on_display.displayed) == 2
            else None
        )
        self._draw()

    def _draw(self) -> None:
        """Put the slice's vectors into the layer."""
        began = time.monotonic()
        self._stale = False
        self._width = self._line_width()
        vectors, colours = self._vectors()
        if self._layer is None:
            self._add(vectors, colours)
        else:
            self._change(self._layer, vectors, colours)
        now = time.monotonic()
        self._not_before = now + (now - began) / DRAW_SHARE

    def _change(
        self, layer: Vectors, vectors: NDArray[np.float64], colours: NDArray[np.float64]
    ) -> None:
        with layer.events.blocker_all():
            layer.edge_width = self._width
            layer.data = vectors
            layer.edge_color = colours
        layer.events.data(value=vectors)
        layer.refresh(thumbnail=False)

    def _add(self, vectors: NDArray[np.float64], colours: NDArray[np.float64]) -> None:
        assert self._input is not None
        source = self._input
        layer = Vectors(
            vectors,
            ndim=source.ndim,
            name=GRID_NAME,
            edge_color=colours,
            edge_width=self._width,
            vector_style="line",
            scale=source.scale,
            translate=source.translate,
            rotate=source.rotate,
            shear=source.shear,
            affine=source.affine,
            units=source.units,
            axis_labels=source.axis_labels,
            blending="translucent_no_depth",
            opacity=1,
        )
        self._layer = layer
        with selection_kept(self._viewer):
            self._viewer.layers.append(layer)

    def _line_width(self) -> float:
        """Width of a line in data pixels, for `LINE_WIDTH` on the screen."""
        return LINE_WIDTH * self._data_per_canvas()

    def _data_per_canvas(self) -> float:
        """Data pixels per canvas pixel, the mean of the displayed axes."""
        assert self._input is not None
        shown = [self._letters.index(letter) for letter in self._shown_letters()]
        scale = np.abs(np.asarray(self._input.scale, float)[shown])
        return float(1 / (self._viewer.scene.camera.zoom * np.exp(np.log(scale).mean())))

    def _shown_letters(self) -> str:
        return self._slice.displayed if self._slice is not None else self._letters[-2:]

    def _vectors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, 2, D) start and direction of all vectors, and (N, 4) their colours."""
        ndim = len(self._letters)
        if self._slice is None:
            # napari warns of colours for no vectors: one that cannot be seen stands for none.
            unseen = np.zeros((1, 2, ndim))
            unseen[:, 1, -1] = 1
            return unseen, np.zeros((1, 4))
        lines, kinds = self._slice.lines(OVERLAP_GAP * self._width)
        marks, states = self._marks(self._slice)
        flat = np.concatenate([lines, marks])
        vectors = np.zeros((len(flat), 2, ndim))
        shown = [self._letters.index(letter) for letter in self._slice.displayed]
        vectors[:, 0, shown] = flat[:, 0]
        vectors[:, 1, shown] = flat[:, 1] - flat[:, 0]
        for letter, index in self._slice.indices.items():
            vectors[:, 0, self._letters.index(letter)] = index
        return vectors, COLOURS[np.concatenate([kinds, states])]

    def _marks(self, on_display: GridSlice) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Ticks of finished tiles and frames of running ones, as (N, 2, 2) starts and ends."""
        tiles, cores = on_display.tiles, on_display.cores
        if len(tiles) > MAX_TICKS:
            return np.zeros((0, 2, 2)), np.zeros(0, int)
        running = np.isin(tiles, self._running)
        ticks = self._ticks(cores[self._done[tiles] & ~running])
        frames = self._frames(cores[running])
        states = np.repeat([DONE, RUNNING], [len(ticks), len(frames)])
        return np.concatenate([ticks, frames]), states

    def _ticks(self, cores: NDArray[np.float64]) -> NDArray[np.float64]:
        """A tick near the start of each core, of two strokes."""
        if not len(cores):
            return np.zeros((0, 2, 2))
        edge = (cores[:, 1] - cores[:, 0]).min(axis=1)
        size = np.minimum(TICK_SIZE * self._data_per_canvas(), edge / 3)
        origin = cores[:, 0] + size[:, None] / 2
        # Along (down, right), in units of the tick's size.
        points = origin[:, None] + size[:, None, None] * np.array([[0.5, 0], [1, 0.4], [0, 1]])
        return np.concatenate([points[:, :2], points[:, 1:]])

    def _frames(self, cores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Four edges of each core, a line's width inside it."""
        inside = np.minimum(self._width, (cores[:, 1] - cores[:, 0]).min(axis=1, initial=1) / 4)
        start, stop = cores[:, 0] + inside[:, None], cores[:, 1] - inside[:, None]
        corners = np.stack(
            [
                start,
                np.stack([start[:, 0], stop[:, 1]], axis=-1),
                stop,
                np.stack([stop[:, 0], start[:, 1]], axis=-1),
            ],
            axis=1,
        )
        return np.concatenate(
            [np.stack([corners[:, i], corners[:, (i + 1) % 4]], axis=1) for i in range(4)]
        )
