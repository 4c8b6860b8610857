"""*Files…* as a part of the dock: its button, its window, and the runs that exclude each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QPushButton

from napari_tessera.widgets.files.opening import ResultOpener
from napari_tessera.widgets.files.runner import DONE, FAILED, IDLE, FilesRunner
from napari_tessera.widgets.files.window import FilesWindow
from napari_tessera.widgets.leash import Leash
from napari_tessera.widgets.run_state import PREVIEW

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock

FILES_RUN = "Files are being denoised: stop them first, in the window of Files…"
LAYER_RUNS = "The dock is denoising a layer: stop it, or wait for it"
LIVE = "Live preview is on: turn it off first"


class FilesPart(QObject):
    """Offers to denoise files, folders and plates.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.

    Attributes
    ----------
    ended : Signal()
        A run over files has ended: done, stopped or failed.
    """

    ended = Signal()

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._closed = False
        self.runner = FilesRunner(dock.models, self)
        self.opener = ResultOpener(dock.viewer, self)
        self.opener.problem.connect(dock.run_row.add_run_warning)
        self.window: FilesWindow | None = None
        self.button = QPushButton("Files…")
        self.button.setToolTip(
            "Denoise many files, a folder or a plate, one after another, with these settings."
        )
        self.button.clicked.connect(self.show)
        dock.settings.image.beside.addWidget(self.button)
        self.runner.changed.connect(self._on_changed)
        dock.controller.state_changed.connect(self._refresh)
        fields = dock.settings
        for field in (fields.model, fields.tiles, fields.advanced):
            field.changed.connect(self._on_settings)
        for leash in (self.runner.leash, self.opener.leash):
            dock.destroyed.connect(partial(Leash.let_go, leash))

    def show(self) -> None:
        """Open the window, or bring it to the front."""
        if self._closed:
            return
        if self.window is None:
            self.window = FilesWindow(self._dock.settings, self.runner, self._held_back, self._dock)
            self._dock.destroyed.connect(partial(Leash.let_go, self.window.finder.leash))
        self.window.refresh()
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def close(self) -> None:
        """Stop what runs, and close the window."""
        if self._closed:
            return
        self._closed = True
        self.runner.close()
        self.opener.stop()
        if self.window is not None:
            self.window.finder.stop()
            self.window.close()

    def _held_back(self) -> str:
        controller = self._dock.controller
        if controller.state == PREVIEW:
            return LIVE
        if controller.busy:
            return LAYER_RUNS
        return "" if self.runner.busy else controller.held_back

    def _refresh(self, state: str = "") -> None:
        if self.window is not None and not self._closed:
            self.window.refresh()

    def _on_settings(self) -> None:
        if self.window is not None and not self._closed:
            self.window.settings_changed()

    def _on_changed(self) -> None:
        self._dock.hold_back(self, FILES_RUN if self.runner.busy else "")
        if self.runner.busy or self.runner.state == IDLE:
            return
        self.ended.emit()
        opens = self.window is not None and self.window.options.open_results.isChecked()
        if self.runner.state == DONE and opens and self.runner.report is not None:
            self.opener.open(self.runner.report)
        if self.runner.state == FAILED:
            self.show()
