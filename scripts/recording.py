"""Records the moving picture of the README: a run in a real window, filmed while it happens.

    python scripts/recording.py [FILE] [--keep FOLDER]

The window, the run and the times are real. What is added afterwards is the pointer, drawn where the
mouse events of this script went. The model was loaded before, as it is from the second run on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

# also where a test loads this file
sys.path.insert(0, str(Path(__file__).parent))
import recording_file
from recording_camera import Film, filming
from recording_hand import Hand
from screenshots import Tour

WINDOW = (960, 700)
"""Width and height of what is filmed, px."""

TILE = 224
"""Tiles small enough that a run takes some seconds on two cores, px."""


def prepare(tour: Tour) -> None:
    """The sample, the dock filled in, the grid on the image, and the model in memory."""
    from qtpy.QtGui import QCursor

    tour.window.resize(*WINDOW)
    # the pointer of the screen is not the one that is shown
    QCursor.setPos(WINDOW[0] + 50, WINDOW[1] + 50)
    # more room for the image
    viewer = tour.viewer.window._qt_viewer
    viewer.dockLayerControls.setVisible(False)
    viewer.dockLayerList.setVisible(False)
    tour.sample()
    tour.denoise()
    tour.viewer.layers.remove("noisy cells_denoised")
    tour.settings.area.value = "Everything"
    tour.settings.tiles.patch_size = (TILE, TILE)
    tour.settings.tiles.set_open(True)
    tour.viewer.scene.camera.center = (0, 0.3 * HEIGHT_UM, 0.3 * HEIGHT_UM)
    tour.viewer.scene.camera.zoom *= 1.6
    tour.ready()
    tour.spin(1)


HEIGHT_UM = 1024 * 0.108
"""Height and width of the sample."""


def play(tour: Tour, hand: Hand) -> None:
    """What is seen: a run, whose tiles come where one looks, and the result beside the input."""
    canvas = tour.viewer.window._qt_viewer.canvas.native
    hand.rest(0.4)
    hand.click(tour.dock.run_row.main_button.native, 0.6)
    # tiles come where the view is …
    hand.move(hand.over(canvas, 0.75, 0.7), 0.6)
    more_tiles(tour, hand, 6)
    # … and, as soon as it is elsewhere, there
    hand.drag((-0.5 * canvas.width(), -0.45 * canvas.height()), 0.6)
    more_tiles(tour, hand, 7)
    hand.move(hand.over(canvas), 0.3)
    hand.wheel(-4, 0.5)
    tour.until(lambda: tour.controller.state == "done", "the end of the run")
    hand.rest(0.3)
    # without the grid, closer
    hand.click(tour.settings.tiles.header, 0.5)
    hand.move(hand.over(canvas, 0.45, 0.6), 0.4)
    hand.wheel(6, 0.5)
    hand.click(tour.button("Split"), 0.5)
    hand.move(hand.over(canvas), 0.4)
    hand.drag((0.35 * canvas.width(), 0), 0.6)
    hand.drag((-0.6 * canvas.width(), 0), 0.8)
    hand.rest(0.4)


def more_tiles(tour: Tour, hand: Hand, number: int) -> None:
    """Rest until so many more tiles are done, or the run is."""
    row = tour.dock.run_row

    def done() -> int:
        return row.progress.done if row.progress is not None else 0

    before = done()
    while tour.controller.state != "done" and done() < before + number:
        hand.rest(0.05)


def record(tour: Tour, folder: Path) -> tuple[Film, Hand]:
    """Film the window while the hand plays."""
    prepare(tour)
    corner = tour.window.mapToGlobal(tour.window.rect().topLeft())
    left, top = corner.x(), corner.y()
    box = (left, top, left + WINDOW[0], top + WINDOW[1])
    hand = Hand(tour.window, (0.55 * WINDOW[0], 0.75 * WINDOW[1]))
    with filming(os.environ["DISPLAY"], box, folder / "film.rgb") as film:
        play(tour, hand)
    return film, hand


def main(arguments: list[str] | None = None) -> int:
    """Record; gives the exit status."""
    parser = argparse.ArgumentParser(description="Record a run in a real window.")
    parser.add_argument("file", nargs="?", type=Path, default=Path("docs/images/tour.webp"))
    parser.add_argument("--keep", type=Path, help="a folder for single pictures, to look at")
    options = parser.parse_args(arguments)
    # The settings and models of whoever records are no part of it.
    os.environ.update({"NAPARI_CONFIG": "", "NAPARI_TESSERA_STATE": ""})
    from napari_tessera.widgets.demo_screen import screen

    with ExitStack() as stack:
        found = stack.enter_context(screen())
        if not (found.can_show and os.environ.get("DISPLAY")):
            print(f"no recording: {found.why}", file=sys.stderr)
            return 1
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recording-")))
        tour = Tour(work, work)
        try:
            film, hand = record(tour, work)
        finally:
            tour.controller.stop()
            tour.viewer.close()
            tour.spin(0.2)
        recording_file.write(film, hand.track, options.file, options.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
