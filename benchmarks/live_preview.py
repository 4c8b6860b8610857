"""Live preview of an image of 100 GB: from a move to a view that is all denoised, and its memory.

    python benchmarks/live_preview.py [--planes 100] [--budget 0.3] [--model FILE]

Prints a table. The image is a Zarr array (T 4, Z 750, Y 4096, X 4096, uint16) of which only the
planes that are looked at have chunks, written before anything is measured; the rest is zeros.
Seconds are CPU seconds of the whole process, model, reading and drawing together, by 512×512
pixels that were new in view. Without a screen:

    xvfb-run -s "-screen 0 1600x1000x24" python benchmarks/live_preview.py
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
import psutil
import zarr
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.preview.live import LivePreview

SHAPE = (4, 750, 4096, 4096)
CHUNK = (1, 1, 512, 512)
UNIT = 512 * 512
SIDE = 1024
"""Rows of pixels that are looked at; the flight looks at half of them."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planes", type=int, default=100, help="planes to fly through")
    parser.add_argument("--budget", type=float, default=0.3, help="memory for tiles, GB")
    parser.add_argument("--model", default="", help="a model file instead of the built-in one")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        image = virtual_image(folder / "image.zarr", given.planes)
        measure(image, given.planes, given.budget, given.model)
    finally:
        shutil.rmtree(folder)


def virtual_image(path: Path, planes: int) -> Any:
    """An array of 100 GB with noise where the benchmark looks."""
    array = zarr.create_array(str(path), shape=SHAPE, chunks=CHUNK, dtype="uint16")
    rng = np.random.default_rng(0)
    clean = 200 + 100 * np.sin(np.arange(2 * SIDE) / 20) * np.sin(np.arange(2 * SIDE) / 31)[:, None]
    noise = rng.normal(0, 30, clean.shape)
    for z in range(planes):
        array[0, z, : 2 * SIDE, : 2 * SIDE] = np.clip(clean + np.roll(noise, z, 0), 0, None)
    array[1, 0, : 2 * SIDE, : 2 * SIDE] = np.clip(clean + noise, 0, None)
    return array


def measure(image: Any, planes: int, budget: float, model: str = "") -> None:
    """Move through the image as a person does, with the dock open."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    viewer.add_image(
        image, name="virtual", axis_labels=("t", "z", "y", "x"), contrast_limits=(0, 600)
    )
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    live = next(part for part in dock._parts if isinstance(part, LivePreview))
    if model:
        dock.settings.model.value = Path(model)
        dock.settings.tiles.patch_size = (256, 256)
    live.controls.memory.setDecimals(3)
    live.controls.memory.setRange(0.01, 1000)
    live.controls.memory.setValue(budget)
    viewer.dims.set_current_step(0, 0)
    viewer.dims.set_current_step(1, 0)
    look(viewer, SIDE / 2, SIDE / 2)
    spin(lambda: False, 1)
    size = image.shape[0] * image.shape[1] * image.shape[2] * image.shape[3] * 2
    print(f"image {'×'.join(map(str, image.shape))} uint16, {size / 1e9:.0f} GB")
    print(f"| {'move':34} | new tiles | CPU s | CPU s by 512² | wall s |")
    print(f"|{'-' * 36}|----------:|------:|--------------:|-------:|")
    row("switched on (model, plan, first view)", live, live.toggle)
    row("pan by half a view", live, lambda: look(viewer, SIDE / 2, SIDE))
    row("next plane", live, lambda: viewer.dims.set_current_step(1, 1))
    row("another time point", live, lambda: viewer.dims.set_current_step(0, 1))
    row("back", live, lambda: viewer.dims.set_current_step(0, 0))
    look(viewer, SIDE / 2, SIDE / 2, SIDE // 2)
    settle(live)
    process = psutil.Process()
    before, most = process.memory_info().rss, 0
    began, clock = time.process_time(), time.perf_counter()
    tiles = 0
    for z in range(planes):
        there = finished(live)
        viewer.dims.set_current_step(1, z)
        settle(live)
        tiles += finished(live) - there
        assert live.cache.used <= live.cache.budget, "the budget was exceeded"
        most = max(most, process.memory_info().rss)
    cpu, wall = time.process_time() - began, time.perf_counter() - clock
    print_row(f"flight through {planes} planes", live, tiles, cpu, wall)
    print(
        f"tiles take {live.cache.used / 1e6:.0f} of {live.cache.budget / 1e6:.0f} MB; "
        f"the process grew by {(most - before) / 1e6:.0f} MB in the flight"
    )
    live.toggle()
    viewer.close()


def look(viewer: Any, y: float, x: float, side: int = SIDE) -> None:
    """Bring rows of the plane into view."""
    viewer.scene.camera.center = (0, 0, y, x)[-3:]
    height, _ = viewer.canvas.viewbox_size(viewer.layers)
    viewer.scene.camera.zoom = height / side


def row(name: str, live: LivePreview, move: Callable[[], None]) -> None:
    """Move, wait until all in view is denoised, and print what that took."""
    there, cpu, wall = finished(live), time.process_time(), time.perf_counter()
    move()
    settle(live)
    took = time.process_time() - cpu, time.perf_counter() - wall
    print_row(name, live, finished(live) - there, *took)


def print_row(name: str, live: LivePreview, tiles: int, cpu: float, wall: float) -> None:
    """One line of the table."""
    plan = live.outputs[0].plan
    assert plan is not None
    core = np.prod([axis.step for axis in plan.patching.axes(0)])
    units = tiles * core / UNIT
    each = f"{cpu / units:.2f}" if units else "–"
    print(f"| {name:34} | {tiles:9} | {cpu:5.2f} | {each:>13} | {wall:6.2f} |", flush=True)


def finished(live: LivePreview) -> int:
    """Tiles that were denoised so far, let go of or not."""
    names = {planned.name for planned in live.engine.plans.kept}
    readings = [live.engine.readings(name) for name in names]
    return sum(one.tiles for one in readings if one is not None)


def settle(live: LivePreview) -> None:
    """Wait until nothing is under way."""
    timers = (live._look, live._settings, live._moves._first, live._moves._rest)
    spin(lambda: not (live.engine.working or any(timer.isActive() for timer in timers)), 120)


def spin(done: Callable[[], bool], seconds: float) -> None:
    """Let the window live until something is so."""
    app = QApplication.instance()
    assert app is not None
    until = time.monotonic() + seconds
    app.processEvents()
    while time.monotonic() < until and not done():
        app.processEvents()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
