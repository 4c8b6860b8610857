"""Looking at settings: only the newest count, nothing is read, problems name their field."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.widgets.conftest import Blur, Stage, noisy

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.request import EVERYTHING, SLICE, RunRequest, SaveTarget
from napari_tessera.widgets.reviewer import problem_of
from napari_tessera.widgets.seams import is_of_seams


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    return model_stage


def review(stage: Stage, *layers: Any, model: Any = None, **settings: Any) -> None:
    stage.log.said.clear()
    settings = {"patch_size": (64, 64), "device": "cpu", **settings}
    stage.controller.review(RunRequest(layers, Blur() if model is None else model, **settings))


def settled(stage: Stage) -> Any:
    """Wait for the answer to the newest settings."""
    stage.wait(lambda: bool(stage.log.of("problem_changed")))
    return stage.log.of("problem_changed")[-1]


def test_tells_tiles_reach_and_what_everything_takes(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((40, 300, 300)), name="cells")
    review(stage, layer, area=SLICE)
    assert settled(stage) is None
    found = stage.log.of("review_changed")[-1]
    assert (found.reach, found.plan.patch_size) == ((1, 1), (64, 64))
    assert found.plan.total_tiles == 25
    assert stage.log.of("estimate_changed") == [
        "This slice: 25 tiles 360 kB\nEverything: 1,000 tiles 14 MB"
    ]


def test_everything_is_of_the_channels_chosen(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((3, 300, 300)), name="cells", axis_labels=tuple("cyx"))
    review(stage, layer, area=EVERYTHING, channels=(1,))
    assert settled(stage) is None
    assert stage.log.of("review_changed")[-1].plan.total_tiles == 25
    assert stage.log.of("estimate_changed") == ["Everything: 25 tiles 360 kB"]


def test_after_a_run_it_tells_the_time(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((40, 300, 300)), name="cells")
    model = Blur()
    stage.run(layer, model=model, area=SLICE)
    review(stage, layer, model=model)
    assert settled(stage) is None
    assert stage.log.of("estimate_changed")[-1].startswith("Everything: 1,000 tiles ~")


def test_reads_no_pixel(stage: Stage) -> None:
    threads: list[threading.Thread] = []

    class Far:
        shape, dtype, ndim, size = (50, 300, 300), np.dtype(np.uint16), 3, 50 * 300 * 300

        def __getitem__(self, index: Any) -> Any:
            threads.append(threading.current_thread())
            return np.broadcast_to(np.uint16(7), self.shape)[index]

    layer = stage.viewer.add_image(Far(), name="far", contrast_limits=(0, 1))
    threads.clear()
    review(stage, layer, area=EVERYTHING)
    assert settled(stage) is None
    assert {t for t in threads if t is not threading.main_thread()} == set()


def test_where_seams_are_expected_the_image_itself_is_looked_at(stage: Stage) -> None:
    threads: list[threading.Thread] = []

    class Watched:
        def __init__(self) -> None:
            self.pixels = noisy((200, 200))
            self.shape, self.dtype, self.ndim = (200, 200), self.pixels.dtype, 2
            self.size = 40000

        def __getitem__(self, index: Any) -> Any:
            threads.append(threading.current_thread())
            return self.pixels[index]

    layer = stage.viewer.add_image(Watched(), name="cells", contrast_limits=(0, 1))
    model = Blur()
    review(stage, layer, model=model, overlaps=(0, 0), area=EVERYTHING)
    stage.wait(lambda: len([r for r in stage.log.of("review_changed") if r]) == 2)
    first, second = (r for r in stage.log.of("review_changed") if r)
    assert (first.plan, first.request) == (second.plan, second.request)
    assert not any("grey levels" in warning for warning in first.warnings)
    assert sum("expect seams" in warning for warning in first.warnings) == 1
    assert sum("seams of about" in warning for warning in second.warnings) == 1
    assert threading.main_thread() not in threads[-1:]
    # what has no part in the seams costs no other look, and the number stays
    looked = len(threads)
    review(stage, layer, model=model, overlaps=(0, 0), area=EVERYTHING, batch_size=2)
    assert settled(stage) is None
    (third,) = (r for r in stage.log.of("review_changed") if r)
    assert third.plan.settings.batch_size == 2
    assert set(filter(is_of_seams, third.warnings)) == set(filter(is_of_seams, second.warnings))
    assert {t for t in threads[looked:] if t is not threading.main_thread()} == set()
    # another overlap has other seams
    review(stage, layer, model=model, overlaps=(2, 0), area=EVERYTHING)
    assert settled(stage) is None
    fourth = next(r for r in stage.log.of("review_changed") if r)
    assert not any("seams of about" in warning for warning in fourth.warnings)


def test_only_the_newest_settings_count(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((300, 300)), name="cells")
    model = Blur()
    found: list[Any] = []
    stage.controller.review_changed.connect(lambda r: found.append(r) if r is not None else None)
    for size in range(10, 60):
        review(stage, layer, model=model, patch_size=(size, size))
    stage.wait(lambda: bool(found) and found[-1].plan.patch_size == (59, 59))
    assert len(found) <= 2


def test_no_image_clears_everything(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    review(stage, layer)
    settled(stage)
    stage.controller.review(None)
    assert stage.log.of("review_changed")[-1] is None
    assert stage.log.of("estimate_changed")[-1] == ""
    assert stage.log.of("problem_changed")[-1] is None


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"overlaps": (57, 56)}, "overlaps", "odd"),
        ({"overlaps": (64, 64)}, "overlaps", "64"),
        ({"axes": "TZYX"}, "axes", "TZYX has 4 letters, the image 2 axes"),
        ({"model": Blur(3)}, "model", "has no Z"),
        ({"model": Blur(2, 5)}, "model", "5 channels"),
        ({"model": "missing.pt"}, "model", "missing.pt"),
        ({"normalization": "magic"}, "normalization", "magic"),
        ({"save": SaveTarget(Path("no/such/folder/x.ome.zarr"))}, "save", "does not exist"),
    ],
)
def test_problems_stand_beside_their_field(
    stage: Stage, settings: dict[str, Any], field: str, message: str
) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    review(stage, layer, **settings)
    problem = settled(stage)
    assert (problem.field, message in problem.message) == (field, True), problem
    assert "\n" not in problem.message
    assert stage.log.of("review_changed")[-1] is None
    assert stage.log.of("estimate_changed")[-1] == ""


def test_nothing_in_view_is_a_problem_of_the_area(stage: Stage) -> None:
    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    camera_of(stage.viewer).center = (0, 1e6, 1e6)
    review(stage, layer)
    assert settled(stage).field == "area"


def test_a_model_that_fails_on_trial_is_a_problem_of_the_model(stage: Stage) -> None:
    class Failing(Blur):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no kernel image is available")

    layer = stage.viewer.add_image(noisy((100, 100)), name="cells")
    review(stage, layer, model=Failing())
    problem = settled(stage)
    assert problem.field == "model"
    assert "no kernel image" in problem.message


@pytest.mark.parametrize(
    ("error", "field", "message"),
    [
        (PlanError("x is 1", "overlaps"), "overlaps", "x is 1"),
        (ImportError("no module named h5py"), "model", "a package is missing: no module"),
        (RuntimeError("a\nb"), "model", "a"),
        (RuntimeError(), "model", "RuntimeError"),
    ],
)
def test_every_error_is_one_line_of_a_field(error: Exception, field: str, message: str) -> None:
    problem = problem_of(error)
    assert problem.field == field
    assert problem.message.startswith(message)
    assert "\n" not in problem.message
