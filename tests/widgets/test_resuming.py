"""A run that goes on keeps what it was begun with, where the settings leave it to the software."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from tests.widgets.conftest import Blur, Stage, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import predict, predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.place_report import OTHER_RUN, RESUMABLE
from napari_tessera.widgets.request import EVERYTHING, RunRequest, SaveTarget
from napari_tessera.widgets.run_plan import settled_as
from napari_tessera.writing import read_unfinished

IMAGE = noisy((2, 100, 120))
MODEL = Blur()
SIZES: dict[str, Any] = {"patch_size": (48, 64), "overlaps": (8, 4)}


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    return model_stage


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """A store that another session was stopped in, with sizes that were typed."""
    path, cancel = tmp_path / "cells.ome.zarr", threading.Event()

    def stop(progress: Any) -> None:
        if progress.done >= 3:
            cancel.set()

    predict_to_disk(
        ArrayStack(IMAGE, "TYX"),
        load_model(MODEL, device="cpu"),
        path,
        batch_size=1,
        progress=stop,
        cancel=cancel,
        **SIZES,
    )
    return path


def reviewed(stage: Stage, path: Path, if_exists: str, **settings: Any) -> Any:
    """What settings come to, that are to be saved to a place."""
    layer = stage.viewer.layers[0]
    stage.log.said.clear()
    save = SaveTarget(path, if_exists=if_exists)
    request = RunRequest(
        (layer,), MODEL, area=EVERYTHING, axes="TYX", device="cpu", save=save, **settings
    )
    stage.controller.review(request)
    stage.wait(lambda: bool(stage.log.of("problem_changed")))
    assert stage.log.of("problem_changed")[-1] is None
    return stage.log.of("review_changed")[-1]


def test_automatic_sizes_are_those_of_the_run_that_is_there(stage: Stage, unfinished: Path) -> None:
    stage.viewer.add_image(IMAGE, name="cells")
    stored = read_unfinished(unfinished)
    assert stored is not None
    for if_exists in ("rename", "continue"):
        found = reviewed(stage, unfinished, if_exists)
        assert [place.kind for place in found.places] == [RESUMABLE]
        assert (found.plan.patch_size, found.plan.overlaps) == ((48, 64), (8, 4))
    found = reviewed(stage, unfinished, "continue", patch_size=(48, 64))
    assert found.places[0].kind == RESUMABLE
    assert found.plan.overlaps == (8, 4)
    save = SaveTarget(unfinished, if_exists="continue")
    layer = stage.viewer.layers[0]
    stage.run(layer, model=MODEL, axes="TYX", patch_size="auto", save=save)
    ended = read_unfinished(unfinished)
    assert ended is not None
    assert (ended.completed, ended.fingerprint) == (True, stored.fingerprint)
    expected = predict(ArrayStack(IMAGE, "TYX"), load_model(MODEL, device="cpu"), **SIZES)
    np.testing.assert_array_equal(zarr.open_array(unfinished / "0", mode="r")[...], expected)


def test_who_overwrites_has_sizes_of_their_own(stage: Stage, unfinished: Path) -> None:
    stage.viewer.add_image(IMAGE, name="cells")
    found = reviewed(stage, unfinished, "overwrite")
    assert found.places[0].kind == RESUMABLE, "it still could be gone on with"
    assert found.plan.patch_size != (48, 64)


@pytest.mark.parametrize("if_exists", ["rename", "continue"])
def test_other_sizes_that_are_typed_are_another_run(
    stage: Stage, unfinished: Path, if_exists: str
) -> None:
    stage.viewer.add_image(IMAGE, name="cells")
    found = reviewed(stage, unfinished, if_exists, patch_size=(64, 64))
    assert found.places[0].kind == OTHER_RUN
    assert "tile size 48×64 there, 64×64 now" in found.places[0].why
    assert found.plan.patch_size == (64, 64)


def test_another_image_is_another_run(stage: Stage, unfinished: Path) -> None:
    stage.viewer.add_image(IMAGE[:, :30, :30], name="small")
    found = reviewed(stage, unfinished, "continue")
    assert found.places[0].kind == OTHER_RUN


@pytest.mark.parametrize(
    "plan",
    [{}, {"fingerprint_of": None}, {"fingerprint_of": {"patch_size": "64", "overlaps": [True, 2]}}],
)
def test_what_a_plan_does_not_say_stays_open(plan: Any) -> None:
    request = RunRequest(())
    assert settled_as(plan, request) == request
