"""The progress row's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_tessera.widgets.fields.progress_text import held_up_text, progress_text, speed_text
from napari_tessera.widgets.reports import RunProgress
from napari_tessera.widgets.run_state import RUNNING, STOPPED, STOPPING

PROGRESS = RunProgress("cells", 1, 1, 6, 12, 4.2, 1.5, 0.1, "model")


def test_progress_counts_layers_where_there_are_several() -> None:
    assert progress_text(PROGRESS, RUNNING) == "6/12 tiles · 4 s left"
    several = replace(PROGRESS, layer_number=2, n_layers=3, seconds_left=None)
    assert progress_text(several, RUNNING) == "layer 2/3 · 6/12 tiles"


@pytest.mark.parametrize(
    ("state", "writing", "text"),
    [
        (STOPPED, "", "6/12 tiles · stopped"),
        (STOPPING, "", "6/12 tiles · stopping"),
        (STOPPED, "a.tif", "6/12 tiles · not written"),
        (RUNNING, "a.tif", "writing a.tif…"),
    ],
)
def test_how_a_run_stands(state: str, writing: str, text: str) -> None:
    assert progress_text(replace(PROGRESS, writing=writing), state) == text


def test_workers_of_a_cluster_get_ready_first() -> None:
    begins = replace(PROGRESS, done=0, seconds_left=None, tiles_per_second=None, getting_ready=True)
    assert progress_text(begins, RUNNING) == "Workers get ready…"
    assert progress_text(begins, RUNNING, "layer 2/3 · ") == "layer 2/3 · workers get ready…"
    assert progress_text(begins, STOPPING) == "0/12 tiles · stopping"
    assert "the workers of the cluster open image and model" in speed_text(begins).splitlines()


def test_the_tooltip_tells_speed_what_takes_longest_and_memory() -> None:
    assert speed_text(replace(PROGRESS, device_bytes=1_230_000_000)).splitlines() == [
        "cells",
        "1.5 tiles/s",
        "0.1 megapixels/s",
        "takes longest: the model",
        "memory used on the GPU: 1.2 GB",
    ]
    start = replace(PROGRESS, tiles_per_second=None, megapixels_per_second=None, bottleneck=None)
    assert speed_text(start).splitlines() == [
        "cells",
        "speed not measured yet: the first tiles take longer",
    ]


def test_what_the_model_waits_for_is_said_while_it_does() -> None:
    reading, writing = (replace(PROGRESS, bottleneck=stage) for stage in ("read", "write"))
    assert held_up_text(reading, RUNNING) == "Reading the image takes longest: the model waits."
    assert held_up_text(writing, RUNNING) == "Writing the result takes longest: the model waits."
    assert held_up_text(reading, STOPPED) == ""
    assert held_up_text(PROGRESS, RUNNING) == ""
    assert held_up_text(None, RUNNING) == ""


def test_what_runs_stands_first() -> None:
    progress = RunProgress("cells", 2, 3, 0, 1, None, None, None, None)
    assert progress_text(progress, RUNNING) == "layer 2/3 · 0/1 tiles"
    flips = progress_text(progress, RUNNING, "Flip disagreement: ")
    assert flips == "Flip disagreement: 0/1 tiles"
