"""Cores and threads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.prediction import RunSettings, cores
from napari_tessera.prediction.cores import MOST_READERS, reading_threads, usable_cores


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 16 cores, all for this process."""
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", 16), ("250000 100000\n", 3), ("50000 100000\n", 1), ("-1 1\n", 16), ("", 16)],
)
def test_the_time_of_a_container_counts(tmp_path: Path, text: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(text, encoding="ascii")
    assert usable_cores(tmp_path) == expected


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(("quota", "expected"), [("400000\n", 4), ("-1\n", 16)])
def test_older_control_groups_too(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota, encoding="ascii")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert usable_cores(tmp_path) == expected


def test_the_cores_that_the_process_is_bound_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert usable_cores(tmp_path) == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores(tmp_path) == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(tmp_path) == 1


@pytest.mark.parametrize(("given", "expected"), [(1, 1), (2, 1), (4, 3), (64, MOST_READERS)])
def test_one_core_is_left_to_the_window(
    given: int, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda groups: given)
    assert reading_threads(tmp_path) == expected
    assert RunSettings().reader_threads == reading_threads()


def test_a_plan_says_how_many_read() -> None:
    stack, model = open_stack(np.zeros((64, 64), np.uint8), "YX"), load_model(lambda x: x)
    assert plan_prediction(stack, model).settings.reader_threads == reading_threads()
    assert plan_prediction(stack, model, reader_threads=5).settings.reader_threads == 5
