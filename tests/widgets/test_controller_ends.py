"""Runs that end before they are through: stopped, cut short, gone wrong, refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QObject
from tests.widgets.conftest import ENDS, Blur, GatedBlur, Log, Stage, finished, noisy

from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import (
    DONE,
    FAILED,
    IDLE,
    RUNNING,
    STOPPED,
    STOPPING,
)


def errors() -> list[str]:
    return [
        record.message
        for record in notification_manager.records
        if record.severity == NotificationSeverity.ERROR
    ]


@pytest.fixture(autouse=True)
def _no_records() -> None:
    notification_manager.records.clear()


@pytest.mark.parametrize("which", ["cells", "cells_denoised"])
def test_removing_a_layer_ends_the_run_quietly(stage: Stage, which: str) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    gate.let(1)
    stage.wait(lambda: finished(stage.viewer.layers["cells_denoised"]) > 0)
    stage.viewer.layers.remove(stage.viewer.layers[which])
    gate.let(10_000)
    stage.until(IDLE)
    assert stage.log.of("failed") == []
    assert errors() == []
    assert not stage.controller.can_resume
    if which == "cells_denoised":
        assert np.isfinite(stage.run(layer).data).all()


def test_removing_one_of_several_goes_on_with_the_next(stage: Stage) -> None:
    layers = [stage.viewer.add_image(noisy((150, 150)), name=f"c{i}") for i in range(3)]
    gate = GatedBlur()
    stage.start(*layers, model=gate)
    stage.until(RUNNING)
    stage.viewer.layers.remove(layers[0])
    stage.viewer.layers.remove(layers[1])
    gate.let(10_000)
    stage.until(DONE)
    first, last = stage.controller.results.outputs
    assert (first.name, last.name) == ("c0_denoised", "c2_denoised")
    assert np.isnan(first.data).any()
    assert np.isfinite(last.data).all()


def test_removing_the_output_of_a_stopped_run_ends_it(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((150, 150)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    stage.controller.stop()
    gate.let(1)
    stage.until(STOPPED)
    stage.viewer.layers.remove("cells_denoised")
    assert stage.controller.state == IDLE
    assert not stage.controller.can_resume


def test_closing_the_viewer_ends_the_run_quietly(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    owner = QObject()
    controller = RunController(viewer, owner)
    log = Log(controller)
    gate = GatedBlur()
    layer = viewer.add_image(noisy((200, 200)), name="cells")
    controller.start(RunRequest((layer,), gate, area=EVERYTHING, patch_size=(64, 64)))
    qtbot.waitUntil(gate.waiting.is_set, timeout=20_000)
    worker = controller._stages._worker
    assert worker is not None
    viewer.close()
    gate.let(10_000)
    qtbot.waitUntil(lambda: worker.job.outcome is not None, timeout=20_000)
    assert worker.job.outcome is not None
    assert worker.job.outcome.error is None
    qtbot.waitUntil(lambda: controller.state not in (RUNNING, STOPPING), timeout=20_000)
    assert log.of("failed") == []
    assert errors() == []


def test_being_destroyed_ends_the_run(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    owner = QObject()
    controller = RunController(viewer, owner)
    gate = GatedBlur()
    layer = viewer.add_image(noisy((200, 200)), name="cells")
    controller.show_grid(True)
    controller.start(RunRequest((layer,), gate, area=EVERYTHING, patch_size=(64, 64)))
    qtbot.waitUntil(gate.waiting.is_set, timeout=20_000)
    worker = controller._stages._worker
    assert worker is not None
    with qtbot.waitSignal(owner.destroyed):
        owner.deleteLater()
    gate.let(10_000)
    qtbot.waitUntil(lambda: not worker.is_running, timeout=20_000)
    assert worker.job.outcome is not None
    assert [layer.name for layer in viewer.layers] == ["cells", "cells_denoised"]
    assert np.isnan(viewer.layers["cells_denoised"].data).any()
    viewer.layers.clear()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
            "out of memory on cpu with tiles of 64×64, 1 at once: make tiles or batch smaller",
        ),
        (RuntimeError("boom"), "Denoising cells stopped: boom"),
        (ValueError("x" * 5000), "Denoising cells stopped: xxx"),
    ],
)
def test_an_error_in_the_model_is_shown_once_and_the_button_works_again(
    stage: Stage, error: Exception, message: str
) -> None:
    layer = stage.viewer.add_image(noisy((200, 200)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    gate.let(2)
    stage.wait(lambda: finished(stage.viewer.layers["cells_denoised"]) > 0)
    stage.wait(lambda: gate.tickets._value == 0)  # type: ignore[attr-defined]
    gate.error = error
    gate.let(1)
    stage.until(FAILED)
    assert message in stage.log.of("failed")[0]
    assert len(stage.log.of("failed")) == 1
    assert errors() == stage.log.of("failed")
    assert "\n" not in errors()[0]
    assert len(errors()[0]) < 500
    assert not stage.controller.can_resume
    partial = stage.viewer.layers["cells_denoised"]
    assert 0 < finished(partial) < partial.data.size
    assert np.isfinite(stage.run(layer).data).all()


def test_an_image_that_cannot_be_read_is_shown_once(stage: Stage) -> None:
    class Broken:
        shape, dtype, ndim, size = (100, 100), np.dtype(np.float32), 2, 10_000
        broken = False

        def __getitem__(self, index: Any) -> Any:
            if self.broken:
                raise RuntimeError("error during blosc decompression")
            return np.zeros(self.shape, self.dtype)[index]

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return self[...]

    data = Broken()
    layer = stage.viewer.add_image(data, name="cells", contrast_limits=(0, 1))
    data.broken = True
    stage.start(layer)
    stage.until(*ENDS)
    data.broken = False
    assert stage.controller.state == FAILED
    assert "blosc" in stage.log.of("failed")[0]
    assert len(errors()) == 1


def test_settings_that_do_not_fit_are_a_problem_of_their_field(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    for settings, field in (
        ({"overlaps": (3, 3)}, "overlaps"),
        ({"patch_size": (0, 64)}, "patch_size"),
        ({"axes": "ZYX"}, "axes"),
        ({"model": "no such model.pt"}, "model"),
        ({"model": Blur(3)}, "model"),
        ({"batch_size": 0}, "batch_size"),
    ):
        stage.log.said.clear()
        stage.start(layer, **settings)  # type: ignore[arg-type]
        stage.until(*ENDS)
        assert stage.controller.state == IDLE
        problem = stage.log.of("problem_changed")[-1]
        assert problem.field == field, problem
        assert "\n" not in problem.message
        assert stage.log.of("failed") in ([], [problem.message])
        assert list(stage.viewer.layers) == [layer]
    assert errors() == []


def test_no_image_is_a_problem_of_the_image(stage: Stage) -> None:
    stage.start()
    assert stage.controller.state == IDLE
    assert stage.log.of("problem_changed")[-1].field == "image"


def test_a_run_is_not_started_twice(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    stage.start(layer)
    request = stage.controller.request
    stage.start(layer, patch_size=(48, 48))
    assert stage.controller.request is request
    stage.until(DONE)
    assert len(stage.viewer.layers) == 2


def test_stopped_while_planning_it_continues_from_the_start(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    stage.start(layer)
    stage.controller.stop()
    assert stage.controller.state == STOPPING
    stage.until(STOPPED)
    assert list(stage.viewer.layers) == [layer]
    stage.controller.resume()
    stage.until(DONE)
    assert np.isfinite(stage.viewer.layers["cells_denoised"].data).all()


def test_stopping_stops_the_layers_to_come_as_well(stage: Stage) -> None:
    layers = [stage.viewer.add_image(noisy((40, 40)), name=f"c{i}") for i in range(2)]
    gate = GatedBlur()
    stage.start(*layers, model=gate)
    stage.until(RUNNING)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    # The only tile of the first layer is at work already: it is finished all the same.
    gate.let(1)
    stage.until(STOPPED)
    assert [layer.name for layer in stage.viewer.layers] == ["c0", "c0_denoised", "c1"]
    assert np.isfinite(stage.viewer.layers["c0_denoised"].data).all()
    assert stage.controller.can_resume
    gate.let(1)
    stage.controller.resume()
    stage.until(DONE)
    assert np.isfinite(stage.viewer.layers["c1_denoised"].data).all()
