"""How trainings end, and where the dock tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.notify import worth_telling
from napari_tessera.widgets.training.basics import image_problem
from napari_tessera.widgets.training.neighbours import choose_model, denoise_view
from napari_tessera.widgets.training.words import others_text, trained_text

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_tessera.widgets.reports import FieldProblem
    from napari_tessera.widgets.training.dock import TrainingDock
    from napari_tessera.widgets.training.request import TrainingRequest


class TrainingEnds(QObject):
    """Tells why a training could not begin or go on, or offers what came of it.

    Parameters
    ----------
    dock : TrainingDock
        The dock.
    """

    def __init__(self, dock: TrainingDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._trained: tuple[Image, Path] | None = None
        """Layer and model of the last training that came to its end."""
        self._field = ""
        dock.controller.problem_found.connect(self._on_problem)
        dock.controller.trained.connect(self._on_trained)
        dock.view.use_wanted.connect(self._use)

    @property
    def model(self) -> Path | None:
        """What was trained last; None once something else is trained."""
        return None if self._trained is None else self._trained[1]

    def forget(self) -> None:
        """Tell of nothing any more: another training begins."""
        self.forget_trained()
        self.forget_problems()
        self._dock.view.forget_notices()

    def forget_trained(self) -> None:
        """Offer what was trained no longer; it stays in the list of models."""
        self._trained = None
        self._dock.view.say_kept("")
        self.show_use()

    def forget_problems(self) -> None:
        """Tell of no failure any more: what it came from was changed."""
        dock = self._dock
        # none to be opened is told by the field itself
        dock.image.report(image_problem(dock.image) if dock.image.layers else "")
        dock.method.report("")
        dock.advanced.forget_reports()
        dock.view.say_failed("")

    def show_use(self) -> None:
        """Offer to denoise with what was trained, as long as its image is there."""
        trained = self._trained
        there = trained is not None and trained[0] in self._dock.viewer.layers
        self._dock.view.offer_use(there)

    def _on_problem(self, problem: FieldProblem) -> None:
        """Show what is wrong beside the field that causes it."""
        dock, request = self._dock, self._dock.controller.request
        if dock.controller.progress is None:
            # that of the training before
            dock.view.curve.hide()
            if problem.field == "checkpoint" and request is not None and request.resume:
                self._leave(request)
                return
        if request is not None:
            # the stack is called so where files are told apart from layers
            said = problem.message.replace(f"layer:{request.layer.name}", request.layer.name)
            problem = replace(problem, message=said)
        if problem.field in ("image", "axes"):
            dock.image.report(problem.message)
        elif problem.field == "target":
            dock.method.report(problem.message)
        elif dock.advanced.report(problem.field, problem.message):
            dock.advanced.set_open(True)
            self._field = problem.field
            # once there is room for it
            QTimer.singleShot(0, self._scroll)
        else:
            dock.view.say_failed(problem.message)
        if dock.controller.progress is not None and dock.controller.progress.step:
            # it went on for a while: who looks elsewhere is told
            show_error(problem.message)
        dock.show_action()

    def _leave(self, request: TrainingRequest) -> None:
        """Make another model than the one whose training turned out to be on something else."""
        dock, old = self._dock, request.model_out
        dock.stopped.is_of_others(request)
        dock.look_again()
        new = dock.advanced.save.path
        if new is None or new == old:
            dock.advanced.report("model_out", f"{old.stem} is being trained: choose another name")
            return
        dock.view.say_kept(others_text(old.stem, new.stem), "warning")

    def _scroll(self) -> None:
        dock = self._dock
        dock.column.ensureWidgetVisible(dock.advanced.place_of(self._field), 0, 8)

    def _on_trained(self, model: Path) -> None:
        dock = self._dock
        request, progress = dock.controller.request, dock.controller.progress
        assert request is not None
        self._trained = (request.layer, model)
        line = trained_text(model.stem, progress)
        dock.view.say_kept(f"{line}.")
        self.show_use()
        dock.preview.end(model)
        dock.advanced.save.leave(model)
        choose_model(dock.viewer, model)
        seconds = 0.0 if progress is None else progress.seconds
        if worth_telling(seconds, looking=QApplication.activeWindow() is not None):
            show_info(line)
            QApplication.alert(dock.window())

    def _use(self) -> None:
        if self._trained is not None and self._trained[0] in self._dock.viewer.layers:
            denoise_view(self._dock.viewer, *self._trained)
