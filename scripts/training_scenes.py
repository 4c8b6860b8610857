"""States of the dock that trains, for the tour in `screenshots.py`."""

from __future__ import annotations

import os
import shutil
import threading
from typing import Any

STEPS = 300
"""Steps after which something is to be seen."""


def training(tour: Any) -> None:
    """While a model is trained, with what it has learned in the image."""
    dock = opened(tour, 4 * STEPS)
    steps: list[int] = []
    dock.preview.shown.connect(lambda: steps.append(dock.controller.progress.step))
    dock.view.main.click()
    # what is shown is a little older than when it is
    tour.until(lambda: bool(steps) and steps[-1] > STEPS, "a preview of many steps")
    tour.shoot("training")
    closed(tour, dock)


def trained(tour: Any) -> None:
    """A model that was trained, in the light theme."""
    tour.viewer.theme = "light"
    dock = opened(tour, STEPS)
    dock.view.main.click()
    tour.until(lambda: dock.controller.state == "done", "the end of the training")
    tour.until(lambda: not dock.preview.at_work, "what the model makes of the view")
    tour.spin(1)
    dock.advanced.set_open(True)
    tour.shoot("trained")
    closed(tour, dock)
    tour.viewer.theme = "dark"


def opened(tour: Any, steps: int) -> Any:
    """The dock over a part of the sample, with a training of a minute at most."""
    from napari_tessera.widgets.training.neighbours import open_training

    models = tour.work / "models"
    shutil.rmtree(models, ignore_errors=True)
    os.environ["NAPARI_TESSERA_MODELS"] = str(models)
    layer = tour.sample()
    tour.viewer.scene.camera.center = (0, 46, 50)
    tour.viewer.scene.camera.zoom *= 2.2
    dock = open_training(tour.viewer, (layer,))
    numbers = {"steps": steps, "batch_size": 4, "features": 8}
    for field, number in numbers.items():
        dock.advanced.numbers[field].value = str(number)
    tour.until(lambda: dock.advanced.typed_steps == steps and not dock.reason, "the dock")
    tour.spin(0.5)
    return dock


def closed(tour: Any, dock: Any) -> None:
    """Without the dock again."""
    dock.shut_down()
    tour.until(lambda: not threads(), "the end of the training")
    tour.viewer.window.remove_dock_widget(dock)


def threads() -> list[threading.Thread]:
    """Threads of the plugin that go on."""
    return [thread for thread in threading.enumerate() if thread.name == "tessera-model"]


SCENES = {"training": training, "trained": trained}
"""Pictures, and what makes each of them."""
