"""What a controller tells the dock, signal by signal."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal


class RunSignals(QObject):
    """Signals of the GUI thread.

    Attributes
    ----------
    state_changed : Signal(str)
        The new state, one of `STATES`.
    progress_changed : Signal(object)
        A `RunProgress`, at most ten a second.
    checks_changed : Signal(object)
        The `CheckReadings` of the tiles so far, at most ten a second; None when a run starts.
    estimate_changed : Signal(str)
        Text of the estimate line, ``"Everything: 126,000 tiles ~2 h 21 GB"``; empty where unknown.
    review_changed : Signal(object)
        A `PlanReview` of the settings last given to `review`, or of a run that starts; None
        while it is being made or where there is a problem.
    problem_changed : Signal(object)
        A `FieldProblem` of the settings last given to `review` or `start`, or None.
    warned : Signal(str)
        One line that the person should see though the run goes on.
    kept_changed : Signal(str)
        What is on disk of a run that was stopped, in one line; empty where nothing is, or the run
        goes on.
    failed : Signal(str)
        One line that says why a run ended. What went wrong in mid-run, napari has shown already;
        what kept it from starting is a problem of a field, too.
    held_back : str
        What goes on elsewhere and lets nothing be denoised here; empty where nothing does.
    """

    state_changed = Signal(str)
    progress_changed = Signal(object)
    checks_changed = Signal(object)
    estimate_changed = Signal(str)
    review_changed = Signal(object)
    problem_changed = Signal(object)
    warned = Signal(str)
    kept_changed = Signal(str)
    failed = Signal(str)
    held_back: str = ""

    def refuses(self) -> bool:
        """Whether nothing can be denoised now for what goes on elsewhere; tells of it then."""
        if self.held_back:
            self.failed.emit(self.held_back)
        return bool(self.held_back)
