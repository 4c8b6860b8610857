"""The window of *Files…*: what was found, where results go, and how far the run is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_tessera.prediction.several import REPORT_NAME, FilesProgress, Found
from napari_tessera.stacks.zarr.nodes import is_zarr_folder
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.text import duration_text
from napari_tessera.widgets.files.finder import Finder
from napari_tessera.widgets.files.options import FilesOptions
from napari_tessera.widgets.files.order import FilesOrder, model_and_settings
from napari_tessera.widgets.files.runner import (
    DONE,
    FAILED,
    IDLE,
    RUNNING,
    STOPPED,
    STOPPING,
    FilesRunner,
)
from napari_tessera.widgets.files.table import FilesTable

if TYPE_CHECKING:
    from napari_tessera.widgets.fields.settings import Settings

_WIDTH, _HEIGHT = 640, 640
_ENDS = (DONE, FAILED)
_LOOKING = "Still looking for images"


class FilesWindow(QWidget):
    """Denoises many files with the dock's model and settings.

    Parameters
    ----------
    settings : Settings
        The dock's fields.
    runner : FilesRunner
        Runs what is asked for.
    held_back : callable
        Tells why nothing can start now; empty where it can.
    parent : QWidget
        Owner; its style is this window's.
    """

    def __init__(
        self,
        settings: Settings,
        runner: FilesRunner,
        held_back: Callable[[], str],
        parent: QWidget,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Denoise files")
        self.setAcceptDrops(True)
        self._settings = settings
        self._runner = runner
        self._held_back = held_back
        self.sources: list[Path] = []
        self._starts = False
        self.finder = Finder(self)
        self.finder.found.connect(self._on_found)
        self.finder.finished.connect(self._on_all_found)
        self.table = FilesTable(self)
        self.options = FilesOptions(self)
        self.options.changed.connect(self._on_options)
        self.options.axes_changed.connect(self._find)
        self._lay_out()
        runner.changed.connect(self.refresh)
        runner.progressed.connect(self._on_progress)
        self.resize(_WIDTH, _HEIGHT)
        self.refresh()

    def _lay_out(self) -> None:
        self.add_files_button = QPushButton("Add files…")
        self.add_files_button.setToolTip("Choose one or several image files.")
        self.add_folder_button = QPushButton("Add folder or plate…")
        self.add_folder_button.setToolTip(
            "Choose a folder, which is searched with all folders in it, or an OME-Zarr image or "
            "plate."
        )
        self.clear_button = QPushButton("Clear")
        self.clear_button.setToolTip("Take all images out of the list.")
        self.add_files_button.clicked.connect(self._choose_files)
        self.add_folder_button.clicked.connect(self._choose_folder)
        self.clear_button.clicked.connect(self.clear)
        self.found_label = QLabel()
        set_property(self.found_label, "level", "muted")
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        for button in (self.add_files_button, self.add_folder_button, self.clear_button):
            buttons.addWidget(button)
        buttons.addWidget(self.found_label, 1, Qt.AlignmentFlag.AlignRight)
        self.view = QTableView()
        self.view.setModel(self.table)
        self.view.setAccessibleName("Images")
        self.view.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.view.setWordWrap(False)
        self.view.setTabKeyNavigation(False)
        self.view.setShowGrid(False)
        lines, headers = self.view.verticalHeader(), self.view.horizontalHeader()
        assert lines is not None
        assert headers is not None
        lines.hide()
        lines.setDefaultSectionSize(self.fontMetrics().height() + 2 * GAP)
        headers.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        headers.setStretchLastSection(True)
        headers.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        headers.resizeSection(0, _WIDTH // 3)
        headers.resizeSection(1, _WIDTH // 3)
        self.model_label = QLabel()
        self.model_label.setWordWrap(True)
        self.model_label.setTextFormat(Qt.TextFormat.PlainText)
        set_property(self.model_label, "level", "muted")
        self.main_button = QPushButton()
        self.main_button.setObjectName("main")
        self.main_button.clicked.connect(self.press_main)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(12)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress")
        self.label = QLabel()
        self.message = Message()
        progress = QHBoxLayout()
        progress.addWidget(self.bar, 1)
        progress.addWidget(self.label, 2)
        layout = QVBoxLayout(self)
        layout.setSpacing(2 * GAP)
        layout.addLayout(buttons)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.options)
        layout.addWidget(self.model_label)
        layout.addWidget(self.main_button)
        layout.addLayout(progress)
        layout.addWidget(self.message)

    @property
    def images(self) -> tuple[Found, ...]:
        """The images that were found, those that are left out too."""
        return self.table.images

    @property
    def n_images(self) -> int:
        """Images that would be denoised."""
        return sum(not image.problem for image in self.images)

    def add(self, sources: Sequence[str | Path]) -> None:
        """Add files, folders and plates, and look what is in them."""
        if self._runner.busy:
            return
        new = [Path(source).absolute() for source in sources]
        self.sources += [path for path in new if path not in self.sources]
        if new and self.options.folder is None:
            inner = new[0] if new[0].is_dir() and not is_zarr_folder(new[0]) else new[0].parent
            self.options.out.setText(str(inner.with_name(f"{inner.name}_denoised")))
            self.options.settle()
        self._find()

    def clear(self) -> None:
        """Take all images out of the list."""
        if self._runner.busy:
            return
        self.sources = []
        self._starts = False
        self.finder.stop()
        self._runner.forget()
        self.table.show_images(())
        self.refresh()

    def press_main(self) -> None:
        """Do what the main button does: denoise, stop, or go on."""
        self.options.settle()
        if self._runner.state == RUNNING:
            self._runner.stop()
        elif self._runner.state == STOPPED and not self._held_back():
            self._runner.resume()
        elif not self._runner.busy and not self.reason():
            self._runner.start(self.order())
        elif self.reason() == _LOOKING:
            # the folder for results was typed just now, so that images are looked for once more
            self._starts = True

    def order(self) -> FilesOrder:
        """What is asked for now.

        Raises
        ------
        ValueError
            If a field of the dock cannot be read.
        """
        source, device, precision, settings = model_and_settings(self._settings)
        assert self.options.folder is not None
        plan_settings = (*settings, ("output_dtype", self.options.output_dtype))
        saving = self.options.saving
        images = self.images
        cluster = self._settings.advanced.run_on.chosen
        return FilesOrder(
            images, self.options.folder, source, device, precision, plan_settings, saving, cluster
        )

    def reason(self) -> str:
        """Why nothing can start now; empty where it can."""
        if held := self._held_back():
            return held
        if not self.sources:
            return "Add files, a folder or a plate first"
        if self.options.problem:
            return self.options.problem
        if self.finder.busy:
            return _LOOKING
        if not self.n_images:
            return "None of these is an image that can be denoised"
        try:
            model_and_settings(self._settings)
        except ValueError as error:
            return str(error)
        if self._settings.advanced.run_on.is_cluster and not self.options.for_workers:
            return "Workers of a cluster save to OME-Zarr: choose it as format"
        return ""

    def settings_changed(self) -> None:
        """Take in that the dock has other settings: a stopped run of others is begun anew."""
        runner = self._runner
        stopped = runner.state == STOPPED and self.options.folder is not None
        # what cannot be read is still being typed
        with suppress(ValueError):
            if stopped and self.order() != runner.order:
                runner.forget()
        self.refresh()

    def refresh(self) -> None:
        """Show what follows from the state of run, images and fields."""
        state, runner = self._runner.state, self._runner
        self.table.show_report(runner.report)
        busy = runner.busy
        for widget in (
            self.add_files_button,
            self.add_folder_button,
            self.clear_button,
            self.options,
        ):
            widget.setEnabled(not busy)
        reason = "" if busy else self._held_back() if state == STOPPED else self.reason()
        n = self.n_images
        text = {
            RUNNING: "■ Stop",
            STOPPING: "Stopping…",
            STOPPED: "▶ Continue",
        }.get(state, f"▶ Denoise {n:,} {'image' if n == 1 else 'images'}" if n else "▶ Denoise")
        self.main_button.setText(text)
        self.main_button.setAccessibleName(text.lstrip("▶■ "))
        self.main_button.setEnabled(not reason and state != STOPPING)
        self.main_button.setToolTip(reason)
        self.model_label.setText(
            f"{reason}."
            if reason and self.sources
            else "Model, tiles and advanced settings are those of the dock."
        )
        self._show_found()
        self.bar.setVisible(busy or state == STOPPED)
        if not busy and state != STOPPED:
            self.label.setText("")
        if state in (STOPPING, STOPPED):
            words = "stopping after the batch at work" if state == STOPPING else "stopped"
            self.label.setText(words)
        self._show_message()

    def _show_found(self) -> None:
        out = len(self.images) - self.n_images
        text = f"{self.n_images:,} found" + (f", {out:,} left out" if out else "")
        if self.finder.busy:
            text = f"looking… {text}"
        self.found_label.setText(text if self.sources else "")

    def _show_message(self) -> None:
        """Tell how the run ended, and below it what is to be known of the cluster."""
        runner, report = self._runner, self._runner.report
        lines, level = [], "good"
        if runner.state == FAILED:
            lines, level = [runner.failure], "error"
        elif report is not None and runner.state in (DONE, STOPPED):
            end = "" if runner.state == DONE else " Continue goes on."
            lines = [f"{report.summary}; see {REPORT_NAME} in the output folder.{end}"]
            if report.count("failed") or runner.state == STOPPED:
                level = "warning"
        warnings = () if runner.state == IDLE else runner.warnings
        if warnings and level == "good":
            level = "warning"
        self.message.say("\n".join((*lines, *warnings)), level)

    def _on_progress(self, progress: FilesProgress) -> None:
        self._show_message()
        self.table.show_report(progress.report)
        tiles = progress.tiles
        share = 0.0 if tiles is None or not tiles.total else tiles.done / tiles.total
        self.bar.setValue(round(1000 * (progress.number - 1 + share) / max(1, progress.total)))
        if self._runner.state == RUNNING:
            self.label.setText(progress_text(progress))

    def _on_found(self, images: list[Found]) -> None:
        self.table.show_images(images)
        self.refresh()

    def _on_all_found(self, problem: str) -> None:
        starts, self._starts = self._starts, False
        self.refresh()
        if problem:
            self.message.say(problem, "error")
        elif starts:
            self.press_main()

    def _on_options(self) -> None:
        # what was stopped has other settings: it is no more gone on with, but begun anew
        if self._runner.state in (STOPPED, *_ENDS):
            self._runner.forget()
        self.refresh()

    def _find(self) -> None:
        if self._runner.state != IDLE:
            self._runner.forget()
        if self.sources and not self._runner.busy:
            axes = None if self.options.problem and self.options.axes else self.options.axes
            self.finder.find(self.sources, axes, self.options.folder)
        self.refresh()

    def _choose_files(self) -> None:
        dialog = QFileDialog(self, "Add files")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self._ask(dialog)

    def _choose_folder(self) -> None:
        dialog = QFileDialog(self, "Add a folder or plate")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        self._ask(dialog)

    def _ask(self, dialog: QFileDialog) -> None:
        dialog.filesSelected.connect(self.add)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Files and folders can be dropped on the window."""
        data = None if event is None else event.mimeData()
        if event is not None and data is not None and data.hasUrls() and not self._runner.busy:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add what is dropped."""
        data = None if event is None else event.mimeData()
        if event is not None and data is not None:
            self.add([url.toLocalFile() for url in data.urls() if url.isLocalFile()])
            event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """A window that is closed goes on running; the dock's button brings it back."""
        if not self._runner.busy:
            self.finder.stop()
        super().closeEvent(event)


def progress_text(progress: FilesProgress) -> str:
    """``"file 3/12 · 40/120 tiles · 3 min left"``."""
    parts = [f"file {progress.number:,}/{progress.total:,}"]
    if progress.tiles is not None:
        parts.append(f"{progress.tiles.done:,}/{progress.tiles.total:,} tiles")
    if progress.seconds_left is not None:
        parts.append(f"{duration_text(progress.seconds_left)} left")
    return " · ".join(parts)
