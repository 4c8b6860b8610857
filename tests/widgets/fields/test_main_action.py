from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

from napari_tessera.widgets.fields.main_action import MainAction, main_action, same_run
from napari_tessera.widgets.request import AREAS, EVERYTHING, SLICE, VIEW, RunRequest, SaveTarget
from napari_tessera.widgets.run_state import (
    DONE,
    FAILED,
    IDLE,
    PLANNING,
    RUNNING,
    STATES,
    STOPPED,
    STOPPING,
)

REQUEST = RunRequest((Image(np.zeros((4, 4))),))


def says(state: str, request: RunRequest, last: RunRequest | None, can_resume: bool = False) -> str:
    return main_action(state, request.area, request, last, can_resume=can_resume).text


@pytest.mark.parametrize(
    ("area", "text"),
    [
        (VIEW, "Denoise this view"),
        (SLICE, "Denoise this slice"),
        (EVERYTHING, "Denoise everything"),
    ],
)
def test_the_text_follows_the_area(area: str, text: str) -> None:
    assert says(IDLE, replace(REQUEST, area=area), None) == text


def test_there_is_a_text_for_every_state_and_area() -> None:
    for state in STATES:
        for area in AREAS:
            for last in (None, REQUEST):
                action = main_action(state, area, None, last, can_resume=True)
                assert action.text
                assert action.symbol in "■►"


@pytest.mark.parametrize("state", [PLANNING, RUNNING])
def test_a_run_can_be_stopped_whatever_the_settings_are(state: str) -> None:
    assert main_action(state, VIEW, None, REQUEST, can_resume=False) == MainAction("stop", "Stop")


def test_while_stopping_there_is_nothing_to_do() -> None:
    assert main_action(STOPPING, VIEW, REQUEST, REQUEST, can_resume=False).kind == "wait"


def test_a_stopped_run_goes_on() -> None:
    action = main_action(STOPPED, VIEW, REQUEST, REQUEST, can_resume=True)
    assert action == MainAction("continue", "Continue")
    assert says(STOPPED, REQUEST, REQUEST, can_resume=False) == "Denoise this view"


@pytest.mark.parametrize("state", [STOPPED, DONE, FAILED])
def test_after_a_change_of_settings_it_is_denoised_again(state: str) -> None:
    changed = replace(REQUEST, normalization="series")
    assert says(state, changed, REQUEST, can_resume=True) == "Denoise again"


def test_another_area_or_layer_is_no_repetition() -> None:
    everything = replace(REQUEST, area=EVERYTHING, normalization="series")
    assert says(DONE, everything, REQUEST) == "Denoise everything"
    other = replace(REQUEST, layers=(Image(np.zeros((4, 4))),))
    assert says(STOPPED, other, REQUEST, can_resume=True) == "Denoise this view"


def test_what_is_done_where_a_file_exists_makes_no_other_run() -> None:
    asked = replace(REQUEST, save=SaveTarget(Path("a.zarr")))
    answered = replace(REQUEST, save=SaveTarget(Path("a.zarr"), if_exists="overwrite"))
    assert same_run(asked, answered)
    assert not same_run(asked, REQUEST)
    assert not same_run(asked, None)


def test_what_an_earlier_session_saved_is_resumed_unless_this_one_goes_on() -> None:
    def kind(state: str, can_resume: bool) -> MainAction:
        return main_action(state, VIEW, REQUEST, REQUEST, can_resume=can_resume, resumes_saved=True)

    assert kind(IDLE, False) == MainAction("start", "Resume")
    assert kind(FAILED, False).text == "Resume"
    assert kind(STOPPED, True).text == "Continue"
    assert kind(RUNNING, True).text == "Stop"
