"""Which model denoises."""

from __future__ import annotations

from pathlib import Path

from magicgui.widgets import ComboBox, PushButton
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.recent import recent_models, remember_model

BUILTIN = "builtin:denoise2d"
_BUILTIN_NAME = "Built-in 2D (no training)"
_BUILTIN_TIP = "Not trained on your sample."
_FILTER = "Models (*.pt *.pth *.ts *.torchscript *.jit);;All files (*)"


class ModelField(QWidget):
    """Chooser of the built-in model, models used before, and any file.

    Attributes
    ----------
    changed : Signal()
        Another model was chosen.
    """

    changed = Signal()
    default = BUILTIN

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths = recent_models()
        self._kept = ""
        self.chooser = ComboBox(name="model", choices=[(_BUILTIN_NAME, BUILTIN)])
        self.chooser.changed.connect(self._on_chosen)
        self.browse_button = PushButton(text="…", tooltip="Choose a model file.")
        self.browse_button.native.setAccessibleName("Choose a model file")
        self.browse_button.native.setFixedWidth(28)
        self.browse_button.changed.connect(self._browse)
        self.message = Message()
        form = Form(self)
        form.add_row("Model", narrow(self._combo), self.browse_button.native)
        form.add_below(self.message)
        self._offer(BUILTIN)

    @property
    def _combo(self) -> QComboBox:
        native: QComboBox = self.chooser.native
        return native

    @property
    def value(self) -> str:
        """What `load_model` takes: the built-in's name or the path of a file."""
        return str(self.chooser.value)

    @value.setter
    def value(self, model: str | Path) -> None:
        chosen = str(model)
        if chosen == self.value:
            return
        if chosen != BUILTIN and chosen not in self._paths:
            self._paths.insert(0, chosen)
        self._offer(chosen)
        self._on_chosen()

    def keep(self, model: str) -> None:
        """Remember a file for next time, now that it could be loaded."""
        if model != BUILTIN and model != self._kept:
            self._kept = model
            remember_model(model)

    def report(self, problem: str) -> None:
        """Show why the model cannot be used; empty: it can."""
        self.message.say(problem)
        set_property(self._combo, "wrong", "true" if problem else "false")

    def _offer(self, chosen: str) -> None:
        choices = [(_BUILTIN_NAME, BUILTIN)]
        names = [Path(path).name for path in self._paths]
        for path, name in zip(self._paths, names, strict=True):
            alone = names.count(name) == 1
            choices.append((name if alone else f"{name} ({Path(path).parent})", path))
        offer(self.chooser, choices, chosen)
        for i, (_, value) in enumerate(choices):
            tip = _BUILTIN_TIP if value == BUILTIN else value
            self._combo.setItemData(i, tip, Qt.ItemDataRole.ToolTipRole)
        self._show_tooltip()

    def _on_chosen(self) -> None:
        self.report("")
        self._show_tooltip()
        self.changed.emit()

    def _show_tooltip(self) -> None:
        self._combo.setToolTip(_BUILTIN_TIP if self.value == BUILTIN else self.value)

    def _browse(self) -> None:
        dialog = QFileDialog(self.window(), "Choose a model", "", _FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self._on_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_file(self, path: str) -> None:
        if path == self.value:
            # The same file may hold another model by now.
            self._on_chosen()
        self.value = path
