"""A chooser of models: the built-in one, those used before, and any file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget
from superqt.utils import create_worker

from napari_tessera.models.builtin_names import BUILTIN_TITLES, PREFIX
from napari_tessera.widgets.fields.form import narrow, offer
from napari_tessera.widgets.fields.tips import plain_tip

BUILTIN = "builtin:denoise2d"
NO_MODEL = ""
"""What stands for a channel that is left out."""

OTHER = "…"
"""What stands for a file that is yet to be chosen."""

FORGET = "forget"
"""What stands for forgetting the files that are not there any more."""

_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
_BUILTINS = [(title, PREFIX + name) for name, title in BUILTIN_TITLES.items()]
_BUILTIN_TIPS = {
    model: f"{title}: it was not trained on your sample." for title, model in _BUILTINS
}
FILTER = (
    "Models (*.pt *.pth *.pt2 *.ts *.torchscript *.jit *.ckpt *.onnx *.safetensors *.zip *.yaml "
    "*.yml);;All files (*)"
)
"""What the file dialog offers first; the folder of a package is chosen by the ``.yaml`` in it."""


class KnownModels(QObject):
    """Model files that can be chosen without looking for them, newest first.

    Attributes
    ----------
    changed : Signal()
        Files were added or forgotten.
    paths : list of str
        All of them.
    missing : set of str
        Those that were not there when the dock opened.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.paths: list[str] = []
        self.missing: set[str] = set()
        self._kept: tuple[str, ...] = ()

    def find(self) -> None:
        """Offer the files that were used last, once it is known which of them are still there."""
        worker = create_worker(_recent, _start_thread=False)
        worker.returned.connect(self._on_found)
        worker.start()

    def offer(self, paths: Sequence[str], missing: Iterable[str] = ()) -> None:
        """Offer files after those that were chosen meanwhile; some of them are not there."""
        new = [path for path in paths if path not in self.paths]
        self.paths += new
        self.missing |= set(missing)
        if new or self.missing:
            self.changed.emit()

    def add(self, path: str) -> None:
        """Offer a file, for the time being."""
        is_new = path not in (*_BUILTIN_TIPS, NO_MODEL, *self.paths)
        if is_new:
            self.paths.insert(0, path)
        if is_new or path in self.missing:
            self.missing.discard(path)
            self.changed.emit()

    def forget_missing(self) -> None:
        """Offer the files that are not there no more, next time neither."""
        gone, self.missing = self.missing, set()
        if gone:
            self.paths = [path for path in self.paths if path not in gone]
            create_worker(_forget, tuple(gone), _start_thread=True)
        self.changed.emit()

    def keep(self, paths: Sequence[str]) -> None:
        """Remember files for next time, the last one first, now that they could be loaded."""
        kept = tuple(path for path in paths if path not in (*_BUILTIN_TIPS, NO_MODEL))
        if kept and kept != self._kept:
            self._kept = kept
            create_worker(_remember, kept, _start_thread=True)

    def choices(self) -> list[tuple[str, str]]:
        """Names, told apart where files have the same, and what `load_model` takes."""
        names = model_names(self.paths)
        return [*_BUILTINS, *zip(names, self.paths, strict=True)]

    def _on_found(self, found: tuple[list[str], list[str]]) -> None:
        self.offer(*found)


class ModelChooser(ComboBox):
    """Combo box of models.

    Parameters
    ----------
    known : KnownModels
        What is offered.
    name : str
        Accessible name.
    extra : sequence of (str, str)
        Choices after these.
    """

    def __init__(
        self, known: KnownModels, name: str, extra: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(name=name, choices=_BUILTINS)
        self._known = known
        self._extra = tuple(extra)
        self._chosen = BUILTIN
        self.combo.setAccessibleName(name)
        narrow(self.combo)
        self.refresh()
        known.changed.connect(self.refresh)
        self.changed.connect(self._on_chosen)

    @property
    def combo(self) -> QComboBox:
        """The Qt widget."""
        native: QComboBox = self.native
        return native

    @property
    def model(self) -> str:
        """What `load_model` takes; `NO_MODEL` for none."""
        return self._chosen

    def choose(self, model: str | Path) -> bool:
        """Choose a model without telling anybody; gives whether it is another one."""
        chosen = str(model)
        if chosen == self._chosen:
            return False
        self._chosen = chosen
        self._known.add(chosen)
        self.refresh()
        return True

    def reset_choices(self, *_: Any) -> None:
        """Offer what is known now, as magicgui wants it when the widget gets a parent."""
        if getattr(self, "_known", None) is None:
            super().reset_choices()
        else:
            self.refresh()

    def refresh(self) -> None:
        """Offer what is known now."""
        missing = self._known.missing - {self._chosen}
        choices = [*self._known.choices(), *self._extra]
        if missing:
            choices.append((f"Forget {len(missing)} not there any more", FORGET))
        offer(self, choices, self._chosen)
        items = self.combo.model()
        for i, (_, value) in enumerate(choices):
            self.combo.setItemData(i, _tip_of(value, missing), Qt.ItemDataRole.ToolTipRole)
            item = items.item(i) if isinstance(items, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(value not in missing)
        self._show_tooltip()

    def _on_chosen(self, model: str) -> None:
        if model == FORGET:
            self._known.forget_missing()
            return
        if model == OTHER:
            # No model: the choice before stays until there is another.
            return
        self._chosen = str(model)
        self._show_tooltip()

    def _show_tooltip(self) -> None:
        self.combo.setToolTip(_tip_of(self._chosen))


def _tip_of(model: str, missing: Collection[str] = ()) -> str:
    if model in _BUILTIN_TIPS:
        return _BUILTIN_TIPS[model]
    if model == FORGET:
        return "Take the models that are not there any more out of this list."
    return plain_tip(f"not there any more: {model}" if model in missing else model)


def model_names(paths: Sequence[str]) -> list[str]:
    """Short names of model files, in which those of the same name begin with what differs.

    A package is known by its folder: what is in there has the same name in all packages.

    Parameters
    ----------
    paths : sequence of str
        Files and folders, each only once.

    Returns
    -------
    list of str
        ``"model.pt"``; ``"run2 — model.pt"`` where there is a ``run1/model.pt`` as well.
    """
    parts = [_telling_parts(path) for path in paths]
    names = []
    for path, own in zip(paths, parts, strict=True):
        alike = [other for other in parts if other[-1] == own[-1]]
        # as few of the last folders as it takes
        for n in range(1, len(own) + 1):
            if sum(other[-n:] == own[-n:] for other in alike) == 1:
                folders = "/".join(own[-n:-1])
                names.append(f"{folders} — {own[-1]}" if folders else own[-1])
                break
        else:
            names.append(path)
    return names


def _telling_parts(path: str) -> tuple[str, ...]:
    parts = Path(path).parts
    if len(parts) > 2 and parts[-1] in _DESCRIPTIONS:
        return parts[:-1]
    # "." has none
    return parts or (path,)


def browse(parent: QWidget) -> QFileDialog:
    """Open a dialog for a model file; it blocks nothing, and is gone when it is closed."""
    dialog = QFileDialog(parent.window(), "Choose a model", "", FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def _recent() -> tuple[list[str], list[str]]:
    """Files that were used last, and those of them that are not there."""
    from napari_tessera.models.recent import is_there, recent_models

    known = recent_models(missing=True)
    return known, [path for path in known if not is_there(path)]


def _forget(paths: Sequence[str]) -> None:
    from napari_tessera.models.recent import forget_models

    forget_models(paths)


def _remember(paths: Sequence[str]) -> None:
    from napari_tessera.models.recent import remember_model

    for path in paths:
        remember_model(path)
