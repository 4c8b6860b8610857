"""How fast a window with the grid of 100,000 tiles is: frames per second, and the longest wait.

Run it on a screen, or in a virtual one; names of ways may follow:

    xvfb-run -a -s "-screen 0 1400x1000x24" python -m benchmarks.grid none vectors mesh raster ours

Of each way to draw the tiles it tells frames per second while panning and while zooming, and the
longest gap between ticks of a 10 ms timer while tiles change ten times a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")

EDGE = 317
"""Tiles along each axis: 100,489 in all."""

PATCH, OVERLAP = 256, 56
STEP = PATCH - OVERLAP
SIZE = (EDGE - 1) * STEP + PATCH
SECONDS = 3.0
CHANGED = 50
"""Tiles that change each time, ten times a second."""

ZOOMS = {"all tiles": 0.0136, "some 900 tiles": 0.15, "one tile": 2.0}
"""Canvas pixels per image pixel."""

WINDOW = (1200, 900)
N_STATES = 5


def image_levels() -> list[Any]:
    """An image of 4 gigapixels that takes no memory, in levels as a viewer needs them."""
    rng = np.random.default_rng(0)
    levels = []
    size = SIZE
    while size > 1024:
        row = rng.integers(60, 160, size).astype(np.uint8)
        levels.append(np.broadcast_to(row, (size, size)))
        size //= 2
    return levels


def starting_states() -> Any:
    """States of a run in its middle: a third is done, some tiles failed or are left out."""
    rng = np.random.default_rng(1)
    states = np.zeros((EDGE, EDGE), np.uint8)
    states[: EDGE // 3] = 2
    states[-40:, -40:] = 4
    states[tuple(rng.integers(0, EDGE, (2, 40)))] = 3
    states[EDGE // 3, :2] = 1
    return states


class Nothing:
    """The image alone: what the viewer itself needs."""

    def __init__(self, viewer: Any, image: Any) -> None:
        self.viewer, self.image, self.states = viewer, image, starting_states()
        self.rng = np.random.default_rng(2)
        self.layer: Any = None

    def show(self) -> None:
        """Show the states for the first time."""

    def change(self) -> None:
        at = self.rng.integers(0, EDGE, (2, CHANGED))
        self.states[tuple(at)] = self.rng.integers(0, N_STATES, CHANGED)
        self.draw()

    def draw(self) -> None:
        """Show the states."""

    def close(self) -> None:
        """Take everything away."""
        if self.layer is not None:
            self.viewer.layers.remove(self.layer)


def corners() -> Any:
    """Corners of all tiles, ((EDGE + 1)², 2)."""
    along = np.clip(np.arange(EDGE + 1) * STEP + OVERLAP // 2 * (np.arange(EDGE + 1) > 0), 0, SIZE)
    return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).astype(float)


class AllVectors(Nothing):
    """Vectors: every line, and the two strokes of a tick in every tile that is done."""

    def show(self) -> None:
        self.draw()

    def vectors(self) -> tuple[Any, Any]:
        along = corners()[:, 0, 0]
        lines = np.zeros((2 * len(along), 2, 2))
        lines[: len(along), 0, 0] = lines[len(along) :, 0, 1] = along
        lines[: len(along), 1, 1] = lines[len(along) :, 1, 0] = SIZE
        marked = np.argwhere(self.states > 0)
        at = corners()[marked[:, 0], marked[:, 1]]
        strokes = np.zeros((2 * len(at), 2, 2))
        strokes[: len(at), 0] = strokes[len(at) :, 0] = at + 40
        strokes[: len(at), 1], strokes[len(at) :, 1] = 40, (40, -20)
        shades = np.concatenate(
            [np.zeros(len(lines), int), np.tile(self.states[self.states > 0], 2)]
        )
        palette = np.random.default_rng(3).random((N_STATES, 4))
        return np.concatenate([lines, strokes]), palette[shades]

    def draw(self) -> None:
        vectors, colours = self.vectors()
        if self.layer is None:
            self.layer = self.viewer.add_vectors(
                vectors, edge_color=colours, edge_width=20, vector_style="line"
            )
            return
        with self.layer.events.blocker_all():
            self.layer.data = vectors
            self.layer.edge_color = colours
        self.layer.events.data(value=vectors)
        self.layer.refresh(thumbnail=False)


class OneMesh(Nothing):
    """One Surface of two triangles a tile, coloured by a value at each corner."""

    def show(self) -> None:
        grid = corners()
        quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2)
        faces = np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(EDGE * EDGE)[:, None, None]
        self.layer = self.viewer.add_surface(
            (quads.reshape(-1, 2), faces.reshape(-1, 3), self.values()),
            contrast_limits=(0, N_STATES - 1),
            colormap="turbo",
            opacity=0.3,
            shading="none",
        )

    def values(self) -> Any:
        return np.repeat(self.states.ravel(), 4).astype(np.float32)

    def draw(self) -> None:
        self.layer.vertex_values = self.values()


class Raster(Nothing):
    """An RGBA image with one pixel a tile."""

    def show(self) -> None:
        self.palette = np.random.default_rng(3).integers(0, 255, (N_STATES, 4)).astype(np.uint8)
        self.pixels = self.palette[self.states]
        self.layer = self.viewer.add_image(
            self.pixels, rgb=True, scale=(STEP, STEP), translate=(STEP / 2, STEP / 2)
        )

    def draw(self) -> None:
        self.pixels[...] = self.palette[self.states]
        self.layer.refresh(extent=False, thumbnail=False, highlight=False)


class Ours(Nothing):
    """The tile grid of the dock."""

    def __init__(self, viewer: Any, image: Any) -> None:
        super().__init__(viewer, image)
        from napari_tessera import load_model, open_stack, plan_prediction
        from napari_tessera.widgets.grid.tile_states import DONE, FAILED, RUNNING, TileStates
        from napari_tessera.widgets.tile_grid import TileGrid

        stack = open_stack(image.data[0], "YX")
        model = load_model("builtin:denoise2d")
        plan = plan_prediction(stack, model, patch_size=PATCH, overlaps=OVERLAP)
        assert plan.tiles.n_tiles == EDGE * EDGE, plan.tiles.n_tiles
        self.grid, self.plan = TileGrid(viewer), plan
        self.known = TileStates.of(plan, np.flatnonzero(self.states == DONE))
        failed = np.flatnonzero(self.states == FAILED)
        self.known.mark((), np.flatnonzero(self.states == RUNNING), failed)

    def show(self) -> None:
        self.grid.show(self.plan, self.image, "YX", self.known)

    def change(self) -> None:
        at = self.rng.integers(0, EDGE * EDGE, CHANGED)
        half = CHANGED // 2
        self.grid.changed(self.known.mark(at[:half], at[half:]))

    def close(self) -> None:
        self.grid.disconnect()


WAYS = {"none": Nothing, "vectors": AllVectors, "mesh": OneMesh, "raster": Raster, "ours": Ours}


def frames(viewer: Any, move: Callable[[int], None]) -> tuple[float, float]:
    """Draws of the canvas a second while the camera moves once for each, and CPU ms for each.

    The second figure hardly depends on what else the machine does.
    """
    from qtpy.QtWidgets import QApplication

    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    drawn = [0]

    def count(event: object) -> None:
        drawn[0] += 1

    canvas.events.draw.connect(count, position="last")
    began, used = time.perf_counter(), time.process_time()
    seen, steps = -1, 1
    while time.perf_counter() - began < SECONDS:
        if drawn[0] > seen:
            seen = drawn[0]
            move(steps)
            steps += 1
        QApplication.processEvents()
    seconds, used = time.perf_counter() - began, time.process_time() - used
    canvas.events.draw.disconnect(count)
    return drawn[0] / seconds, 1000 * used / drawn[0]


def longest_wait(way: Any) -> tuple[float, float]:
    """Longest and median of the longest gaps, ms, of a 10 ms timer while tiles change."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    ticks: list[float] = []
    timer, changes = QTimer(), QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    changes.timeout.connect(way.change)
    timer.start(10)
    changes.start(100)
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        QApplication.processEvents()
        time.sleep(0.001)
    timer.stop()
    changes.stop()
    gaps = np.diff(ticks) * 1000
    return float(gaps.max()), float(np.percentile(gaps, 99))


def measure(name: str) -> None:
    """Print what one way comes to."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    viewer.window._qt_window.resize(*WINDOW)
    image = viewer.add_image(
        image_levels(), multiscale=True, contrast_limits=(0, 255), name="plane"
    )
    camera = viewer.scene.camera
    QApplication.processEvents()
    way = WAYS[name](viewer, image)
    began = time.perf_counter()
    way.show()
    shown = time.perf_counter() - began
    print(f"{name}: {way.__class__.__doc__.splitlines()[0]} Shown in {shown:.2f} s", flush=True)
    for label, zoom in ZOOMS.items():
        camera.zoom, camera.center = zoom, (0, SIZE / 2, SIZE / 2)
        for _ in range(20):
            QApplication.processEvents()

        def pan(step: int, zoom: float = zoom) -> None:
            away = 150 / zoom * np.sin(step / 15)
            camera.center = (0, SIZE / 2 + away, SIZE / 2 + away)

        def dive(step: int, zoom: float = zoom) -> None:
            camera.zoom = zoom * 1.5 ** np.sin(step / 15)

        panned, pan_ms = frames(viewer, pan)
        zoomed, zoom_ms = frames(viewer, dive)
        camera.zoom, camera.center = zoom, (0, SIZE / 2, SIZE / 2)
        for _ in range(20):
            QApplication.processEvents()
        longest, p99 = longest_wait(way)
        print(
            f"  {label:16} pan {panned:5.1f} fps {pan_ms:4.0f} ms   "
            f"zoom {zoomed:5.1f} fps {zoom_ms:4.0f} ms   "
            f"wait max {longest:5.0f} ms  p99 {p99:5.0f} ms",
            flush=True,
        )
    way.close()
    viewer.close()


def main() -> None:
    for name in sys.argv[1:] or WAYS:
        measure(name)


if __name__ == "__main__":
    main()
