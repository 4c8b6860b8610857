"""Cores and threads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction import RunSettings, cores
from napari_tessera.prediction.cores import (
    LITTLE_WORK,
    MOST_READERS,
    WAITING_READERS,
    model_threads,
    reading_threads,
    usable_cores,
)
from napari_tessera.stacks import ArrayStack


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


class Distant(np.ndarray):
    """Pixels that are said to be answered late."""

    waits = True


def test_more_threads_read_what_is_answered_late() -> None:
    model = load_model(lambda x: x)
    far = ArrayStack(np.zeros((64, 64), np.uint8).view(Distant), "YX")
    assert plan_prediction(far, model).settings.reader_threads == WAITING_READERS
    assert plan_prediction(far, model, reader_threads=2).settings.reader_threads == 2


class Noting(nn.Module):
    """Two convolutions that note how many threads they have."""

    # of the class: a model may run a copy
    threads: ClassVar[set[int]] = set()

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.back = nn.Conv2d(channels, 1, 3, padding=1, bias=False)

    def forward(self, batch: Tensor) -> Tensor:
        self.threads.add(torch.get_num_threads())
        return self.back(self.convolution(batch))


@pytest.mark.parametrize(
    ("channels", "expected"),
    [(1, 1), (8, 1), (LITTLE_WORK, None)],
    ids=["a mean", "few weights", "many weights"],
)
def test_a_network_with_little_to_compute_has_one_thread(
    channels: int, expected: int | None
) -> None:
    assert model_threads(load_model(Noting(channels), device="cpu")) == expected


def test_nothing_is_known_of_functions() -> None:
    assert model_threads(load_model(lambda x: x)) is None


@pytest.mark.skipif(torch.get_num_threads() < 2, reason="torch has one thread here")
@pytest.mark.parametrize(("asked", "expected"), [(None, 1), (2, 2)])
def test_a_run_has_the_threads_that_it_is_said_to_have(asked: int | None, expected: int) -> None:
    model = load_model(Noting(1), device="cpu")
    image = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    plan = plan_prediction(ArrayStack(image, "YX"), model, torch_threads=asked)
    before = torch.get_num_threads()
    Noting.threads.clear()
    predict(ArrayStack(image, "YX"), model, plan=plan)
    assert Noting.threads == {expected}
    assert torch.get_num_threads() == before
