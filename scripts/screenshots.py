"""A scripted tour of the dock in a real window, which saves a picture of each state.

    python scripts/screenshots.py [FOLDER] [--only NAME ...]

Each picture shows the whole window at one size, or the dock alone, has few colours, and stays
below 250 kB, so that the documentation can hold all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

# also where a test loads this file
sys.path.insert(0, str(Path(__file__).parent))
import training_scenes
import tutorial_scenes
from picture_file import save
from recording_hand import Hand

WINDOW = (1180, 800)
"""Width and height of the window, px."""

PATIENCE_S = 120.0


class Tour:
    """A napari window with the dock, and ways to wait in it.

    Parameters
    ----------
    folder : Path
        Where pictures go.
    work : Path
        Where the tour saves what it denoises.
    """

    def __init__(self, folder: Path, work: Path) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_tessera.widgets.dock import DenoiseDock

        self.folder, self.work = folder, work
        self.viewer = napari.Viewer(title="napari", show=True)
        self.viewer.theme = "dark"
        self.window = self.viewer.window._qt_window
        self.window.resize(*WINDOW)
        self.app = QApplication.instance()
        self.dock = DenoiseDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Denoise", area="right")
        self.settings = self.dock.settings
        self.controller = self.dock.controller

    def spin(self, seconds: float = 0.4) -> None:
        """Let the window do what it has to."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.005)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {PATIENCE_S:.0f} s for {what}")
            self.app.processEvents()
            time.sleep(0.005)

    def ready(self) -> None:
        """Wait until a run could start, and its cost is told."""
        estimate = self.dock.run_row.estimate_button.native
        self.until(lambda: not self.dock.reason() and bool(estimate.text()), "the estimate")

    def denoise(self) -> None:
        """Press the main button, and wait for the end."""
        self.ready()
        self.dock.press_main()
        self.until(lambda: self.controller.state == "done", "the end of the run")
        self.spin()

    def button(self, name: str) -> Any:
        """A button of the dock by its object name or its text."""
        from qtpy.QtWidgets import QAbstractButton

        for button in self.dock.findChildren(QAbstractButton):
            if name in (button.objectName(), button.text()):
                return button
        raise LookupError(f"the dock has no button {name!r}")

    def sample(self, name: str = "noisy_2d") -> Any:
        """Open a sample; gives its noisy layer."""
        self.viewer.layers.clear()
        self.viewer.open_sample("napari-tessera", name)
        self.spin()
        return self.viewer.layers[-1]

    def anew(self) -> None:
        """Back to the first screen."""
        for section in (self.settings.tiles, self.settings.save, self.settings.advanced):
            section.set_open(False)
        if self.controller.state == "preview":
            self.button("live").click()
        self.controller.stop()
        self.until(
            lambda: self.controller.state in ("idle", "stopped", "done", "failed"), "the stop"
        )
        self.viewer.layers.clear()
        self.viewer.dims.ndisplay = 2
        self.settings.reset()
        self.spin()

    def shoot(self, name: str) -> None:
        """Save a picture of the window."""
        self.spin()
        self.until(lambda: self.window.size().width() == WINDOW[0], "the window's size")
        self.without_notes()
        self.save(self.window, name, [self.viewer.window._qt_viewer.canvas.native])

    def without_notes(self) -> None:
        """Close what napari tells in a corner of the canvas: it would be of an earlier picture."""
        from napari._qt.dialogs.qt_notification import NapariQtNotification

        for note in self.window.findChildren(NapariQtNotification):
            note.close()
        self.spin(0.1)

    def save(self, window: Any, name: str, noisy: list[Any]) -> None:
        """Save a picture of a window, some widgets in which show noise."""
        boxes = []
        for widget in noisy:
            corner = widget.mapTo(window, widget.rect().topLeft())
            right, bottom = corner.x() + widget.width(), corner.y() + widget.height()
            boxes.append((corner.x(), corner.y(), right, bottom))
        save(window.grab(), self.folder / f"{name}.png", boxes)

    def scroll_to(self, widget: Any) -> None:
        """Bring a part of the dock into view."""
        self.spin(0.1)
        self.dock.column.ensureWidgetVisible(widget, 0, 8)


def empty(tour: Tour) -> None:
    tour.shoot("empty")


def image_open(tour: Tour) -> None:
    tour.sample()
    tour.ready()
    tour.shoot("image-open")


def running(tour: Tour) -> None:
    tour.sample()
    tour.settings.area.value = "Everything"
    tour.settings.tiles.patch_size = (192, 192)
    tour.settings.tiles.set_open(True)
    tour.ready()
    tour.dock.press_main()
    row = tour.dock.run_row
    hand = Hand(tour.window, (0, 0))
    # over a tile that waits, which is shown with what the model reads for it
    hand.move(hand.over(tour.viewer.window._qt_viewer.canvas.native, 0.75, 0.7), 0.1)
    tour.until(lambda: row.progress is not None and row.progress.done >= 24, "24 tiles")
    tour.shoot("running")


def done(tour: Tour) -> None:
    tour.sample()
    zoom(tour)
    tour.denoise()
    tour.shoot("done")


def removed_noise(tour: Tour) -> None:
    tour.sample()
    zoom(tour)
    tour.denoise()
    tour.dock.checks.noise_button.native.click()
    tour.shoot("removed-noise")


def split(tour: Tour) -> None:
    tour.sample()
    zoom(tour)
    tour.denoise()
    tour.button("Split").click()
    tour.shoot("split")


def live_preview(tour: Tour) -> None:
    import numpy as np

    tour.sample()
    zoom(tour)
    tour.ready()
    tour.button("live").click()
    tour.until(lambda: tour.controller.state == "preview", "the live preview")
    tour.until(lambda: len(tour.viewer.layers) > 2, "what the live preview shows")
    layer = tour.viewer.layers[-1]

    def shows_all() -> bool:
        (top, left), (bottom, right) = layer.corner_pixels
        return bool(np.isfinite(np.asarray(layer.data[top:bottom, left:right])).all())

    tour.until(shows_all, "all that is in view")
    tour.shoot("live-preview")


def compare(tour: Tour) -> None:
    from napari_tessera.widgets.compare.side_by_side.window import CompareWindow

    tour.sample()
    zoom(tour)
    tour.ready()
    tour.button("compare").click()
    tour.until(lambda: tour.window.findChild(CompareWindow) is not None, "the window")
    window = tour.window.findChild(CompareWindow)
    window.resize(*WINDOW)
    window.add(replace(window.base, patch_size=(128, 128), overlaps=(0, 0)))
    tour.until(
        lambda: all(column.candidate.state == "done" for column in window.columns),
        "the models that are compared",
    )
    tour.spin(1)
    tour.save(window, "compare", window.views)
    window.close()


def try_tile(tour: Tour) -> None:
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    tour.sample()
    zoom(tour)
    tour.ready()
    tour.button("try").click()
    tour.spin()
    canvas = tour.viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=middle)
    tour.until(lambda: "Tried tile" in tour.viewer.layers, "the tile")
    tour.spin(1.5)
    tour.shoot("try-a-tile")
    tour.button("try").click()


def inside_shapes(tour: Tour) -> None:
    import numpy as np

    tour.sample()
    outline = np.array([[150, 300], [420, 180], [640, 420], [520, 760], [240, 700]])
    tour.viewer.add_shapes(
        [outline],
        shape_type="polygon",
        name="region",
        scale=(0.108, 0.108),
        units=("micrometer", "micrometer"),
        face_color="transparent",
        edge_color="yellow",
        edge_width=6,
    )
    tour.viewer.layers.selection.active = tour.viewer.layers["noisy cells"]
    tour.settings.area.value = "Inside shapes"
    tour.settings.tiles.patch_size = (160, 160)
    tour.denoise()
    tour.shoot("inside-shapes")


def saved(tour: Tour) -> None:
    tour.sample("noisy_3dt")
    tour.settings.area.value = "Everything"
    tour.settings.save.path = tour.work / "nuclei_denoised.ome.zarr"
    tour.settings.save.set_open(True)
    tour.ready()
    tour.shoot("save")


def failed(tour: Tour) -> None:
    broken = tour.work / "n2v.pt"
    broken.write_bytes(b"no model")
    tour.sample()
    tour.settings.model.value = broken
    tour.until(lambda: bool(tour.settings.model.message.message), "the message")
    tour.shoot("failed")


def light(tour: Tour) -> None:
    tour.viewer.theme = "light"
    tour.sample()
    zoom(tour)
    tour.denoise()
    tour.shoot("light")
    tour.viewer.theme = "dark"


def zoom(tour: Tour) -> None:
    """Look at a part of the sample, as people do."""
    height, width = (size * step for size, step in zip((1024, 1024), (0.108, 0.108), strict=True))
    tour.viewer.scene.camera.center = (0, 0.42 * height, 0.45 * width)
    tour.viewer.scene.camera.zoom *= 2.2
    tour.spin(0.2)


SCENES = {
    "empty": empty,
    "image-open": image_open,
    "running": running,
    "done": done,
    "removed-noise": removed_noise,
    "split": split,
    "compare": compare,
    "live-preview": live_preview,
    "try-a-tile": try_tile,
    "inside-shapes": inside_shapes,
    "save": saved,
    "failed": failed,
    "light": light,
    **training_scenes.SCENES,
    **tutorial_scenes.SCENES,
}
"""Pictures, and what makes each of them."""


def main(arguments: list[str] | None = None) -> int:
    """Take the tour; gives the exit status."""
    parser = argparse.ArgumentParser(description="Save pictures of the dock in each state.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", nargs="+", choices=sorted(SCENES), help="these pictures alone")
    options = parser.parse_args(arguments)
    # The settings and models of whoever takes the tour are no part of it.
    os.environ.update({"NAPARI_CONFIG": "", "NAPARI_TESSERA_STATE": ""})
    from napari_tessera.widgets.demo_screen import screen

    with ExitStack() as stack:
        found = stack.enter_context(screen())
        if not found.can_show:
            print(f"no pictures: {found.why}", file=sys.stderr)
            return 1
        # a name that is the same each time, as it is to be seen in pictures
        work = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "images"
        work.mkdir()
        options.folder.mkdir(parents=True, exist_ok=True)
        tour = Tour(options.folder, work)
        try:
            for name in options.only or SCENES:
                SCENES[name](tour)
                tour.anew()
        finally:
            tour.controller.stop()
            tour.viewer.close()
            tour.spin(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
