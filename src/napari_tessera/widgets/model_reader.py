"""Finds out in the background what is known of a model, and runs its own test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.worker import Job, Outcome, start_job

if TYPE_CHECKING:
    from napari_tessera.models import Model, ModelInfo


@dataclass(frozen=True)
class ModelChoice:
    """A model, and how it is wanted.

    Parameters
    ----------
    source : str, Path or callable
        What `load_model` takes.
    device, precision : str
        Where and with which numbers it is to run.
    """

    source: str | Path | Callable[..., Any]
    device: str = "auto"
    precision: str = "float32"


@dataclass(frozen=True)
class ModelReading:
    """What was found out of a model.

    Parameters
    ----------
    choice : ModelChoice
        The model.
    info : ModelInfo or None
        What is known of it; None while it is being read, or where it cannot be.
    problem : str
        Why it cannot be read: one line.
    """

    choice: ModelChoice
    info: ModelInfo | None = None
    problem: str = ""


@dataclass(frozen=True)
class TestReport:
    """What came of a model's own test.

    Parameters
    ----------
    text : str
        One line.
    passed : bool
        Whether the model gives what its package says.
    """

    __test__ = False

    text: str
    passed: bool


class ModelReader(QObject):
    """Reads models in a thread; only the newest counts.

    Parameters
    ----------
    cache : ModelCache
        Models of runs and reviews.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    read : Signal(object)
        A `ModelReading`: first without info, then with it or with a problem.
    tested : Signal(object)
        The `TestReport` of the newest model.
    """

    read = Signal(object)
    tested = Signal(object)

    def __init__(self, cache: ModelCache, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cache = cache
        self._wanted: ModelChoice | None = None
        self._reading: tuple[ModelChoice, Job] | None = None
        self._testing: tuple[ModelChoice, Job] | None = None

    def look(self, choice: ModelChoice) -> None:
        """Find out what is known of a model."""
        self._wanted = choice
        self.read.emit(ModelReading(choice))
        if self._reading is None:
            self._start()

    def run_own_test(self) -> None:
        """Run the test of the newest model; nothing while one is being run."""
        if self._wanted is None or self._testing is not None:
            return
        # Nothing of this QObject goes into the other thread, which might be the last to hold it.
        job = Job(partial(_test, self._cache, self._wanted), "running a model's own test")
        self._testing = (self._wanted, job)
        start_job(job, self._on_tested, quiet=True)

    def _start(self) -> None:
        assert self._wanted is not None
        job = Job(partial(_read, self._cache, self._wanted), "reading a model")
        self._reading = (self._wanted, job)
        start_job(job, self._on_read, quiet=True)

    def _on_read(self) -> None:
        assert self._reading is not None
        (choice, job), self._reading = self._reading, None
        if choice != self._wanted:
            self._start()
            return
        outcome = job.outcome or Outcome()
        if outcome.error is not None:
            self.read.emit(ModelReading(choice, problem=one_line(outcome.error)))
        else:
            self.read.emit(ModelReading(choice, outcome.value))

    def _on_tested(self) -> None:
        assert self._testing is not None
        (choice, job), self._testing = self._testing, None
        outcome = job.outcome or Outcome()
        if outcome.error is not None:
            report = TestReport(f"The test cannot be run: {one_line(outcome.error)}", passed=False)
        else:
            report = outcome.value
        if choice == self._wanted:
            self.tested.emit(report)
            # The model remembers the result, and warns where it failed.
            if self._reading is None:
                self._start()


def _model(cache: ModelCache, choice: ModelChoice) -> Model:
    from napari_tessera.models import Model

    model = cache.get(choice.source, choice.device, choice.precision)
    assert isinstance(model, Model)
    return model


def _read(cache: ModelCache, choice: ModelChoice) -> ModelInfo:
    return _model(cache, choice).info


def _test(cache: ModelCache, choice: ModelChoice) -> TestReport:
    result = _model(cache, choice).run_own_test()
    return TestReport(result.message, result.passed)


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, ImportError):
        return f"a package is missing: {error}"
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
