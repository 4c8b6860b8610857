"""How long the GUI thread is kept from its work while a run goes on, in a real window.

A timer that is due every 10 ms tells how late it is. By turns with each run, the same is measured
of a window that only redraws its canvas ten times a second: that is what napari and the graphics
card (or software OpenGL) take by themselves.

    xvfb-run -a -s "-screen 0 1920x1200x24" python -m benchmarks.stalls
    ... python -m benchmarks.stalls --case plane-4096 --window 800x600 --seconds 20
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

TICK_MS = 10
REDRAW_MS = 100
MODEL = "builtin:denoise2d"


@dataclass(frozen=True)
class Case:
    """What is denoised.

    Parameters
    ----------
    shape : tuple of int
        ZYX or YX.
    patch : int
        Edge of a tile.
    overlap : int or "auto"
        Overlap of tiles.
    grid : bool
        Whether the tile grid is shown.
    zoom : float
        Zoom relative to the whole image on the canvas.
    on_disk : bool
        Whether the output is as large as if it had no room in memory.
    """

    shape: tuple[int, ...]
    patch: int = 256
    overlap: int | str = "auto"
    grid: bool = False
    zoom: float = 1.0
    on_disk: bool = False


CASES = {
    "stack-1024": Case((60, 1024, 1024)),
    "plane-4096": Case((4096, 4096)),
    "plane-4096-zoomed-in": Case((4096, 4096), zoom=5),
    "plane-4096-on-disk": Case((4096, 4096), on_disk=True),
    "plane-4096-on-disk-zoomed-in": Case((4096, 4096), zoom=4, on_disk=True),
    "plane-4096-grid": Case((4096, 4096), grid=True),
    "stack-2048": Case((60, 2048, 2048)),
    # 158 x 158 and 1,563 x 8 x 8 tiles: 100,000 each.
    "plane-100k-tiles": Case((10_112, 10_112), 112, 48),
    "plane-100k-tiles-grid": Case((10_112, 10_112), 112, 48, grid=True),
    "slices-100k-tiles": Case((1563, 512, 512), 112, 48),
    "slices-100k-tiles-grid": Case((1563, 512, 512), 112, 48, grid=True),
}


class Gaps:
    """Times between the ticks of a timer on the GUI thread, in milliseconds."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.ms: list[float] = []
        self._last: float | None = None
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Measure from now on."""
        self._last = None
        self._timer.start(TICK_MS)

    def stop(self) -> None:
        """Measure no more for now."""
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.ms.append(1000 * (now - self._last))
        self._last = now

    def text(self) -> str:
        """Median, 99th percentile and most."""
        p50, p99 = np.percentile(self.ms, [50, 99])
        return f"{p50:5.0f} {p99:5.0f} {max(self.ms):5.0f}"


def spin(seconds: float, until: Any = None) -> bool:
    """Let the event loop work; gives whether what is waited for came."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, ends = QEventLoop(), time.perf_counter() + seconds
    came = False

    def look() -> None:
        nonlocal came
        came = until is not None and bool(until())
        if came or time.perf_counter() >= ends:
            loop.quit()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    loop.exec()
    timer.stop()
    return came


def picture(shape: tuple[int, ...]) -> Any:
    """Noise: one tile of it, repeated, so that making it takes no time."""
    rng = np.random.default_rng(0)
    plane = np.tile(
        rng.normal(200, 20, (1024, 1024)).astype(np.float32),
        [-(-size // 1024) for size in shape[-2:]],
    )[: shape[-2], : shape[-1]]
    return plane if len(shape) == 2 else np.broadcast_to(plane, shape)


def finished(dock: Any) -> int:
    """Tiles of the run at hand that are done."""
    run = dock.controller.runs.current
    return run.schedule.n_done if run is not None else 0


def measure(case: Case, window: tuple[int, int], seconds: float, rounds: int) -> None:
    """Run in turn with the plain window, and print both."""
    import napari
    from qtpy.QtCore import QTimer

    from napari_tessera.widgets import output_store
    from napari_tessera.widgets.request import EVERYTHING, RunRequest

    if case.on_disk:
        output_store.MEMORY_SHARE = 0.0
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*window)
    _, dock = viewer.window.add_plugin_dock_widget("napari-tessera", "Denoise")
    image = picture(case.shape)
    large = max(case.shape[-2:]) > 4096
    data = [image, image[..., ::4, ::4], image[..., ::16, ::16]] if large else image
    layer = viewer.add_image(data, multiscale=large, name="noisy", contrast_limits=(100, 300))
    viewer.reset_view()
    viewer.scene.camera.zoom *= case.zoom
    dock.controller.show_grid(case.grid)
    spin(2)
    native = viewer.window._qt_viewer.canvas.native
    redraw = QTimer()
    redraw.timeout.connect(native.update)
    request = RunRequest(
        (layer,),
        MODEL,
        area=EVERYTHING,
        device="cpu",
        patch_size=(case.patch, case.patch),
        **({} if case.overlap == "auto" else {"overlaps": (case.overlap, case.overlap)}),
    )
    plain, begun, going = Gaps(), Gaps(), Gaps()
    refreshes = tiles = 0
    took = 0.0
    for _ in range(rounds):
        redraw.start(REDRAW_MS)
        plain.start()
        spin(seconds / 2)
        plain.stop()
        redraw.stop()
        begun.start()
        dock.controller.start(request)
        spin(120, lambda: dock.controller.state == "running" and dock.controller.results.outputs)
        output = dock.controller.results.outputs[0]
        counted = []
        output.events.set_data.connect(counted.append)
        spin(2)
        begun.stop()
        counted.clear()
        done = finished(dock)
        began = time.perf_counter()
        going.start()
        spin(seconds, lambda: dock.controller.state != "running")
        going.stop()
        took += time.perf_counter() - began
        refreshes += len(counted)
        tiles += finished(dock) - done
        output.events.set_data.disconnect(counted.append)
        dock.controller.stop()
        spin(60, lambda: dock.controller.state in ("stopped", "done"))
        viewer.layers.remove(output)
        spin(0.5)
    levels = "levels" if output.multiscale else "single"
    print(
        f"{levels:7} | {plain.text()} | {begun.text()} | {going.text()} | "
        f"{refreshes / took:4.1f} | {tiles / took:6.1f} | {os.getloadavg()[0]:4.1f}",
        flush=True,
    )
    viewer.close()


def main() -> None:
    """Measure the cases asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=[*CASES], help="default: all")
    parser.add_argument("--window", action="append", help="WIDTHxHEIGHT; default 800x600, 1200x900")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--here", action="store_true", help="in this process: one case, one window")
    given = parser.parse_args()
    names, windows = given.case or [*CASES], given.window or ["800x600", "1200x900"]
    if given.here:
        width, height = map(int, windows[0].split("x"))
        measure(CASES[names[0]], (width, height), given.seconds, given.rounds)
        return
    print("p50, p99 and max in ms: plain redraw | start | run | refreshes/s | tiles/s | load")
    for name in names:
        for window in windows:
            print(f"{name:24} {window:>9} | ", end="", flush=True)
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.stalls",
                    "--here",
                    "--case",
                    name,
                    "--window",
                    window,
                    "--seconds",
                    str(given.seconds),
                    "--rounds",
                    str(given.rounds),
                ],
                check=False,
            )


if __name__ == "__main__":
    main()
