"""Where the result is saved, and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import LineEdit, PushButton
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QWidget

from napari_tessera.widgets.fields.cut_mark import CutMark
from napari_tessera.widgets.fields.exists_row import ASK, CONTINUE, ExistsRow
from napari_tessera.widgets.fields.form import Form, as_wide_as_its_text
from napari_tessera.widgets.fields.last_path import LastPath
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.save_format import SaveFormat
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.widgets.place_problem import KEPT
from napari_tessera.widgets.place_report import Offer, PlaceReport, offer_of
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.widgets.save_names import (
    format_typed,
    is_there,
    next_free,
    typed_path,
    unknown_ending,
    with_format,
)
from napari_tessera.writing.files.formats import FORMATS

if TYPE_CHECKING:
    from napari.layers import Layer

_LABELS = 64
_NOT_SAVED = "not saved, in memory"
_NOT_KEPT = "not saved, on disk while open"
_EXISTS = "Exists: rename, Resume, or Overwrite"
_FILE_EXISTS = "Exists: rename, or Overwrite"
_SAVED = "Saved. To denoise again: rename, or Overwrite"
_SAVED_KEPT = "Saved. To denoise again: rename, or remove the layer that shows it"


class SaveSection(Section):
    """Path, format and type of what is saved; what to do where it exists already.

    Attributes
    ----------
    changed : Signal()
        Something was chosen or typed.
    settings_wanted : Signal(object)
        The settings of a stored plan are to be taken over.
    """

    changed = Signal()
    settings_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        body = QWidget()
        super().__init__("Save", body, parent)
        self._names: tuple[str, ...] = ()
        self._last_path = LastPath()
        self._going_on = False
        self._done = False
        self._reported = ""
        self._waits = ""
        self._completed = ("", "")
        """What the field was completed to, and what to say of it."""
        self.path_entry = LineEdit(
            name="to",
            tooltip="A new folder or file: NAME.ome.zarr, NAME.ome.tif, NAME.tif, NAME.npy. Empty: "
            "not saved, in memory.",
        )
        CutMark(self._edit)
        self._rest = TypingRest(self)
        self._rest.watch(self._edit)
        self._rest.settled.connect(self._on_path)
        self._edit.editingFinished.connect(self._complete)
        self._edit.returnPressed.connect(self._on_return)
        self.browse_button = PushButton(text="…", tooltip="Choose where to save.")
        self.browse_button.native.setAccessibleName("Choose where to save")
        as_wide_as_its_text(self.browse_button.native)
        self.browse_button.changed.connect(self._browse)
        self.how = SaveFormat(self)
        self.how.format_chosen.connect(self._on_format)
        self.how.changed.connect(self._on_answer)
        self.exists_row = ExistsRow()
        self.exists_row.renamed.connect(self._rename)
        self.exists_row.answered.connect(self._on_answer)
        self.exists_row.settings_wanted.connect(self._on_settings_wanted)
        self.message = Message()
        form = Form(body, _LABELS)
        form.setContentsMargins(12, 0, 0, 4)
        form.add_row("To", self._edit, self.browse_button.native)
        form.add_below(self.message)
        form.add_across(self.exists_row)
        self.how.add_to(form)
        self.exists_row.hide()
        self.refresh()

    @property
    def _edit(self) -> QLineEdit:
        native: QLineEdit = self.path_entry.native
        return native

    @property
    def path(self) -> Path | None:
        """Where to save; None: nowhere, or what is typed is no path."""
        try:
            return typed_path(str(self.path_entry.value), self.how.chosen)
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
        # While somebody types, the format has yet to follow the ending.
        settled = format_typed(path.name) == self.how.chosen
        return SaveTarget(
            path,
            same_dtype=self.how.same_dtype,
            if_exists=self.exists_row.answer,
            compression=self.how.chosen_compression if settled else None,
        )

    @property
    def same_dtype(self) -> bool:
        """Whether the input's type is saved instead of float32."""
        return self.how.same_dtype

    @same_dtype.setter
    def same_dtype(self, same: bool) -> None:
        self.how.same_dtype = same

    @property
    def problem(self) -> str:
        """Why this cannot be saved to, as far as the path tells; else empty."""
        try:
            if typed_path(str(self.path_entry.value), self.how.chosen) is None:
                return ""
        except ValueError as error:
            return str(error)
        if self.how.problem:
            return self.how.problem
        if self._going_on or not self._existing():
            return ""
        offer, answer = self.exists_row.offer, self.exists_row.answer
        if self._done and answer == ASK:
            return _SAVED if offer is None or offer.replaceable else _SAVED_KEPT
        if offer is not None and offer.excludes(answer):
            return offer.question
        if answer != ASK:
            return ""
        if offer is not None and offer.question:
            return offer.question
        return _EXISTS if self.how.chosen.while_running else _FILE_EXISTS

    @property
    def resumes(self) -> bool:
        """Whether a run that is there will be gone on with."""
        offered = self.exists_row.offer is not None and self.exists_row.offer.resumable
        return offered and self._asks and self.exists_row.answer == CONTINUE

    @property
    def _asks(self) -> bool:
        """Whether there is something that no run of this session is writing."""
        return not self._going_on and bool(self._existing())

    def set_layers(self, layers: Sequence[Layer], dtype: str) -> None:
        """Tell which layers will be saved: several get a path each, beside the one chosen.

        A path that the last run has saved others to is not for these.
        """
        self._names = tuple(layer.name for layer in layers)
        self.how.set_dtype(dtype)
        self.exists_row.offer = None
        images = tuple(layer.unique_id for layer in layers)
        typed = str(self.path_entry.value)
        if (text := self._last_path.for_images(images, typed)) != typed:
            # whoever tells of other layers asks for the target afterwards
            with QSignalBlocker(self):
                self.path = text or None
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
        if going_on != self._going_on:
            # What was found and answered for one run is found and asked again for the next.
            self.exists_row.offer = None
            self.exists_row.choose(None)
        self._going_on, self._done = going_on, done
        self.refresh()

    def set_last_run(self, save: SaveTarget | None, *, going_on: bool, done: bool) -> Path | None:
        """Tell where the last run saves; gives the place where it is another than the path.

        Parameters
        ----------
        save : SaveTarget or None
            Where it saves; None in memory only.
        going_on, done : bool
            As in `set_run`.
        """
        there = self._last_path.of_run(None if save is None else save.path, self.path)
        self.set_run(going_on=there and going_on, done=there and done)
        return None if save is None or there else save.path

    def ask_again(self) -> None:
        """Ask what to do with what is there, though it could be gone on with."""
        self.exists_row.choose(ASK)
        self.refresh()

    def go_on_with(self, path: Path) -> None:
        """Save to a store that exists, and go on with the run in it."""
        self.path = path
        self.exists_row.choose(CONTINUE)
        self.refresh()
        self.changed.emit()

    def show_places(self, reports: Sequence[PlaceReport], waits: str = "") -> None:
        """Show what was found at the places of the settings as they are.

        Parameters
        ----------
        reports : sequence of PlaceReport
            What is there.
        waits : str
            Where the result is that does not fit into memory; empty where it does, or is saved.
        """
        self._waits = waits
        found = tuple(report.path for report in reports)
        self.exists_row.offer = offer_of(reports) if found == tuple(self._paths()) else None
        self.refresh()

    def report(self, problem: str, kind: str = "") -> None:
        """Show what planning found wrong with saving; empty: nothing.

        Parameters
        ----------
        problem : str
            What is wrong.
        kind : str
            One of those of `place_problem`.
        """
        self._reported = problem
        if kind == KEPT:
            self.exists_row.offer = Offer(problem, replaceable=False)
        self.refresh()

    def reset(self) -> None:
        """Save nothing again."""
        self.path = None
        self.how.reset()

    def refresh(self) -> None:
        """Look whether the path exists now, and show what follows from it."""
        self.exists_row.setVisible(self._asks)
        self.exists_row.refresh(can_resume=self.how.chosen.while_running and not self._done)
        self.how.refresh(saved=self.path is not None)
        # The question that planning asks too is asked here with its answers.
        problem = self.problem or self._reported
        level = "good" if problem in (_SAVED, _SAVED_KEPT) else "error"
        of_format = bool(problem) and problem == self.how.problem
        offer = self.exists_row.offer
        if problem:
            self.message.say("" if of_format else problem, level)
        elif self.resumes and offer is not None:
            self.message.say(f"{offer.resumes}: Resume goes on.", "good")
        else:
            self.message.say(self._note(), "muted")
        self._edit.setAccessibleDescription(self.message.message)
        set_property(self._edit, "wrong", "true" if self.message.level == "error" else "false")
        self.set_problem("" if level == "good" else problem)
        self.set_summary(self._settled_text())
        self._edit.setPlaceholderText(self._unsaved_text())
        places = "\n".join(map(str, self._paths()))
        self._edit.setToolTip(plain_tip(places or str(self.path_entry.tooltip)))

    def _existing(self) -> list[Path]:
        return [path for path in self._paths() if is_there(path, self.how.chosen)]

    def _paths(self) -> list[Path]:
        path = self.path
        if path is None:
            return []
        return list(SaveTarget(path).for_layers(self._names)) or [path]

    def _settled_text(self) -> str:
        paths = self._paths()
        if not paths:
            return self._unsaved_text()
        kind = "same type" if self.same_dtype else "float32"
        name = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
        return f"{'saved: ' if self._done else ''}{name}, {kind}"

    def _unsaved_text(self) -> str:
        return _NOT_KEPT if self._waits else _NOT_SAVED

    def _note(self) -> str:
        """What is good to know of where the result goes."""
        paths = self._paths()
        notes = []
        if len(paths) > 1:
            more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
            notes.append(f"Saved as {', '.join(path.name for path in paths[:2])}{more}.")
        completed, note = self._completed
        if note and self.path_entry.value == completed:
            notes.append(note)
        return "\n".join((*notes, *filter(None, [self._waits])))

    def _complete(self) -> None:
        """Give a path its folder, and the ending that its format has."""
        path, typed = self.path, str(self.path_entry.value).strip()
        if path is not None and str(path) != self.path_entry.value:
            self._completed = (str(path), unknown_ending(typed, self.how.chosen))
            self.path_entry.value = str(path)
            self.refresh()

    def _browse(self) -> None:
        chosen = self.how.chosen
        kinds = ";;".join(
            f"{known.label} ({' '.join(f'*{ending}' for ending in known.endings)})"
            for known in (chosen, *(other for other in FORMATS if other != chosen))
        )
        dialog = QFileDialog(self.window(), "Save as", "", kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        # Whether to overwrite is asked in the dock.
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite, True)
        start = str(self.path or f"{'_'.join(self._names[:1])}_denoised{chosen.ending}")
        dialog.selectFile(start.lstrip("_"))
        dialog.fileSelected.connect(self._on_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_file(self, path: str) -> None:
        self.path = path

    def _rename(self) -> None:
        """Choose the first name with a number that is free for all layers."""
        path = self.path
        if path is not None:
            self.path = next_free(path, self._is_taken, 2)

    def _is_taken(self, path: Path) -> bool:
        paths = SaveTarget(path).for_layers(self._names) or [path]
        return any(is_there(each, self.how.chosen) for each in paths)

    def _on_return(self) -> None:
        # Whoever presses it wants it looked at now: a folder may have been made meanwhile.
        self._rest.finish()
        self._on_answer()

    def _on_settings_wanted(self) -> None:
        if self.exists_row.offer is not None:
            self.settings_wanted.emit(self.exists_row.offer.settings)

    def _on_answer(self) -> None:
        self._reported = ""
        self.refresh()
        self.changed.emit()

    def _on_path(self) -> None:
        typed = format_typed(str(self.path_entry.value).strip())
        if typed is not None:
            self.how.chosen = typed
        self._going_on = self._done = False
        self._reported = ""
        self.exists_row.offer = None
        self.exists_row.choose(None)
        self.refresh()
        self.changed.emit()

    def _on_format(self) -> None:
        path = self.path
        if path is not None:
            self.path = path.with_name(with_format(path.name, self.how.chosen))
