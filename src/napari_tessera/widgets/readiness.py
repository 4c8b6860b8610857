"""Whether a run can start: settings are looked at once they rest, and what is wrong is kept."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.fields.run import RunRow
from napari_tessera.widgets.fields.settings import Settings
from napari_tessera.widgets.fields.text import in_peoples_words
from napari_tessera.widgets.model_reader import ModelReading
from napari_tessera.widgets.place_problem import PASSING
from napari_tessera.widgets.place_report import WRITTEN
from napari_tessera.widgets.problems import Problems
from napari_tessera.widgets.reports import FieldProblem, PlanReview
from napari_tessera.widgets.review_timer import ReviewTimer


class Readiness(QObject):
    """Lets the controller look at the settings, and reports to the fields what it finds.

    Parameters
    ----------
    settings : Settings
        The fields.
    controller : RunController
        Looks at settings.
    run_row : RunRow
        Shows warnings that belong to no field.
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal()
        Something else is known than before.
    """

    changed = Signal()

    def __init__(
        self, settings: Settings, controller: RunController, run_row: RunRow, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._controller = controller
        self._run_row = run_row
        self.held_back = ""
        """What goes on elsewhere and lets no run start; empty where nothing does."""
        self._problems = Problems()
        self._timer = ReviewTimer(self)
        self._timer.due.connect(self._review)
        controller.review_changed.connect(self._on_review)
        controller.problem_changed.connect(self._on_problem)

    @property
    def problem(self) -> FieldProblem | None:
        """What is known to be wrong with the settings as they are."""
        return self._problems.of(self._settings.sole_model_choice)

    @property
    def reason(self) -> str:
        """Why no run can start now; empty where one can, or is going on."""
        if self._controller.busy:
            return ""
        return self.held_back or self._settings.problem or self._found(saving=True)

    @property
    def reason_unsaved(self) -> str:
        """The same for what saves nothing, like a comparison."""
        if self._controller.busy:
            return ""
        return self.held_back or self._settings.problem_unsaved or self._found(saving=False)

    def _found(self, *, saving: bool) -> str:
        problem = self.problem
        if problem is None or (problem.field == "save" and not saving):
            return ""
        return in_peoples_words(problem.message)

    def look(self) -> None:
        """Look at the settings once they have rested from now on."""
        self._timer.start()

    def settings_changed(self) -> None:
        """Forget what was found of other settings: it holds the button back no longer."""
        self._problems.found = None
        self._controller.outdate_review()
        self._timer.start()

    def view_moved(self) -> None:
        """Look again where it matters: what was not in view may be; so may a lone channel."""
        found = self._problems.found
        if self._settings.model.of_channels or (found is not None and found.field == "area"):
            self._timer.start()

    def read(self, reading: ModelReading) -> None:
        """Take in what was found out of the model alone."""
        self._settings.model.show_reading(reading)
        self._problems.read(reading)
        if (problem := self.problem) is not None:
            self._settings.report(problem)
        self.changed.emit()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._controller.review(None)

    def _review(self) -> None:
        if self._controller.busy:
            return
        request = self._settings.request_to_review()
        if request is None:
            self._run_row.set_settings_warnings(())
        self._controller.review(request)

    def _on_review(self, review: PlanReview | None) -> None:
        if review is None:
            return
        self._problems.fit(review.request)
        self._on_problem(None)
        self._run_row.set_settings_warnings(self._settings.show_review(review))
        if any(place.kind == WRITTEN for place in review.places):
            self._timer.retry()
        self.changed.emit()

    def _on_problem(self, problem: FieldProblem | None) -> None:
        self._problems.found = problem
        problem = self.problem
        self._settings.report(problem)
        if problem is not None:
            self._run_row.set_settings_warnings(())
            self._settings.ask_where_axes_matter(problem)
            if problem.kind in PASSING:
                self._timer.retry()
        self.changed.emit()
