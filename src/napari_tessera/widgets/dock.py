"""The dock: everything a person sees of the plugin, as one column of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tessera.widgets.adopting import adopt
from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.dock_parts import parts_of
from napari_tessera.widgets.extra_layers import ExtraLayers
from napari_tessera.widgets.fields.advanced import AdvancedSection
from napari_tessera.widgets.fields.area import AreaField
from napari_tessera.widgets.fields.checks import CheckStrip
from napari_tessera.widgets.fields.code_writer import CodeWriter
from napari_tessera.widgets.fields.column import Column
from napari_tessera.widgets.fields.help import HelpRow
from napari_tessera.widgets.fields.image import ImageField
from napari_tessera.widgets.fields.layer_watch import let_go, viewer_slots
from napari_tessera.widgets.fields.look import kind_of_theme, link_colour, style_sheet
from napari_tessera.widgets.fields.main_action import (
    CONTINUE,
    FINISH,
    START,
    STOP,
    MainAction,
    main_action,
    same_run,
)
from napari_tessera.widgets.fields.main_key import MainKey, key_text
from napari_tessera.widgets.fields.model import ModelField
from napari_tessera.widgets.fields.progress_text import layer_text
from napari_tessera.widgets.fields.run import RunRow
from napari_tessera.widgets.fields.save import SaveSection
from napari_tessera.widgets.fields.settings import Settings
from napari_tessera.widgets.fields.tiles import TilesSection
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.model_reader import ModelReader
from napari_tessera.widgets.readiness import Readiness
from napari_tessera.widgets.reports import RunProgress
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import BUSY, DONE, PREVIEW

if TYPE_CHECKING:
    import napari.viewer

    from napari_tessera.widgets.layer_run import LayerRun
    from napari_tessera.writing import ImageRegionData

WIDTH = 320
"""Width that the dock asks for, px."""

HEIGHT = 560
"""Height that the dock asks for, px."""


class DenoiseDock(QWidget):
    """Dock widget that denoises image layers tile by tile.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer whose layers are denoised; napari hands it in.

    Attributes
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    models : ModelCache
        Models that were loaded.
    finish_wanted : Signal()
        A live preview is to become a full run.
    held_back_changed : Signal()
        Something else goes on that lets no run start, or does no longer.
    controller : RunController
        Runs what the dock asks for.
    settings : Settings
        The fields: ``image``, ``model``, ``area``, ``tiles``, ``save``, ``advanced``.
    run_row : RunRow
        Main button, estimate line and progress.
    readiness : Readiness
        Whether a run can start.
    checks : CheckStrip
        Readings of the tiles so far.
    """

    finish_wanted = Signal()
    held_back_changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.setObjectName("napari-tessera")
        self.viewer = viewer
        self._closed = False
        self._was_docked = False
        self._starts_over = self._follows_later = False
        self._holds: dict[object, str] = {}
        self.models = ModelCache()
        self.controller = RunController(viewer, self, self.models)
        self.settings = Settings(
            image=ImageField(viewer.layers),
            model=ModelField(),
            area=AreaField(viewer),
            tiles=TilesSection(),
            save=SaveSection(),
            advanced=AdvancedSection(),
        )
        self.run_row = RunRow(key_text())
        self.checks = CheckStrip()
        self._extras = ExtraLayers(self.controller, self.checks)
        self._code = CodeWriter(viewer, self.models, self)
        self._reader = ModelReader(self.models, self)
        self.readiness = Readiness(self.settings, self.controller, self.run_row, self)
        self.readiness.changed.connect(self._show_action)
        self._lay_out()
        self._connect_fields()
        self._connect_controller()
        for emitter, slot in self._viewer_slots():
            emitter.connect(slot)
        self._key = MainKey(viewer, self.press_main)
        watches = (self.settings.image.watch, self.settings.area.inside_row.watch)
        self._let_go = partial(let_go, self._viewer_slots(), watches, self._key)
        self.destroyed.connect(self._let_go)
        self._parts = parts_of(self)
        self._follow_theme()
        self._on_image()
        self.settings.advanced.find_devices()
        self.settings.model.known.find()

    def sizeHint(self) -> QSize:
        """Size asked for; what does not fit is scrolled to."""
        return QSize(WIDTH, HEIGHT)

    def event(self, event: QEvent | None) -> bool:
        """Notice the end: taken out of the window or deleted, it lets go of the viewer."""
        if event is not None and event.type() == QEvent.Type.DeferredDelete:
            self.shut_down()
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
            elif self._was_docked:
                self.shut_down()
        return handled

    def request(self) -> RunRequest | None:
        """What the settings ask for now; None where they cannot be read."""
        return self.settings.request()

    def reason(self, *, saving: bool = True) -> str:
        """Why no run can start now, or one that saves nothing; empty where one can, or goes on."""
        return self.readiness.reason if saving else self.readiness.reason_unsaved

    def hold_back(self, owner: object, reason: str) -> None:
        """Let no run start, for an owner's reason; empty: as far as it is concerned, they may."""
        self._holds[owner] = reason
        reason = next(filter(None, self._holds.values()), "")
        if self.controller.held_back and not reason:
            # what was refused meanwhile is refused no longer
            self.run_row.set_failure("")
        self.readiness.held_back = self.controller.held_back = reason
        self._show_action()
        self.held_back_changed.emit()

    def start(
        self,
        request: RunRequest,
        known: Callable[[LayerRun], Mapping[int, ImageRegionData]] | None = None,
    ) -> None:
        """Denoise; see `RunController.start`."""
        self._starts_over = False
        self.run_row.forget_run_warnings()
        self.run_row.set_failure("")
        self.checks.show_readings(None)
        self.controller.start(request, known)

    def resume(self) -> None:
        """Go on with the run that was stopped; see `RunController.resume`."""
        self.run_row.set_failure("")
        self.controller.resume()

    def press_main(self) -> None:
        """Do what the main button does: denoise, stop, continue, or finish a live preview."""
        action = self._action()
        if action.kind == STOP:
            self.controller.stop()
        elif self.reason():
            return
        elif action.kind == FINISH:
            self.finish_wanted.emit()
        elif action.kind == CONTINUE:
            self.resume()
        elif action.kind == START:
            self._start()

    def shut_down(self) -> None:
        """Stop what runs and let go of the viewer; the dock is of no use afterwards."""
        if self._closed:
            return
        self._closed = True
        for part in self._parts:
            part.close()
        self.readiness.stop()
        self.settings.advanced.run_on.close_down()
        self.controller.shut_down()
        self.destroyed.disconnect(self._let_go)
        self._let_go()

    def _lay_out(self) -> None:
        fields = self.settings
        self.help_row = HelpRow()
        self.column = Column(
            (
                self.help_row,
                fields.image,
                fields.model,
                fields.area,
                self.run_row,
                self.checks,
                fields.tiles,
                fields.save,
                fields.advanced,
            )
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.column)

    def _connect_fields(self) -> None:
        fields = self.settings
        fields.image.changed.connect(self._on_image)
        for field in (fields.model, fields.area, fields.tiles, fields.save, fields.advanced):
            field.changed.connect(self._on_settings)
        fields.save.settings_wanted.connect(partial(adopt, fields))
        fields.tiles.grid_wanted.connect(self.controller.show_grid)
        self.controller.grid.counts_changed.connect(fields.tiles.show_states)
        fields.model.reading_wanted.connect(self._read_model)
        fields.model.about.test_wanted.connect(self._reader.run_own_test)
        self._reader.read.connect(self.readiness.read)
        self._reader.tested.connect(fields.model.about.show_tested)
        self._reader.tested.connect(self._on_settings)
        copies = fields.advanced.copies
        copies.wanted.connect(self._copy)
        copies.reset_wanted.connect(fields.reset)
        self._code.copied.connect(copies.say_copied)
        self._code.refused.connect(copies.say_refused)
        self.run_row.pressed.connect(self.press_main)
        self.run_row.start_over.connect(self._start_over)
        self.run_row.everything_wanted.connect(self._choose_everything)
        self.checks.removed_noise_toggled.connect(self._on_removed_noise)
        self.checks.disagreement_toggled.connect(self._extras.toggle_disagreement)

    def _connect_controller(self) -> None:
        controller = self.controller
        controller.state_changed.connect(self._on_state)
        controller.progress_changed.connect(self._on_progress)
        controller.checks_changed.connect(self.checks.show_readings)
        controller.estimate_changed.connect(self.run_row.set_estimate)
        controller.warned.connect(self.run_row.add_run_warning)
        controller.kept_changed.connect(self.run_row.set_kept)
        controller.failed.connect(self.run_row.set_failure)

    def _viewer_slots(self) -> list[tuple[Any, Any]]:
        """Events of the viewer that the dock listens to as long as it lives."""
        slots = (self._on_layers, self._on_selection, self._on_view_moved, self._follow_theme)
        return viewer_slots(self.viewer, *slots)

    def _on_layers(self, event: object = None) -> None:
        # A layer may show what is to be overwritten.
        self.readiness.look()
        self.settings.image.refresh_choices()
        self.settings.area.refresh_choices()
        self._show_last_run()
        self._extras.refresh()
        self._show_action()

    def _on_selection(self, event: object = None) -> None:
        # During a run the dock keeps telling what is being denoised, and follows at its end.
        self._follows_later = self.controller.state in BUSY
        if not self._follows_later:
            self.settings.image.follow_selection()

    def _on_view_moved(self, event: object = None) -> None:
        self.readiness.view_moved()
        self.settings.area.view_moved()

    def _follow_theme(self, event: object = None) -> None:
        kind = kind_of_theme(self.viewer.theme)
        self.setStyleSheet(style_sheet(kind))
        self.settings.model.about.set_link_colour(link_colour(kind))

    def _on_image(self) -> None:
        image = self.settings.image
        self.settings.save.set_layers(image.layers, image.dtype)
        self.settings.model.set_channels(image.n_channels, image.layers, image.letters)
        self.settings.area.show_image(image.layers, image.letters, image.n_channels)
        self._show_last_run()
        self._on_settings()

    def _show_last_run(self) -> None:
        """Show what was read off and said of a run only beside the image that it was of."""
        last, busy = self.controller.request, self.controller.state in (*BUSY, PREVIEW)
        other = last is not None and not busy and last.layers != tuple(self.settings.image.layers)
        if other:
            self.run_row.forget_run_warnings()
        if not busy and not self.controller.results.outputs:
            self.checks.show_readings(None)
            self.run_row.forget_run_warnings()
            self.run_row.set_done("")
        self.checks.set_aside(other)
        self.run_row.set_aside(other)

    def _on_settings(self) -> None:
        self.settings.follow_area()
        request, last = self.request(), self.controller.request
        if request != last:
            self.run_row.set_failure("")
        if not same_run(request, last):
            self.run_row.set_done("")
        self.readiness.settings_changed()
        self._show_action()

    def _on_state(self, state: str) -> None:
        self.run_row.show_state(state, self._what_runs())
        self._extras.refresh()
        self._show_action()
        self._show_last_run()
        if state not in BUSY:
            self.settings.image.refresh_choices()
            if self._follows_later:
                self._on_selection()
            self.settings.save.refresh()
            self.readiness.look()

    def _what_runs(self) -> str:
        runs, results = self.controller.runs, self.controller.results
        if runs is results.flips and runs is not results.runs:
            return "Flip disagreement: "
        return layer_text(runs.number, len(runs))

    def _on_progress(self, progress: RunProgress) -> None:
        self.run_row.show_progress(progress, self.controller.state)

    def _action(self) -> MainAction:
        controller = self.controller
        return main_action(
            controller.state,
            self.settings.area.value,
            self.request(),
            controller.request,
            can_resume=controller.can_resume and not self._starts_over,
            resumes_saved=self.settings.save.resumes,
        )

    def _show_action(self) -> None:
        state, last = self.controller.state, self.controller.request
        going_on = state in BUSY or self._action().kind == CONTINUE
        elsewhere = self.settings.save.set_last_run(
            None if last is None else last.save, going_on=going_on, done=state == DONE
        )
        resumable = self.controller.can_resume and not self._starts_over
        self.run_row.set_action(self._action(), self.reason(), can_resume=resumable)
        self.run_row.set_of_all(last is not None and last.area == EVERYTHING)
        self.run_row.set_saved_to(elsewhere if state in BUSY else None)

    def _start(self) -> None:
        request = self.request()
        if request is not None and not self.reason():
            self.start(request)

    def _start_over(self) -> None:
        """Begin the stopped run anew; what it has saved so far is asked about first."""
        self._starts_over = True
        self._show_action()
        self.settings.save.ask_again()
        self._start()

    def _choose_everything(self) -> None:
        self.settings.area.value = EVERYTHING

    def _read_model(self) -> None:
        self._reader.look(self.settings.model_choice)

    def _on_removed_noise(self) -> None:
        self._extras.toggle_noise()
        self.settings.image.refresh_choices()

    def _copy(self, kind: str) -> None:
        request = self.request()
        if request is None or self.reason():
            self.settings.advanced.copies.say_refused(self.reason())
        else:
            self._code.copy(request, kind)
