"""Which part of its image a stored run is of: told by number, and chosen in the dock."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from tests.widgets.conftest import WAIT_MS, make_plan, noisy

from napari_tessera.prediction import PredictionPlan, predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.adopting import adopt
from napari_tessera.widgets.continuing import continue_run
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.channels import ALL, PICK
from napari_tessera.widgets.plan_differences import can_be_adopted, differences
from napari_tessera.widgets.request import EVERYTHING, VOLUME

IMAGE = noisy((2, 3, 4, 70, 70), dtype=np.uint16)
AXES = "TCZYX"


def planned(region: dict[str, Any], size: int = 64) -> PredictionPlan:
    return make_plan(IMAGE, AXES, region=region, patch_size=(size, size), overlaps=(4, 4))


@pytest.mark.parametrize(
    ("there", "now", "told", "adopted"),
    [
        ({"C": [1]}, {}, "channels 1 there, all now", True),
        ({"C": [0, 2]}, {"C": [0, 1]}, "channels 0,2 there, 0,1 now", True),
        ({}, {"C": [0, 1]}, "channels all there, 0,1 now", True),
        ({"C": [1]}, {"C": [1], "Y": slice(0, 9)}, "area", True),
        ({"C": [1]}, {"T": 0, "C": [0]}, "channels 1 there, 0 now; area", True),
        ({"T": 1}, {}, "T 1 there, all now", False),
        ({"T": 1, "C": [1]}, {"T": 0}, "channels 1 there, all now; T 1 there, 0 now", False),
        ({"Z": slice(0, 3)}, {}, "Z 0…2 there, all now", False),
        ({"C": [1], "Y": slice(0, 9)}, {"C": [1]}, "area", False),
    ],
)
def test_channels_and_places_along_sliders_are_told_by_number(
    there: dict[str, Any], now: dict[str, Any], told: str, *, adopted: bool
) -> None:
    stored, plan = planned(there).to_dict(), planned(now)
    assert differences(stored, plan, pixels=False) == told
    assert can_be_adopted(stored, plan) == adopted
    smaller = differences(planned(there, 32).to_dict(), plan, pixels=False)
    assert smaller.startswith(f"{told}; "), "what decides the most stands first"


@pytest.mark.parametrize("damaged", [{"C": {"start": "x"}}, {"C": 1}, {"C": []}, {"T": 7}])
def test_a_part_that_makes_no_sense_differs_and_is_not_chosen(damaged: Any) -> None:
    plan = planned({})
    content = plan.to_dict()
    deciding = {**content["fingerprint_of"], "region_selection": damaged}
    stored = {**content, "fingerprint_of": deciding}
    assert differences(stored, plan, pixels=False)
    assert not can_be_adopted(stored, plan)


@pytest.fixture
def dock(make_napari_viewer: Any) -> DenoiseDock:
    viewer = make_napari_viewer()
    viewer.add_image(IMAGE, name="cells", axis_labels=tuple(AXES.lower()))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    return dock


def test_channels_are_taken_over_with_everything_alone(dock: DenoiseDock) -> None:
    area = dock.settings.area
    adopt(dock.settings, planned({"C": [0, 2]}).to_dict())
    assert (area.value, area.channels) == (EVERYTHING, (0, 2))
    adopt(dock.settings, planned({"C": [1]}).to_dict())
    assert (area.value, area.channels) == (EVERYTHING, (1,))
    area.value = VOLUME
    adopt(dock.settings, planned({"T": 1, "C": [0]}).to_dict())
    assert (area.value, area.channels) == (VOLUME, (1,)), "a part that somebody looked at"
    adopt(dock.settings, planned({}).to_dict())
    assert (area.value, area.channels_row.chooser.value) == (EVERYTHING, ALL)


def test_a_stopped_run_of_one_channel_is_found_again(
    make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    path, cancel = tmp_path / "cells.ome.zarr", threading.Event()
    settings = {"patch_size": (128, 128), "region": {"C": [1]}, "output_dtype": "input"}
    image = noisy((2, 150, 150), dtype=np.uint16)

    def stop(progress: Any) -> None:
        if progress.done >= 1:
            cancel.set()

    stack = ArrayStack(image, "CYX")
    predict_to_disk(
        stack,
        "builtin:denoise2d",
        path,
        copy_channels=True,
        progress=stop,
        cancel=cancel,
        **settings,
    )
    viewer = make_napari_viewer(show=True)
    viewer.add_image(image, name="cells", axis_labels=("c", "y", "x"))
    dock = continue_run(viewer, path)
    assert dock.settings.area.channels_row.chooser.value == PICK
    assert dock.settings.area.channels == (1,)
    qtbot.waitUntil(lambda: dock.settings.save.resumes, timeout=WAIT_MS)
