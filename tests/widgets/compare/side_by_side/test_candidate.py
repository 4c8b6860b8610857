"""What a candidate is called, and how it differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from napari.layers import Image
from tests.widgets.conftest import Blur, noisy

from napari_tessera.models import ModelError
from napari_tessera.widgets.compare.side_by_side.candidate import (
    DONE,
    FAILED,
    LOADING,
    RUNNING,
    Candidate,
    difference_text,
    model_title,
    problem_text,
)
from napari_tessera.widgets.compare.side_by_side.column import status_text
from napari_tessera.widgets.request import RunRequest

BASE = RunRequest((Image(noisy((8, 8))),))
KNOWN = [("Built-in", "builtin:denoise2d"), ("a — model.pt", "/a/model.pt")]


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ({}, "Built-in"),
        ({"model": "/a/model.pt"}, "a — model.pt"),
        ({"model": "/b/other.pt"}, "other.pt"),
        ({"model": Blur()}, "Blur"),
        ({"channel_models": ((0, "/a/model.pt"),)}, "one model per channel"),
    ],
)
def test_it_is_called_as_its_model(changed: dict[str, Any], title: str) -> None:
    assert model_title(replace(BASE, **changed), KNOWN) == title


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, ""),
        ({"model": "/a/model.pt"}, ""),
        ({"tta": "mean"}, "mean over flips"),
        ({"patch_size": (128, 128), "overlaps": (32, 32)}, "tiles 128×128, overlap 32"),
        ({"normalization": "time_point"}, "intensity range time point"),
        ({"blending": "linear"}, "joining linear"),
        ({"hot_pixels": "replace"}, "hot pixels replaced"),
        ({"camera_offset": 100.0}, "camera offset 100, gain 1"),
    ],
)
def test_it_says_what_differs(changed: dict[str, Any], text: str) -> None:
    assert difference_text(replace(BASE, **changed), BASE) == text
    back = {"patch_size": "tiles auto", "overlaps": "overlap auto", "tta": "no flips"}
    if changed.keys() & back.keys():
        told = difference_text(BASE, replace(BASE, **changed))
        assert told == ", ".join(back[name] for name in changed)


def test_what_goes_wrong_is_told_in_one_line() -> None:
    candidate = Candidate(BASE)
    error = ModelError("patch size 63 is no multiple of the alignment 2")
    assert problem_text(candidate, error) == (
        "tile size 63 is no multiple of the model's step of 2"
    )


def test_how_far_it_is() -> None:
    candidate = Candidate(BASE)
    assert status_text(candidate) == "waiting"
    assert status_text(candidate, paused=True) == "waits for the run to end"
    candidate.state = LOADING
    assert status_text(candidate) == "getting ready…"
    candidate.state, candidate.done, candidate.total = RUNNING, 3, 1200
    assert status_text(candidate) == "3/1,200 tiles"
    candidate.state, candidate.seconds = DONE, 12.34
    assert status_text(candidate) == "12.3 s, 1,200 tiles"
    candidate.seconds, candidate.total = 0.123, 1
    assert status_text(candidate) == "0.12 s, 1 tile"
    candidate.state = FAILED
    assert status_text(candidate) == ""
