"""Work in other threads: outcomes always arrive, warnings stay as they are."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import torch
from superqt.utils import WorkerBase
from tests.widgets.conftest import Blur
from torch import nn

from napari_tessera.models import load_model
from napari_tessera.prediction import cores
from napari_tessera.widgets.worker import MODEL_NICENESS, Job, model_threads, start_job


class OutOfMemoryError(RuntimeError):
    """As torch.cuda's is."""


def finish(job: Job, qtbot: Any, **options: Any) -> Any:
    called: list[threading.Thread] = []
    start_job(job, lambda: called.append(threading.current_thread()), **options)
    qtbot.waitUntil(lambda: bool(called))
    assert called == [threading.main_thread()]
    assert job.outcome is not None
    return job.outcome


@pytest.mark.parametrize("quiet", [False, True])
def test_gives_what_the_function_returns(qtbot: Any, quiet: bool) -> None:
    threads: list[threading.Thread] = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 5

    outcome = finish(Job(work, "counting"), qtbot, quiet=quiet)
    assert (outcome.value, outcome.error) == (5, None)
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize("stand_back", [False, True])
@pytest.mark.parametrize("error", [OutOfMemoryError("CUDA out of memory"), ValueError("x")])
def test_no_error_is_lost(qtbot: Any, error: Exception, stand_back: bool) -> None:
    def work() -> None:
        raise error

    outcome = finish(Job(work, "failing", stand_back), qtbot)
    assert outcome.error is error


def test_asked_to_quit_the_cancel_event_is_set_and_finished_still_comes(qtbot: Any) -> None:
    cancel = threading.Event()
    job = Job(lambda: cancel.wait(20), "waiting")
    finished: list[bool] = []
    worker = start_job(job, lambda: finished.append(True), cancel)
    qtbot.waitUntil(lambda: worker.is_running)
    worker.quit()
    qtbot.waitUntil(lambda: bool(finished))
    assert worker.abort_requested
    assert job.outcome is not None
    assert job.outcome.value is True
    qtbot.waitUntil(lambda: worker not in WorkerBase._worker_set)


def test_filters_of_warnings_are_left_alone(qtbot: Any) -> None:
    seen: list[Any] = []
    before = list(warnings.filters)

    def work() -> None:
        seen.append(list(warnings.filters))

    finish(Job(work, "looking"), qtbot)
    assert seen == [before]
    assert list(warnings.filters) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness by thread is Linux's")
def test_stands_back_in_a_thread_of_its_own(qtbot: Any) -> None:
    def niceness() -> tuple[int, str]:
        own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return own, threading.current_thread().name

    usual = niceness()[0]
    value, name = finish(Job(niceness, "asking", stand_back=True), qtbot).value
    assert value == min(usual + MODEL_NICENESS, 19)
    assert name == "tessera-model"
    assert finish(Job(niceness, "asking"), qtbot).value[0] == usual


def test_napari_is_told_what_goes_on() -> None:
    assert f"Executing {Job(lambda: None, 'denoising of cells')}" == "Executing denoising of cells"


@pytest.mark.parametrize(("usable", "threads"), [(8, 7), (2, 1), (1, 1)])
def test_one_core_is_left_to_the_gui(
    monkeypatch: pytest.MonkeyPatch, usable: int, threads: int
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: usable)
    assert model_threads() == threads
    assert model_threads(load_model(nn.Conv2d(32, 32, 3, padding=1), device="cpu")) == threads
    tiny = load_model(Blur(), device="cpu")
    assert model_threads(tiny) == 1, "as without a window: several would wait for one another"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness is by thread on Linux")
def test_threads_that_the_engine_starts_stand_back_too(qtbot: Any) -> None:
    """Readers, writers, and those among which torch divides one operation."""
    nice: list[int] = []

    def work() -> None:
        before = set(os.listdir("/proc/self/task"))
        with ThreadPoolExecutor(1) as readers:
            nice.append(readers.submit(os.getpriority, os.PRIO_PROCESS, 0).result())
        torch.set_num_threads(2)
        large = torch.rand(1, 8, 256, 256)
        torch.nn.functional.conv2d(large, torch.rand(8, 8, 3, 3))
        for thread in set(os.listdir("/proc/self/task")) - before:
            with suppress(ProcessLookupError):
                nice.append(os.getpriority(os.PRIO_PROCESS, int(thread)))

    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    outcome = finish(Job(work, "predicting", stand_back=True), qtbot)
    assert outcome.error is None
    assert set(nice) == {own + MODEL_NICENESS}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
