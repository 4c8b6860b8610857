"""The dock begins with the settings of the last run, as far as they still fit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QVBoxLayout
from superqt.utils import create_worker

from napari_tessera.home_paths import from_home
from napari_tessera.models.recent import is_there
from napari_tessera.widgets.cluster.scheduler_look import SchedulerError, checked_address
from napari_tessera.widgets.fields.look import GAP, LABEL_WIDTH
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.model_chooser import BUILTIN
from napari_tessera.widgets.fields.sizes import AUTO
from napari_tessera.widgets.fields.text import overlap_text, sizes_text
from napari_tessera.widgets.remembered.soon import Soon
from napari_tessera.widgets.remembered.store import LastSettings, recall
from napari_tessera.widgets.run_state import PREVIEW, RUNNING

if TYPE_CHECKING:
    from napari_tessera.widgets.dock import DenoiseDock
    from napari_tessera.widgets.fields.sizes import SizesEntry
    from napari_tessera.widgets.reports import FieldProblem

_SIZES = ("patch_size", "overlaps")


class LastRun(QObject):
    """Sets the fields as they were at the last run, and remembers them at the next one.

    Made before anybody can have set a field, so that it takes nothing from anyone. What does not
    fit any more (a model or device that is gone, sizes that the model does not take) is left to
    the software, and said in one line.

    Parameters
    ----------
    dock : DenoiseDock
        The dock.

    Attributes
    ----------
    note : Message
        What did not fit.
    """

    def __init__(self, dock: DenoiseDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._settings = dock.settings
        self._lines: dict[str, str] = {}
        self._soon = Soon()
        # Whoever destroys the dock. (It holds nothing of Qt.)
        dock.destroyed.connect(self._soon.write)
        self.note = Message()
        self.note.setContentsMargins(LABEL_WIDTH + GAP, 0, 0, 0)
        below = dock.column.content.layout()
        assert isinstance(below, QVBoxLayout)
        below.insertWidget(below.indexOf(self._settings.model) + 1, self.note)
        self._last = recall()
        self._set_model()
        self._set_sizes()
        if self._last.device:
            self._settings.advanced.expect_device(self._last.device)
        self._set_cluster()
        self._settings.advanced.device_missed.connect(self._on_device_missed)
        self._settings.advanced.run_on.missed.connect(self._on_cluster_missed)
        for name, field in (
            ("model", self._settings.model),
            ("tiles", self._settings.tiles),
            ("device", self._settings.advanced.device),
            ("cluster", self._settings.advanced.run_on.chooser),
        ):
            field.changed.connect(partial(self._say, name, ""))
        dock.controller.problem_changed.connect(self._on_problem)
        dock.controller.state_changed.connect(self._on_state)
        self._settings.advanced.copies.reset_wanted.connect(self._on_reset)

    def close(self) -> None:
        """Write what waits to be written; nothing of the viewer is held."""
        self._soon.write()

    def _set_model(self) -> None:
        model = self._last.model
        if model in ("", BUILTIN):
            return
        self._settings.model.value = model
        # A drive that does not answer is waited for elsewhere.
        worker = create_worker(_gone, model, _start_thread=False)
        worker.returned.connect(self._on_model_gone)
        worker.start()

    def _on_model_gone(self, model: str) -> None:
        if model and self._settings.model.value == model:
            self._settings.model.value = BUILTIN
            self._say(
                "model", f"The model used last, {model}, is not there: the built-in one is used."
            )

    def _set_sizes(self) -> None:
        tiles = self._settings.tiles
        if self._last.tile_size:
            tiles.patch_size = self._last.tile_size
        if self._last.overlap and len(self._last.overlap) == len(tiles.size_entry.letters):
            tiles.overlaps = self._last.overlap
        if tiles.problem:
            self._leave_sizes()

    def _set_cluster(self) -> None:
        if not self._last.cluster:
            return
        try:
            address = checked_address(self._last.cluster)
        except SchedulerError:
            # somebody typed it into napari's preferences
            return
        self._settings.advanced.run_on.expect(address)

    def _on_problem(self, problem: FieldProblem | None) -> None:
        if problem is not None and problem.field in _SIZES and self._sizes_are_ours:
            self._leave_sizes()

    @property
    def _sizes_are_ours(self) -> bool:
        """Whether the numbers are still those of the last run, and any are."""
        tiles, last = self._settings.tiles, self._last
        return bool(last.tile_size or last.overlap) and (
            _typed(tiles.size_entry) == _as_typed(last.tile_size)
            and _typed(tiles.overlap_entry) == _as_typed(last.overlap)
        )

    def _leave_sizes(self) -> None:
        """Leave tile size and overlap to the software."""
        last, tiles = self._last, self._settings.tiles
        told = []
        if last.tile_size:
            told.append(f"tile size {sizes_text(last.tile_size)}")
        if last.overlap:
            told.append(f"overlap {overlap_text(last.overlap)}")
        tiles.patch_size = tiles.overlaps = AUTO
        verb = "do" if len(told) > 1 else "does"
        text = " and ".join(told)
        self._say("tiles", f"Used last, {text} {verb} not fit here: automatic.")

    def _on_device_missed(self, device: str) -> None:
        self._say("device", f"The device used last, {device}, is not there: automatic.")

    def _on_cluster_missed(self, address: str) -> None:
        self._say(
            "cluster", f"The Dask scheduler used last, {address}, does not answer: this computer."
        )

    def _on_state(self, state: str) -> None:
        if state not in (RUNNING, PREVIEW):
            return
        self._lines.clear()
        self._show()
        request = self._dock.request() if state == PREVIEW else self._dock.controller.request
        if request is None:
            return
        model = self._last.model
        if isinstance(request.model, str | Path) and not request.channel_models:
            model = _kept_name(request.model)
        self._last = LastSettings(
            model,
            () if isinstance(request.patch_size, str) else request.patch_size,
            () if isinstance(request.overlaps, str) else request.overlaps,
            "" if request.device == AUTO else request.device,
            # of a preview as well, which is computed here all the same
            self._settings.advanced.run_on.chosen,
        )
        self._soon.remember(self._last)

    def _on_reset(self) -> None:
        self._last = LastSettings()
        self._lines.clear()
        self._show()
        self._soon.remember(self._last)

    def _say(self, name: str, line: str) -> None:
        if line:
            self._lines[name] = line
        else:
            self._lines.pop(name, None)
        self._show()

    def _show(self) -> None:
        self.note.say("\n".join(self._lines.values()), "warning")


def _gone(model: str) -> str:
    """The model, if it is not there; empty where it is."""
    return "" if is_there(model) else model


def _kept_name(model: str | Path) -> str:
    """What names a model wherever napari is started next; empty for the built-in one."""
    name = str(model)
    if name == BUILTIN:
        return ""
    return name if name.startswith("builtin:") else str(from_home(name).absolute())


def _typed(entry: SizesEntry) -> dict[str, str]:
    texts = {letter: number.value.strip() for letter, number in entry.entries.items()}
    return {letter: text for letter, text in texts.items() if text}


def _as_typed(sizes: tuple[int, ...]) -> dict[str, str]:
    letters = "ZYX"[3 - len(sizes) :]
    return {letter: str(size) for letter, size in zip(letters, sizes, strict=True)}
