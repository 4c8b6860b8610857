"""How long it takes from a move of the view to its first tile at the model, while a run goes on.

A real window, the built-in model on the CPU, tiles of 256². Run it on a screen, or in a virtual
one:

    xvfb-run -a .tox/py/bin/python benchmarks/first_tile.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MOVES = 20
GOAL_MS = 250
BETWEEN_S = 0.4
"""Time between two moves, in which tiles of the old view are read ahead."""


def breathe() -> None:
    """Handle what happened, then wait a little, as an event loop does: the engine works too."""
    from qtpy.QtWidgets import QApplication

    QApplication.processEvents()
    time.sleep(0.001)


class Starts:
    """When each tile went to the model, as the engine reports it."""

    def __init__(self) -> None:
        from napari_tessera.widgets.progress_box import ProgressBox

        self.seen: list[tuple[float, tuple[int, ...]]] = []
        put = ProgressBox.put

        def noted(box: ProgressBox, progress: Any) -> None:
            if progress.running and not progress.finished:
                self.seen.append((time.perf_counter(), progress.running))
            put(box, progress)

        ProgressBox.put = noted  # type: ignore[method-assign]

    def first_of(self, is_wanted: Callable[[int], bool], since: float) -> float | None:
        """When the first of some tiles began; None while none has."""
        for at, tiles in list(self.seen):
            if at >= since and any(is_wanted(index) for index in tiles):
                return at
        return None


def started(image: np.ndarray) -> tuple[Any, Any, Any]:
    """A window with a run over everything, past its first tiles."""
    import napari
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    viewer = napari.Viewer()
    viewer.window.resize(1200, 900)
    layer = viewer.add_image(image, name="noisy", contrast_limits=(100, 300))
    _, dock = viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    dock.settings.area.value = "Everything"
    dock.settings.tiles.patch_size = (256, 256)
    while not dock.run_row.main_button.enabled:
        breathe()
    QTest.mouseClick(dock.run_row.main_button.native, Qt.MouseButton.LeftButton)
    while dock.controller.state != "running" or dock.controller.runs.current.schedule.n_done < 5:
        breathe()
    plan = dock.controller.runs.current.plan
    assert plan.patch_size[-2:] == (256, 256), plan.patch_size
    return viewer, dock, layer


def ended(viewer: Any, dock: Any) -> None:
    """Stop, and close the window."""
    dock.controller.stop()
    while dock.controller.busy:
        breathe()
    viewer.close()


def measured(
    dock: Any, starts: Starts, moves: Iterator[Callable[[], Callable[[int], bool]]]
) -> Iterator[tuple[float, int]]:
    """Milliseconds from each move to the first tile of what is seen then; batches between them.

    A move gives what a tile is told by that it lies in the new view.
    """
    for move in moves:
        pause = time.perf_counter() + BETWEEN_S
        while time.perf_counter() < pause:
            breathe()
        began = time.perf_counter()
        is_wanted = move()
        while (at := starts.first_of(is_wanted, began)) is None:
            assert dock.controller.state == "running", "the run is too short"
            breathe()
        yield 1000 * (at - began), len({t for when, t in starts.seen if began <= when < at})


def slider_moves(viewer: Any, dock: Any) -> Iterator[Callable[[], Callable[[int], bool]]]:
    """To planes that nothing is done of, by the slider's own key and jumps."""
    slider = viewer.window._qt_viewer.dims.slider_widgets[0].slider
    block = dock.controller.runs.current.plan.tiles.block
    for i in range(MOVES):
        plane = 20 + 7 * i

        def move(plane: int = plane) -> Callable[[int], bool]:
            slider.setValue(plane)
            return lambda index: block(index)[0].start == plane

        yield move


def camera_moves(
    viewer: Any, dock: Any, starts: Starts, zoom: bool
) -> Iterator[Callable[[], Callable[[int], bool]]]:
    """To tiles that did not begin, here and there in a large plane, with or without a zoom."""
    run = dock.controller.runs.current
    area, camera = run.plan.tiles, viewer.scene.camera
    rng = np.random.default_rng(0)
    side = area.region.shape[-1]
    for _ in range(MOVES):
        while True:
            y, x = rng.uniform(0.1 * side, 0.9 * side, 2)
            (there,) = area.meeting({"Y": [int(y)], "X": [int(x)]})
            if not any(there in tiles for _, tiles in starts.seen):
                break

        def move(y: float = y, x: float = x) -> Callable[[int], bool]:
            done = run.schedule.done_mask()
            camera.center = (0.0, y, x)
            if zoom:
                camera.zoom = float(rng.uniform(0.5, 4))
            breathe()
            seen = run.view.selection
            tiles = {index for index in area.meeting(seen) if not done[index]}
            return tiles.__contains__

        yield move


def main() -> None:
    starts = Starts()
    rng = np.random.default_rng(0)
    plane = rng.normal(200, 20, (1024, 1024)).astype(np.float32)
    stack = np.broadcast_to(plane, (200, 1024, 1024))
    viewer, dock, _ = started(stack)
    rows = {"slider": list(measured(dock, starts, slider_moves(viewer, dock)))}
    gaps = [b[0] - a[0] for a, b in zip(starts.seen, starts.seen[1:], strict=False)]
    batch = 1000 * statistics.median(gaps)
    ended(viewer, dock)
    starts.seen.clear()

    wide = np.tile(plane, (5, 5))
    viewer, dock, _ = started(wide)
    viewer.scene.camera.zoom = 2
    for name, zoom in (("pan", False), ("pan and zoom", True)):
        rows[name] = list(measured(dock, starts, camera_moves(viewer, dock, starts, zoom)))
    ended(viewer, dock)

    print(f"from a move to the first tile of what is seen then ({MOVES} moves each)")
    print(f"{'move':14}{'median':>9}{'longest':>9}   batches of the old view meanwhile, at most")
    for name, found in rows.items():
        times = [ms for ms, _ in found]
        most = max(old for _, old in found)
        print(f"{name:14}{statistics.median(times):6.0f} ms{max(times):6.0f} ms   {most}")
    print(f"goal {GOAL_MS} ms; a batch takes {batch:.0f} ms")


if __name__ == "__main__":
    main()
