"""Where results go, as what, and what to do where they exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QPushButton, QWidget

from napari_tessera.axes import validate_axes
from napari_tessera.prediction.several.places import OVERWRITE, RENAME, RESUME, SKIP
from napari_tessera.widgets.fields.cut_mark import CutMark
from napari_tessera.widgets.fields.form import Form, narrow
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.save_format import SaveFormat
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.writing.files.formats import OME_ZARR

_LABELS = 70
_EXISTS_TIP = (
    "Resume: leaves results that are finished and goes on with those that are not, where model\n"
    "and settings are the same.\nSkip: leaves whatever is there.\n"
    "Overwrite: replaces results; images are never changed.\n"
    "Rename: saves beside what is there, with a number."
)
_AXES_TIP = (
    "One letter per axis, the same for all images: T time, Z depth, C channels, Y rows,\n"
    "X columns. Empty: what each image says of itself."
)


class FilesOptions(QWidget):
    """Output folder, format, and what to do where results exist.

    Attributes
    ----------
    changed : Signal()
        Something was chosen or typed that results depend on.
    axes_changed : Signal()
        It was the axes, or the output folder: images are to be looked for anew.
    """

    changed = Signal()
    axes_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.out = QLineEdit()
        self.out.setPlaceholderText("folder for the results")
        self.out.setToolTip("Made where it is not there. Images are never changed.")
        CutMark(self.out)
        self.browse_button = QPushButton("…")
        self.browse_button.setAccessibleName("Choose the output folder")
        self.browse_button.setToolTip("Choose the output folder.")
        self.browse_button.clicked.connect(self._browse)
        self.how = SaveFormat(self)
        self.exists = ComboBox(
            name="if it exists",
            choices=[
                ("resume: skip what is finished", RESUME),
                ("skip whatever is there", SKIP),
                ("overwrite", OVERWRITE),
                ("rename", RENAME),
            ],
            tooltip=_EXISTS_TIP,
        )
        self.exists.native.setAccessibleName("Where a result exists")
        self.axes_entry = QLineEdit()
        self.axes_entry.setPlaceholderText("as each image says")
        self.axes_entry.setToolTip(_AXES_TIP)
        self.keep = QCheckBox("Keep subfolders")
        self.keep.setChecked(True)
        self.keep.setToolTip("Folders within a folder are made anew in the output folder.")
        self.open_results = QCheckBox("Open results")
        self.open_results.setToolTip("Add results as layers when all is done, 12 at most.")
        self.message = Message()
        form = Form(self, _LABELS)
        form.add_row("Results in", self.out, self.browse_button)
        self.how.add_to(form)
        form.add_row("If it exists", narrow(self.exists.native))
        form.add_row("Axes", self.axes_entry)
        form.add_row("", self.keep, self.open_results, stretch=1)
        form.add_below(self.message)
        self._rests = []
        for edit in (self.out, self.axes_entry):
            rest = TypingRest(self)
            rest.watch(edit)
            rest.settled.connect(self._on_typed)
            self._rests.append(rest)
        self.how.changed.connect(self.changed)
        self.exists.changed.connect(self._on_changed)
        self.keep.toggled.connect(self._on_changed)
        self._show()

    @property
    def folder(self) -> Path | None:
        """The output folder; None where there is none yet."""
        text = self.out.text().strip()
        if not text:
            return None
        try:
            folder = Path(text).expanduser().absolute()
            # what cannot be looked at is no place for results
            folder.exists()
        except (OSError, RuntimeError, ValueError):
            return None
        return folder

    @property
    def axes(self) -> str | None:
        """Axes of all images; None for what each says of itself."""
        return self.axes_entry.text().strip().upper() or None

    @property
    def problem(self) -> str:
        """Why nothing can be saved like this; empty where it can."""
        return self._axes_problem or self._folder_problem

    @property
    def _axes_problem(self) -> str:
        if self.axes is not None:
            try:
                validate_axes(self.axes)
            except ValueError as error:
                return str(error)
        return ""

    @property
    def _folder_problem(self) -> str:
        if self.folder is None:
            return "choose a folder for the results"
        if self.folder.exists() and not self.folder.is_dir():
            return f"{self.folder.name} is a file: choose a folder for the results"
        return ""

    @property
    def saving(self) -> tuple[tuple[str, Any], ...]:
        """Settings of `predict_files`."""
        return (
            ("format", self.how.chosen.name),
            ("compression", self.how.chosen_compression),
            ("if_exists", str(self.exists.value)),
            ("keep_folders", self.keep.isChecked()),
            ("axes", self.axes),
        )

    @property
    def for_workers(self) -> bool:
        """Whether several processes can write a result together."""
        return self.how.chosen is OME_ZARR

    @property
    def output_dtype(self) -> str:
        """What `plan_prediction` takes."""
        return "input" if self.how.same_dtype else "float32"

    def settle(self) -> None:
        """Take what is typed as it is, at once."""
        for rest in self._rests:
            rest.finish()

    def _on_typed(self) -> None:
        self.axes_changed.emit()
        self._on_changed()

    def _on_changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        typed = bool(self.out.text().strip())
        of_axes, of_folder = self._axes_problem, self._folder_problem if typed else ""
        self.message.say(of_axes or of_folder, "error")
        for edit, problem in ((self.axes_entry, of_axes), (self.out, of_folder)):
            set_property(edit, "wrong", "true" if problem else "false")
        self.how.refresh(saved=False)

    def _browse(self) -> None:
        dialog = QFileDialog(self.window(), "Results in", self.out.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._on_folder)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_folder(self, path: str) -> None:
        self.out.setText(path)
        self.settle()
