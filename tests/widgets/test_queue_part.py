"""Other layers queued in a real window while one is denoised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import WAIT_MS, Blur, GatedBlur, noisy

from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.queue_part import QueuePart, following
from napari_tessera.widgets.request import EVERYTHING, RunRequest, SaveTarget
from napari_tessera.widgets.run_state import DONE, RUNNING, STOPPED


class Desk:
    """A window with the dock and two images, one of which is being denoised."""

    def __init__(self, viewer: Any, qtbot: QtBot) -> None:
        self.viewer, self.qtbot, self.gate = viewer, qtbot, GatedBlur()
        self.first = viewer.add_image(noisy((128, 128)), name="cells")
        self.second = viewer.add_image(noisy((128, 128)), name="nuclei")
        viewer.layers.selection = {self.first}
        self.dock = DenoiseDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Denoise", area="right")
        self.part = next(part for part in self.dock._parts if isinstance(part, QueuePart))

    @property
    def offered(self) -> str:
        button = self.part.button.native
        return button.text() if button.isVisible() else ""

    def start(self) -> None:
        request = RunRequest((self.first,), self.gate, area=EVERYTHING, patch_size=(64, 64))
        self.dock.start(request)
        self.until(RUNNING)

    def until(self, *states: str) -> None:
        self.qtbot.waitUntil(lambda: self.dock.controller.state in states, timeout=WAIT_MS)

    def click(self) -> None:
        self.qtbot.mouseClick(self.part.button.native, Qt.MouseButton.LeftButton)

    @property
    def outputs(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers if layer.name.endswith("_denoised")]


@pytest.fixture
def desk(make_napari_viewer: Any, qtbot: QtBot) -> Desk:
    return Desk(make_napari_viewer(show=True), qtbot)


def test_what_is_selected_meanwhile_follows(desk: Desk) -> None:
    assert desk.offered == ""
    desk.start()
    assert desk.offered == ""
    desk.viewer.layers.selection = {desk.second}
    assert desk.offered == "Then denoise nuclei"
    desk.click()
    assert desk.offered == ""
    assert len(desk.dock.controller.runs) == 2
    desk.gate.let(100)
    desk.until(DONE)
    assert desk.outputs == ["cells_denoised", "nuclei_denoised"]
    assert desk.dock.controller.request.layers == (desk.second,)
    assert desk.offered == ""


def test_a_queued_layer_that_is_removed_is_passed_over(desk: Desk) -> None:
    desk.start()
    desk.viewer.layers.selection = {desk.second}
    desk.click()
    desk.viewer.layers.remove(desk.second)
    desk.gate.let(100)
    desk.until(DONE)
    assert desk.outputs == ["cells_denoised"]


def test_stop_holds_the_queue_and_continue_goes_through_it(desk: Desk) -> None:
    desk.start()
    desk.viewer.layers.selection = {desk.second}
    desk.click()
    desk.dock.controller.stop()
    assert desk.offered == ""
    desk.gate.let(1)
    desk.until(STOPPED)
    assert desk.outputs == ["cells_denoised"]
    desk.dock.controller.resume()
    desk.gate.let(100)
    desk.until(DONE)
    assert desk.outputs == ["cells_denoised", "nuclei_denoised"]


def test_closed_it_listens_no_more(desk: Desk) -> None:
    before = len(desk.viewer.layers.selection.events.changed.callbacks)
    desk.part.close()
    desk.part.close()
    assert len(desk.viewer.layers.selection.events.changed.callbacks) == before - 1


def test_what_follows_is_saved_beside(tmp_path: Path) -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    cells, nuclei, more = (Named(name) for name in ("cells", "nuclei", "more"))
    running: Any = RunRequest(
        (cells,),  # type: ignore[arg-type]
        Blur(),
        save=SaveTarget(tmp_path / "out.ome.zarr", if_exists="overwrite"),
    )
    one = following(running, (nuclei,))  # type: ignore[arg-type]
    assert one.layers == (nuclei,)
    assert one.save is not None
    assert one.save.path == tmp_path / "out_nuclei.ome.zarr"
    assert one.save.if_exists == "rename"
    both = following(running, (nuclei, more))  # type: ignore[arg-type]
    assert both.save is not None
    assert [path.name for path in both.save.for_layers(["nuclei", "more"])] == [
        "out_then_nuclei.ome.zarr",
        "out_then_more.ome.zarr",
    ]
    assert following(RunRequest((), Blur()), ()).save is None
