"""Wherever the person looks in mid-run comes first: sliders, wheel and mouse in a real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QSlider
from tests.widgets.canvas_size import canvas_events
from tests.widgets.conftest import GatedBlur, Stage, noisy

from napari_tessera.prediction import Progress, Schedule
from napari_tessera.widgets.canvas import camera_of, grid_of
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.looked_at import LookedAt
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.progress_box import ProgressBox
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import RUNNING
from napari_tessera.widgets.view_follower import ViewFollower

PLANES, SIDE = 8, 256


class Watched:
    """A run whose tiles reach the model one by one, when the test lets them."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.net = GatedBlur()
        self.begun: list[tuple[int, ...]] = []
        self.stage = stage
        put = ProgressBox.put

        def noted(box: ProgressBox, progress: Progress) -> None:
            is_new = not self.begun or self.begun[-1] != progress.running
            if progress.running and not progress.finished and is_new:
                self.begun.append(progress.running)
            put(box, progress)

        monkeypatch.setattr(ProgressBox, "put", noted)

    @property
    def run(self) -> LayerRun:
        run = self.stage.controller.runs.current
        assert run is not None
        return run

    def blocks(self) -> list[tuple[slice, ...]]:
        """Where the tiles lie that began, in turn."""
        plan = self.run.plan
        assert plan is not None
        return [plan.tiles.block(index) for tiles in self.begun for index in tiles]

    def planes(self) -> list[int]:
        return [block[0].start for block in self.blocks()]

    def let(self, tiles: int) -> None:
        """Let tiles through, and wait until the one behind them is at the model."""
        wanted = len(self.begun) + tiles
        self.net.let(tiles)
        self.stage.wait(lambda: len(self.begun) >= wanted)


@pytest.fixture
def started(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A run over everything, of 16 tiles a plane, whose first tile is at the model."""
    layer = stage.viewer.add_image(noisy((PLANES, SIDE, SIDE)), name="cells")
    stage.viewer.dims.set_current_step(0, 3)
    yield from running(stage, monkeypatch, layer)


def running(stage: Stage, monkeypatch: pytest.MonkeyPatch, layer: Any) -> Iterator[Watched]:
    watched = Watched(stage, monkeypatch)
    stage.start(layer, model=watched.net, area=EVERYTHING, overlaps=(0, 0))
    stage.until(RUNNING)
    stage.wait(watched.net.waiting.is_set)
    yield watched
    stage.controller.stop()
    watched.net.let(1000)
    stage.wait(lambda: not stage.controller.busy)


def slider_of(stage: Stage, axis: int) -> QSlider:
    native: QSlider = stage.viewer.window._qt_viewer.dims.slider_widgets[axis].slider
    return native


def canvas_of(stage: Stage) -> Any:
    return stage.viewer.window._qt_viewer.canvas.native


def wheel(stage: Stage, at: QPointF, steps: int) -> None:
    """Turn the mouse's wheel over the canvas: it zooms."""
    native = canvas_of(stage)
    for _ in range(abs(steps)):
        event = QWheelEvent(
            at,
            native.mapToGlobal(at),
            QPoint(0, 0),
            QPoint(0, 120 if steps > 0 else -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(native, event)


def test_what_is_in_view_comes_first_and_the_rest_in_chunk_order(started: Watched) -> None:
    started.let(17)
    assert started.planes()[:16] == [3] * 16
    middle = started.blocks()[0]
    assert all(part.start <= SIDE / 2 <= part.stop for part in middle[1:])
    assert started.planes()[16:] == [0, 0]
    corner = started.blocks()[16]
    assert (corner[1].start, corner[2].start) == (0, 0)


def test_after_a_slider_move_at_most_one_batch_of_the_old_slice_starts(started: Watched) -> None:
    started.let(3)
    slider, before = slider_of(started.stage, 0), len(started.begun)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    plane = started.stage.viewer.dims.current_step[0]
    assert plane in (2, 4)
    started.let(5)
    # what was at the model by then is finished; nothing that was read ahead is begun
    assert started.planes()[:before] == [3] * before
    assert started.planes()[before:] == [plane] * 5


def test_a_slider_that_is_pulled_ends_where_it_is_let_go(started: Watched) -> None:
    slider, before = slider_of(started.stage, 0), len(started.begun)
    for plane in (4, 5, 6, 7, 6):
        slider.setValue(plane)
    started.stage.wait(lambda: started.run.view.position["Z"] == 6)
    started.let(4)
    assert started.planes()[before:] == [6] * 4


def test_zooming_in_moves_the_part_that_is_seen_to_the_front(started: Watched) -> None:
    before, stage = len(started.begun), started.stage
    native, zoom = canvas_of(stage), camera_of(stage.viewer).zoom
    wheel(stage, QPointF(native.width() * 0.65, native.height() * 0.65), 12)
    stage.wait(lambda: camera_of(stage.viewer).zoom > zoom)
    stage.wait(lambda: started.run.view == LookedAt.of(stage.viewer, started.run.source, "ZYX"))
    seen = started.run.view.selection
    assert seen is not None
    y_seen, x_seen = seen["Y"], seen["X"]
    assert isinstance(y_seen, slice)
    assert isinstance(x_seen, slice)
    assert y_seen.stop - y_seen.start < SIDE
    started.let(1)
    _, y, x = started.blocks()[before]
    assert y.start < y_seen.stop
    assert y_seen.start < y.stop
    assert x.start < x_seen.stop
    assert x_seen.start < x.stop


def test_panning_with_the_mouse_moves_the_front(started: Watched) -> None:
    viewer, stage = started.stage.viewer, started.stage
    camera_of(viewer).zoom *= 4
    camera_of(viewer).center = (0, SIDE - 10, SIDE - 10)
    stage.wait(lambda: started.run.view.position["X"] == SIDE - 10)
    started.let(1)
    native = canvas_of(stage)
    at = QPointF(native.width() / 4, native.height() / 4)
    left = Qt.MouseButton.LeftButton

    def drag(kind: QEvent.Type, position: QPointF) -> None:
        to = native.mapToGlobal(position)
        event = QMouseEvent(kind, position, to, left, left, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(native, event)

    drag(QEvent.Type.MouseButtonPress, at)
    step = QPointF(0, 0)

    def moved() -> bool:
        nonlocal step
        step += QPointF(20, 10)
        drag(QEvent.Type.MouseMove, at + step)
        return bool(camera_of(viewer).center[2] < SIDE - 80)

    stage.wait(moved)
    drag(QEvent.Type.MouseButtonRelease, at + step)
    stage.wait(lambda: started.run.view == LookedAt.of(viewer, started.run.source, "ZYX"))
    middle, before = camera_of(viewer).center, len(started.begun)
    started.let(2)
    # it may have gone to the model while the mouse moved; one of the old view may be on its way
    assert any(
        y.start - 0.5 <= middle[1] <= y.stop - 0.5 and x.start - 0.5 <= middle[2] <= x.stop - 0.5
        for _, y, x in started.blocks()[before - 1 : before + 2]
    )


def test_in_3d_display_the_planes_come_from_the_middle_outwards(started: Watched) -> None:
    viewer = started.stage.viewer
    viewer.dims.ndisplay = 3
    started.stage.wait(lambda: started.run.view.selection == {})
    camera_of(viewer).center = (6.0, 20.0, 20.0)
    started.stage.wait(lambda: started.run.view.position["Z"] == 6)
    before = len(started.begun)
    started.let(5)
    blocks = started.blocks()[before : before + 5]
    assert [block[0].start for block in blocks] == [6, 5, 7, 4, 3]
    assert {block[1].start for block in blocks} == {0}


def test_with_axes_swapped_the_planes_of_the_view_come_first(started: Watched) -> None:
    viewer = started.stage.viewer
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 250)
    started.stage.wait(
        lambda: (
            started.run.view.selection is not None and started.run.view.selection.get("Y") == 250
        )
    )
    before = len(started.begun)
    started.let(6)
    rows = [block[1] for block in started.blocks()[before : before + 6]]
    assert all(row.start <= 250 < row.stop for row in rows)


def test_where_nothing_is_in_view_the_order_stays(started: Watched) -> None:
    viewer = started.stage.viewer
    camera_of(viewer).center = (0, 10_000, 10_000)
    started.stage.wait(lambda: started.run.view.selection is None)
    before = len(started.begun)
    started.let(3)
    assert started.planes()[before:] == [3] * 3


def test_a_run_that_goes_on_begins_with_what_is_seen_by_then(started: Watched) -> None:
    stage = started.stage
    stage.controller.stop()
    started.net.let(1)
    stage.wait(lambda: not stage.controller.busy)
    started.net.waiting.clear()
    stage.viewer.dims.set_current_step(0, 6)
    before = len(started.begun)
    stage.controller.resume()
    stage.until(RUNNING)
    stage.wait(started.net.waiting.is_set)
    started.let(4)
    assert started.planes()[before:] == [6] * 5


def callbacks(viewer: Any, layer: Any) -> int:
    """Callbacks of all that a follower may listen to."""
    groups = (
        camera_of(viewer).events,
        viewer.dims.events,
        *canvas_events(viewer),
        grid_of(viewer).events,
        layer.events,
    )
    return sum(
        len(emitter.callbacks) for group in groups for emitter in (group, *group.emitters.values())
    )


def prepared(viewer: ViewerModel, layer: Any) -> LayerRun:
    request = RunRequest((layer,), "builtin:denoise2d", patch_size=(64, 64), area=EVERYTHING)
    run = LayerRun.of(viewer, request, layer)
    run.prepare(ModelCache(), None)
    return run


def test_no_callback_is_left_behind(qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((PLANES, 64, 64)))
    run = prepared(viewer, layer)
    owner = QObject()
    before = callbacks(viewer, layer)
    follower = ViewFollower(viewer, owner)
    assert callbacks(viewer, layer) == before
    for _ in range(3):
        follower.follow(run)
        assert callbacks(viewer, layer) > before
    follower.stop()
    follower.stop()
    assert callbacks(viewer, layer) == before
    follower.follow(run)
    with qtbot.waitSignal(owner.destroyed):
        owner.deleteLater()
    follower.release()
    assert callbacks(viewer, layer) == before


def test_a_view_that_stays_changes_nothing(qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((PLANES, 64, 64)))
    run = prepared(viewer, layer)
    assert run.schedule is not None
    follower = ViewFollower(viewer)
    follower.follow(run)
    before = run.schedule.changes
    camera_of(viewer).angles = (1, 2, 3)
    viewer.dims.events.point()
    camera_of(viewer).events.zoom()
    qtbot.waitUntil(lambda: not follower._timer.isActive())
    assert run.schedule.changes == before
    viewer.dims.set_current_step(0, 2)
    assert run.schedule.changes == before + 1
    follower.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda viewer, layer: viewer.layers.remove(layer),
        lambda viewer, layer: setattr(layer, "data", noisy((3, 20, 20))),
        lambda viewer, layer: setattr(layer, "scale", (1, 7, 0.5)),
        lambda viewer, layer: setattr(layer, "rotate", 30),
        lambda viewer, layer: setattr(grid_of(viewer), "enabled", True),
        lambda viewer, layer: viewer.add_image(noisy((2, 3, 4, 500, 500))),
    ],
)
def test_layers_that_change_meanwhile_do_no_harm(
    change: Callable[[Any, Any], None], qtbot: Any
) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((PLANES, 64, 64)))
    run = prepared(viewer, layer)
    assert run.schedule is not None
    follower = ViewFollower(viewer)
    follower.follow(run)
    change(viewer, layer)
    viewer.dims.set_current_step(viewer.dims.ndim - 3, 1)
    camera_of(viewer).center = (0, 3, 3)
    camera_of(viewer).zoom = 100
    qtbot.waitUntil(lambda: not follower._timer.isActive())
    total = run.schedule.n_tiles
    assert sorted(run.schedule.next(total)) == list(range(total))
    follower.stop()


def test_many_tiles_in_view_are_not_looked_at_one_by_one() -> None:
    viewer = ViewerModel()
    image = np.broadcast_to(np.uint8(0), (2, 16_000, 16_000))
    layer = viewer.add_image(image, multiscale=False, contrast_limits=(0, 1))
    request = RunRequest(
        (layer,), "builtin:denoise2d", patch_size=(80, 80), overlaps=(56, 56), area=EVERYTHING
    )
    run = LayerRun.of(viewer, request, layer)
    plan, _ = run.make_plan(ModelCache())
    asked: list[str] = []

    class Tiles:
        """The plan's tiles, which must not be asked about one of them."""

        def __getattr__(self, name: str) -> Any:
            if name in ("block", "spec", "position", "meeting"):
                asked.append(name)
            return getattr(plan.tiles, name)

    schedule = Schedule(Tiles())  # type: ignore[arg-type]
    assert schedule.n_tiles > 800_000
    LookedAt.of(viewer, layer, run.letters).put_first(schedule)
    assert schedule.changes == 1
    assert not asked
