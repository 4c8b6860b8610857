"""Where the model goes."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from magicgui.widgets import LineEdit, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.cut_mark import CutMark
from napari_tessera.widgets.fields.form import Form, as_wide_as_its_text
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.widgets.training.places import (
    ENDING,
    models_folder,
    next_path,
    suggested_path,
    typed_path,
    unfinished,
)

_TIP = (
    "File of the model (.safetensors). A name alone lies in the folder for models.\n"
    "Empty: named after the image and the method."
)


class SaveToField(QWidget):
    """File name of the model; empty, one after the layer in this user's folder for models.

    Parameters
    ----------
    label_width : int
        Width of the column of labels, px.

    Attributes
    ----------
    changed : Signal()
        Another place.
    """

    changed = Signal()

    def __init__(self, label_width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reported = ""
        self._suggested: Path | None = None
        self.entry = LineEdit(
            name="save to",
            tooltip=_TIP,
        )
        self.edit.setAccessibleName("Save to")
        self.edit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.edit.setMinimumWidth(40)
        CutMark(self.edit)
        self._rest = TypingRest(self)
        self._rest.watch(self.edit)
        self._rest.settled.connect(self._on_typed)
        self.browse_button = PushButton(text="…", tooltip="Choose where to save the model.")
        self.browse_button.native.setAccessibleName("Choose where to save the model")
        as_wide_as_its_text(self.browse_button.native)
        self.browse_button.changed.connect(self._browse)
        self.message = Message()
        rows = QWidget()
        form = Form(rows, label_width)
        form.add_row("Save to", self.edit, self.browse_button.native)
        form.add_below(self.message)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(rows)

    @property
    def edit(self) -> QLineEdit:
        """The Qt widget."""
        native: QLineEdit = self.entry.native
        return native

    @property
    def path(self) -> Path | None:
        """The model's file; None where there is no image, or no such file can be."""
        try:
            return typed_path(str(self.entry.value)) or self._suggested
        except ValueError:
            return None

    @path.setter
    def path(self, path: Path | None) -> None:
        self.entry.value = "" if path is None else str(path)
        self._rest.finish()

    @property
    def problem(self) -> str:
        """Why nothing can be saved there; else empty."""
        try:
            path = typed_path(str(self.entry.value))
        except ValueError as error:
            return str(error)
        if path is not None and path.exists() and not unfinished(path):
            return f"{path.name} exists: choose another name"
        if path is not None and not path.parent.is_dir() and path.parent != models_folder():
            return f"there is no folder {path.parent}: make it, or choose another"
        return ""

    def suggest(self, layer: str, method: str, others: Container[Path] = ()) -> None:
        """Name the model after a layer, unless something is typed; no layer: an empty name.

        Parameters
        ----------
        layer : str
            Name of the layer.
        method : str
            One of `METHODS`.
        others : container of Path
            Models whose unfinished trainings are on something else.
        """
        self._suggested = suggested_path(layer, method, others) if layer else None
        self.edit.setPlaceholderText("" if self._suggested is None else self._suggested.name)
        self._show()

    def leave(self, model: Path) -> None:
        """Go to the next name, where this one was typed and its model is through."""
        try:
            typed = typed_path(str(self.entry.value))
        except ValueError:
            return
        if typed == model and not unfinished(model):
            self.path = next_path(model)

    def report(self, problem: str) -> None:
        """Show what was found wrong with the place; empty: nothing."""
        self._reported = problem
        self._show()

    def _browse(self) -> None:
        start = self.path or models_folder()
        dialog = QFileDialog(
            self.window(), "Save the model", str(start.parent), f"Models (*{ENDING})"
        )
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        # what is there is never replaced: asking whether it may be would promise otherwise
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.selectFile(start.name)
        dialog.finished.connect(dialog.deleteLater)
        dialog.fileSelected.connect(self._on_file)
        dialog.open()

    def _on_file(self, path: str) -> None:
        self.path = Path(path)

    def _on_typed(self) -> None:
        self._reported = ""
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        problem = self.problem or self._reported
        self.message.say(problem)
        set_property(self.edit, "wrong", "true" if problem else "false")
        path = self.path
        self.edit.setToolTip(plain_tip(_TIP if path is None else str(path)))
