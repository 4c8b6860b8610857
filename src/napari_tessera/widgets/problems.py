"""What is known to be wrong with the settings, until they change."""

from __future__ import annotations

from napari_tessera.widgets.model_reader import ModelChoice, ModelReading
from napari_tessera.widgets.reports import FieldProblem
from napari_tessera.widgets.request import RunRequest


class Problems:
    """Keeps what a look at the settings found, and what reading the model alone has found.

    The latter stands where there is nothing to look at: without an image, and during a run.
    """

    def __init__(self) -> None:
        self.found: FieldProblem | None = None
        """What the last look at the settings found."""
        self._reading: ModelReading | None = None

    def of(self, choice: ModelChoice | None) -> FieldProblem | None:
        """What is wrong now.

        Parameters
        ----------
        choice : ModelChoice or None
            The model of all channels as it is chosen; None where channels have their own.
        """
        if self.found is not None or self._reading is None or self._reading.choice != choice:
            return self.found
        return FieldProblem("model", self._reading.problem)

    def read(self, reading: ModelReading) -> None:
        """Take in what was found out of a model."""
        self._reading = reading if reading.problem else None

    def fit(self, request: RunRequest) -> None:
        """Take in that settings were looked at and can be run, their model included."""
        self.found = None
        if self._reading is not None and self._reading.choice.source == request.model:
            self._reading = None
