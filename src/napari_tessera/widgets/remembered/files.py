"""*Save settings…* and *Load settings…*."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from napari_tessera.models.recent import recent_models
from napari_tessera.prediction import PlanError
from napari_tessera.widgets.fields.text import in_peoples_words
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.remembered.settings_file import (
    FoundModels,
    StoredSettings,
    find_models,
    read_settings,
    write_settings,
)
from napari_tessera.widgets.remembered.taking_over import take_over
from napari_tessera.widgets.run_queue import RunQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.widgets.model_cache import ModelCache
    from napari_tessera.widgets.reports import PlanReview
    from napari_tessera.widgets.request import RunRequest
    from napari_tessera.widgets.worker import Outcome

_KINDS = "Settings (*.json);;All files (*)"
_NAME = "denoise.json"


class SettingsFiles(QObject):
    """Writes the dock's settings to files, and takes settings over from files.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._copies = dock.settings.advanced.copies
        self._expected: tuple[str, str] | None = None
        self._said: tuple[str, ...] = ()
        self._writing = NewestJob("saving settings", self)
        self._writing.finished.connect(self._on_written)
        self._reading = NewestJob("loading settings", self)
        self._reading.finished.connect(self._on_read)
        self._copies.save_wanted.connect(self._ask_where)
        self._copies.load_wanted.connect(self._ask_which)
        dock.controller.review_changed.connect(self._on_review)

    def close(self) -> None:
        """Tell nothing any more of what is still being read or written."""
        self._writing.forget()
        self._reading.forget()

    def save(self, path: str) -> None:
        """Write the settings as they are to a file, in the background."""
        request = self._dock.request()
        if request is None or self._dock.reason():
            self._copies.say_refused(self._dock.reason())
            return
        try:
            run = next(iter(RunQueue.of(self._dock.viewer, request)))
        except PlanError as error:
            self._copies.say_refused(in_peoples_words(str(error)))
            return
        self._copies.message.say("Saving…", "muted")
        cluster = self._dock.settings.advanced.run_on.chosen
        write = partial(_write, Path(path), run, self._dock.models, request, cluster)
        self._writing.ask(path, write)

    def load(self, path: str) -> None:
        """Take over the settings of a file, once it is read in the background."""
        self._copies.message.say("Loading…", "muted")
        known = tuple(self._dock.settings.model.known.paths)
        self._reading.ask(path, partial(_read, Path(path), known))

    def _ask_where(self) -> None:
        if reason := self._dock.reason():
            self._copies.say_refused(reason)
            return
        dialog = QFileDialog(self._dock.window(), "Save settings", _NAME, _KINDS)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setDefaultSuffix("json")
        dialog.fileSelected.connect(self.save)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_which(self) -> None:
        dialog = QFileDialog(self._dock.window(), "Load settings", "", _KINDS)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.load)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_written(self, path: str, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._copies.say_refused(in_peoples_words(str(outcome.error)))
        else:
            self._say(f"Saved {outcome.value.name}.")

    def _on_read(self, path: str, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._copies.say_refused(in_peoples_words(str(outcome.error)))
            return
        stored, found = outcome.value
        notes = take_over(self._dock.settings, stored, found)
        self._expected = (found.model, str(stored.plan["fingerprint_of"]["model_sha256"]))
        self._say(f"Loaded {stored.name}.", notes)

    def _on_review(self, review: PlanReview | None) -> None:
        """Tell where the model of that name is another one than the settings were made with."""
        if review is None or self._expected is None:
            return
        model, sha256 = self._expected
        if str(review.request.model) != model or review.request.channel_models:
            return
        self._expected = None
        if review.plan.model_sha256 != sha256:
            note = f"{review.plan.model_name} has other weights than when it was saved"
            self._say(self._said[0], (*self._said[1:], note))

    def _say(self, text: str, notes: Sequence[str] = ()) -> None:
        self._said = (text, *notes)
        self._copies.say_done(text, notes)


def _write(
    path: Path, run: LayerRun, models: ModelCache, request: RunRequest, cluster: str
) -> Path:
    plan, _ = run.make_plan(models)
    return write_settings(path, plan, request, cluster)


def _read(path: Path, known: tuple[str, ...]) -> tuple[StoredSettings, FoundModels]:
    stored = read_settings(path)
    return stored, find_models(stored, [*known, *recent_models()])
