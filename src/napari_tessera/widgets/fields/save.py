"""Where the result is saved while it is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magicgui.widgets import ComboBox, LineEdit, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QWidget

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.save_path import ENDING, is_there, typed_path
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.widgets.request import SaveTarget

_ASK, _CONTINUE, _OVERWRITE = "ask", "continue", "overwrite"
_LABELS = 64
_NOT_SAVED = "not saved, in memory"
_EXISTS = "Exists: rename, Continue, or Overwrite"
_SAVED = "Saved. To denoise again: rename, Continue, or Overwrite"


class SaveSection(Section):
    """Path, format and type of what is saved; what to do where it exists already.

    Attributes
    ----------
    changed : Signal()
        Something was chosen or typed.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        body = QWidget()
        super().__init__("Save", body, parent)
        self._names: tuple[str, ...] = ()
        self._if_exists = _ASK
        self._going_on = False
        self._done = False
        self._reported = ""
        self.path_entry = LineEdit(
            name="to", tooltip="A new folder, NAME.ome.zarr. Empty: not saved, in memory."
        )
        self._edit.setPlaceholderText(_NOT_SAVED)
        self._rest = TypingRest(self)
        self._rest.watch(self._edit)
        self._rest.settled.connect(self._on_path)
        self._edit.editingFinished.connect(self._complete)
        self.browse_button = PushButton(text="…", tooltip="Choose where to save.")
        self.browse_button.native.setAccessibleName("Choose where to save")
        self.browse_button.native.setFixedWidth(28)
        self.browse_button.changed.connect(self._browse)
        self.format = ComboBox(
            name="format",
            choices=["OME-Zarr"],
            tooltip="Written chunk by chunk while tiles are made: nothing has to fit in memory.",
        )
        self.type = ComboBox(
            name="type",
            choices=[("float32", False), ("same as input", True)],
            value=False,
            tooltip="Same as input: rounds and clips, and counts what it clipped.",
        )
        self.type.changed.connect(self._on_type)
        self._exists_row = QWidget()
        row = QHBoxLayout(self._exists_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        self.rename_button = PushButton(text="Rename", tooltip="Save beside it, with a number.")
        self.continue_button = PushButton(
            text="Continue", tooltip="Go on with the run that is saved there."
        )
        self.overwrite_button = PushButton(
            text="Overwrite", tooltip="Delete what is there when the run starts."
        )
        for button in (self.rename_button, self.continue_button, self.overwrite_button):
            row.addWidget(button.native, 1)
        for button in (self.continue_button, self.overwrite_button):
            button.native.setCheckable(True)
        self.rename_button.native.clicked.connect(self._rename)
        self.continue_button.native.clicked.connect(self._on_continue)
        self.overwrite_button.native.clicked.connect(self._on_overwrite)
        self.message = Message()
        form = Form(body, _LABELS)
        form.setContentsMargins(12, 0, 0, 4)
        form.add_row("To", self._edit, self.browse_button.native)
        form.add_below(self.message)
        form.add_across(self._exists_row)
        form.add_row("Format", narrow(self.format.native))
        form.add_row("Type", narrow(self.type.native))
        self._exists_row.hide()
        self.refresh()

    @property
    def _edit(self) -> QLineEdit:
        native: QLineEdit = self.path_entry.native
        return native

    @property
    def path(self) -> Path | None:
        """Where to save; None: nowhere, or what is typed is no path."""
        try:
            return typed_path(str(self.path_entry.value))
        except ValueError:
            return None

    @path.setter
    def path(self, path: str | Path | None) -> None:
        self.path_entry.value = "" if path is None else str(path)
        self._complete()
        self._rest.finish()

    @property
    def target(self) -> SaveTarget | None:
        """Where and how to save; None: in memory only."""
        path = self.path
        if path is None:
            return None
        return SaveTarget(path, same_dtype=bool(self.type.value), if_exists=self._if_exists)

    @property
    def same_dtype(self) -> bool:
        """Whether the input's type is saved instead of float32."""
        return bool(self.type.value)

    @same_dtype.setter
    def same_dtype(self, same: bool) -> None:
        self.type.value = same

    @property
    def problem(self) -> str:
        """Why this cannot be saved to, as far as the path tells; else empty."""
        try:
            typed_path(str(self.path_entry.value))
        except ValueError as error:
            return str(error)
        if self._if_exists == _ASK and not self._going_on and self._existing():
            return _SAVED if self._done else _EXISTS
        return ""

    def set_layers(self, names: Sequence[str], dtype: str) -> None:
        """Tell which layers will be saved: several get a path each, beside the one chosen."""
        self._names = tuple(names)
        label = f"same as input ({dtype})" if dtype else "same as input"
        offer(self.type, [("float32", False), (label, True)], self.same_dtype)
        self.refresh()

    def set_run(self, *, going_on: bool, done: bool) -> None:
        """Tell what the last run has to do with the path.

        Parameters
        ----------
        going_on : bool
            It saves there now, or would go on to: what exists there is no obstacle.
        done : bool
            It has saved there.
        """
        if (going_on, done) == (self._going_on, self._done):
            return
        if going_on and not self._going_on:
            # What was answered for one run is asked again for the next.
            self._if_exists = _ASK
        self._going_on, self._done = going_on, done
        self.refresh()

    def report(self, problem: str) -> None:
        """Show what planning found wrong with saving; empty: nothing."""
        self._reported = problem
        self.refresh()

    def reset(self) -> None:
        """Save nothing again."""
        self.path = None
        self.same_dtype = False

    def refresh(self) -> None:
        """Look whether the path exists now, and show what follows from it."""
        exists = self._existing() and not self._going_on
        self._exists_row.setVisible(bool(exists))
        for button, choice in (
            (self.continue_button, _CONTINUE),
            (self.overwrite_button, _OVERWRITE),
        ):
            button.native.setChecked(self._if_exists == choice)
        # The question that planning asks too is asked here with its answers.
        problem = self.problem or self._reported
        level = "good" if problem == _SAVED else "error"
        self.message.say(problem, level)
        set_property(self._edit, "wrong", "true" if self.message.level == "error" else "false")
        self.set_problem("" if level == "good" else problem)
        self.set_summary(self._settled_text())
        self._edit.setToolTip(plain_tip(str(self.path or self.path_entry.tooltip)))

    def _existing(self) -> list[Path]:
        return [path for path in self._paths() if is_there(path)]

    def _paths(self) -> list[Path]:
        path = self.path
        if path is None:
            return []
        return list(SaveTarget(path).for_layers(self._names)) or [path]

    def _settled_text(self) -> str:
        paths = self._paths()
        if not paths:
            return _NOT_SAVED
        kind = "same type" if self.same_dtype else "float32"
        name = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
        return f"{'saved: ' if self._done else ''}{name}, {kind}"

    def _complete(self) -> None:
        """Give a path the ending that its format has."""
        path = self.path
        if path is not None and str(path) != self.path_entry.value:
            self.path_entry.value = str(path)

    def _browse(self) -> None:
        dialog = QFileDialog(self.window(), "Save as OME-Zarr", "", "OME-Zarr (*.zarr)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        # Whether to overwrite is asked in the dock.
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite, True)
        start = str(self.path) if self.path else f"{'_'.join(self._names[:1])}_denoised{ENDING}"
        dialog.selectFile(start.lstrip("_"))
        dialog.fileSelected.connect(self._on_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_file(self, path: str) -> None:
        self.path = path

    def _rename(self) -> None:
        """Choose the first name with a number that is free for all layers."""
        path = self.path
        if path is None:
            return
        ending = ENDING if path.name.endswith(ENDING) else ".zarr"
        stem = path.name.removesuffix(ending)
        number = 2
        while self._existing():
            self.path_entry.value = str(path.with_name(f"{stem}_{number}{ending}"))
            number += 1
        self._rest.finish()

    def _on_continue(self, checked: bool) -> None:
        self._choose(_CONTINUE if checked else _ASK)

    def _on_overwrite(self, checked: bool) -> None:
        self._choose(_OVERWRITE if checked else _ASK)

    def _choose(self, if_exists: str) -> None:
        changed = if_exists != self._if_exists
        self._if_exists = if_exists
        self._reported = ""
        self.refresh()
        if changed:
            self.changed.emit()

    def _on_path(self) -> None:
        self._if_exists = _ASK
        self._going_on = self._done = False
        self._reported = ""
        self.refresh()
        self.changed.emit()

    def _on_type(self) -> None:
        self.refresh()
        self.changed.emit()
