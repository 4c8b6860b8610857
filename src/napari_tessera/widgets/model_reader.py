"""Finds out in the background what is known of a model, and runs its own test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.worker import Outcome

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
        self._newest: ModelChoice | None = None
        self._readings = NewestJob("reading a model", self)
        self._readings.finished.connect(self._on_read)
        self._tests = NewestJob("running a model's own test", self, at_once=1)
        self._tests.finished.connect(self._on_tested)

    def look(self, choice: ModelChoice) -> None:
        """Find out what is known of a model."""
        self._newest = choice
        self._tests.forget()
        self.read.emit(ModelReading(choice))
        self._readings.ask(choice, partial(_read, self._cache, choice))

    def run_own_test(self) -> None:
        """Run the test of the newest model."""
        if self._newest is not None:
            self._tests.ask(self._newest, partial(_test, self._cache, self._newest))

    def _on_read(self, choice: ModelChoice, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.read.emit(ModelReading(choice, problem=reason_line(outcome.error)))
        else:
            self.read.emit(ModelReading(choice, outcome.value))

    def _on_tested(self, choice: ModelChoice, outcome: Outcome) -> None:
        if outcome.error is not None:
            why = f"The test cannot be run: {reason_line(outcome.error)}"
            self.tested.emit(TestReport(why, passed=False))
            return
        self.tested.emit(outcome.value)
        # The model remembers the result, and warns where it failed.
        self._readings.ask(choice, partial(_read, self._cache, choice))


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


def reason_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, ImportError):
        return f"a package is missing: {error}"
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
