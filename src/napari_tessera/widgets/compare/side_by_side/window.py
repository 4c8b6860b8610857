"""The window in which models and settings are compared on what is in view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QCloseEvent, QImage
from qtpy.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_tessera.prediction import PlanError
from napari_tessera.widgets.compare.side_by_side.candidate import (
    FAILED,
    Candidate,
    difference_text,
    model_title,
)
from napari_tessera.widgets.compare.side_by_side.candidate_runs import CandidateRuns
from napari_tessera.widgets.compare.side_by_side.column import (
    CandidateColumn,
    Column,
    EmptyColumn,
    InputColumn,
    least_width,
)
from napari_tessera.widgets.compare.side_by_side.crop import ViewCrop, crop_of, crop_request
from napari_tessera.widgets.compare.side_by_side.look import Look
from napari_tessera.widgets.compare.side_by_side.picture_view import (
    PictureView,
    Sight,
)
from napari_tessera.widgets.compare.side_by_side.variants import fill_menu, with_model
from napari_tessera.widgets.fields.look import GAP
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.model_chooser import browse
from napari_tessera.widgets.fields.text import in_peoples_words

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_tessera.widgets.fields.settings import Settings
    from napari_tessera.widgets.model_cache import ModelCache
    from napari_tessera.widgets.request import RunRequest

MOST_CANDIDATES = 4
FIRST_SIZE = QSize(980, 620)
_ADD = "Compare with another model, or with one setting changed."
_FULL = f"{MOST_CANDIDATES} fit side by side: take one out first."
_AS_IN_DOCK = "as in the dock"
_SAME = "same settings"


class CompareWindow(QDialog):
    """Input and candidates in columns, looked at through the same window.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the image is.
    settings : Settings
        The dock's fields.
    cache : ModelCache
        Models that were loaded.
    request : RunRequest
        What the dock asks for: the first candidate.
    crop : ViewCrop
        What is compared.
    parent : QWidget
        The dock, whose look it has.

    Attributes
    ----------
    chosen : Signal(object)
        The request of the candidate whose model and settings are wanted.
    """

    chosen = Signal(object)

    def __init__(
        self,
        viewer: ViewerModel,
        settings: Settings,
        cache: ModelCache,
        request: RunRequest,
        crop: ViewCrop,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._settings = viewer, settings
        self._base, self._crop = crop_request(request, crop.layer), crop
        self._plane: NDArray[Any] | None = None
        self._seen: Sight | None = None
        self._paused = False
        # A slider that is dragged tells more often than five pictures can be drawn.
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.timeout.connect(self._draw)
        self.setWindowTitle("Compare models on this view")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(FIRST_SIZE)
        self.runs = CandidateRuns(viewer, cache, self)
        self.runs.changed.connect(self._on_changed)
        self.runs.input_read.connect(self._on_input)
        self.input = InputColumn(crop.text)
        self.input.view.moved.connect(self._look_at)
        self.columns: list[CandidateColumn] = []
        self._lay_out()
        self._listen(True)
        self.runs.begin(crop)
        self.add(self._base)

    def _lay_out(self) -> None:
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self.add_button = QPushButton("+ Add model or settings")
        self.add_button.setMenu(self._menu)
        self.view_button = QPushButton("Use the current view")
        self.view_button.setToolTip("Compare on what is in view now.")
        self.view_button.clicked.connect(self.follow_view)
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.close)
        for button in (self.add_button, self.view_button, self.close_button):
            button.setAutoDefault(False)
        self.message = Message()
        self._empty = EmptyColumn(self._menu)
        table = QWidget()
        self._grid = QGridLayout(table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * GAP)
        self._grid.setVerticalSpacing(GAP)
        self._grid.setRowStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.view_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        # On a small screen the columns are scrolled to.
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidget(table)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self.message)
        layout.addLayout(buttons)

    @property
    def layer(self) -> Image:
        """The image that is compared on."""
        return self._crop.layer

    @property
    def base(self) -> RunRequest:
        """The settings that candidates are varied from."""
        return self._base

    @property
    def views(self) -> list[PictureView]:
        """The pictures, the input's first."""
        return [column.view for column in (self.input, *self.columns)]

    def add(self, request: RunRequest) -> None:
        """Add a candidate; nothing happens where it is there, or there are as many as fit."""
        there = [column.candidate.request for column in self.columns]
        if request in there or len(there) >= MOST_CANDIDATES:
            return
        candidate = Candidate(request)
        title = model_title(request, self._settings.model.known.choices())
        same = _AS_IN_DOCK if request == self._base else _SAME
        difference = difference_text(request, self._base) or same
        column = CandidateColumn(candidate, title, difference)
        column.view.moved.connect(self._look_at)
        column.removed.connect(lambda: self.remove(column))
        column.chosen.connect(lambda: self.choose(column))
        self.columns.append(column)
        self._arrange()
        if self._seen is not None:
            column.view.look_at(self._seen)
        self.runs.add(candidate)

    def remove(self, column: CandidateColumn) -> None:
        """Take a candidate out."""
        if column not in self.columns:
            return
        self.columns.remove(column)
        self.runs.remove(column.candidate)
        for part in column.parts:
            part.hide()
            part.deleteLater()
        self._arrange()

    def choose(self, column: CandidateColumn) -> None:
        """Hand on the model and settings of a candidate, and close."""
        self.chosen.emit(column.candidate.request)
        self.close()

    def follow_view(self) -> None:
        """Compare on what is in view now."""
        try:
            crop = crop_of(self._viewer, self._base)
        except PlanError as error:
            self.message.say(in_peoples_words(str(error)))
            return
        self.message.say("")
        self._crop, self._plane, self._seen = crop, None, None
        self.input.subtitle.setText(crop.text)
        self.runs.begin(crop)
        for column in self.columns:
            column.view.set_picture(QImage(), crop.aspect)
            self.runs.add(column.candidate)

    def pause(self, paused: bool) -> None:
        """Let a run of the dock have the processor to itself."""
        self._paused = paused
        self.runs.pause(paused)
        for column in self.columns:
            column.show_candidate(paused=paused)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """End what is at work, and let go of the layer."""
        self.let_go()
        super().closeEvent(event)

    def let_go(self) -> None:
        """End what is at work, and listen to the layer no more."""
        self.runs.close()
        self._listen(False)

    def _listen(self, on: bool) -> None:
        events: Any = self._crop.layer.events
        for event in (events.contrast_limits, events.gamma, events.colormap):
            (event.connect if on else event.disconnect)(self._on_look)

    def _fill_menu(self) -> None:
        fill_menu(self._menu, self._settings, self._base, self.add, self._browse)

    def _browse(self) -> None:
        browse(self).fileSelected.connect(self._on_file)

    def _on_file(self, path: str) -> None:
        self._settings.model.known.add(path)
        self.add(with_model(self._base, path))

    def _arrange(self) -> None:
        """Give each column its place, all of the same width."""
        while self._grid.count():
            self._grid.takeAt(0)
        columns: list[Column] = [self.input, *self.columns]
        for i, column in enumerate(columns):
            for row, part in enumerate(column.parts):
                self._grid.addWidget(part, row, i)
        alone = len(self.columns) < 2
        self._empty.setVisible(alone)
        if alone:
            self._grid.addWidget(self._empty, 1, len(columns))
        for i in range(MOST_CANDIDATES + 2):
            self._grid.setColumnStretch(i, int(i < len(columns) + alone))
        self._widen(len(columns) + alone)
        full = len(self.columns) >= MOST_CANDIDATES
        self.add_button.setEnabled(not full)
        self.add_button.setToolTip(_FULL if full else _ADD)
        for column in self.columns:
            column.remove_button.setVisible(len(self.columns) > 1)

    def _widen(self, n_columns: int) -> None:
        """Make the window as wide as its columns need, where the screen is."""
        layout, screen = self.layout(), self.screen()
        if layout is None or screen is None:
            return
        room, margins = screen.availableGeometry(), layout.contentsMargins()
        wanted = n_columns * (least_width(self) + self._grid.horizontalSpacing())
        wanted = min(wanted + margins.left() + margins.right(), room.width())
        if self.width() < wanted:
            self.resize(wanted, self.height())
            # what has grown beyond the screen is moved back onto it
            self.move(max(room.left(), min(self.x(), room.right() - wanted)), self.y())

    def _look_at(self, sight: Sight) -> None:
        self._seen = sight
        for view in self.views:
            if view.sight != sight:
                view.look_at(sight)

    def _on_input(self, found: object) -> None:
        if isinstance(found, BaseException):
            self.input.problem.say(f"{self._crop.name} cannot be read: {found}")
            return
        self.input.problem.say("")
        self._plane = found  # type: ignore[assignment]
        self._draw()
        if self._seen is None:
            self._look_at(self.input.view.first_sight())

    def _on_changed(self, candidate: Candidate) -> None:
        for column in self.columns:
            if column.candidate is candidate:
                column.show_candidate(paused=self._paused)
                self._paint(column, Look.of(self._crop.layer))

    def _on_look(self, event: object = None) -> None:
        self._redraw.start(0)

    def _draw(self) -> None:
        """Draw all pictures again, as the layer looks now."""
        self._redraw.stop()
        look = Look.of(self._crop.layer)
        if self._plane is not None:
            self.input.view.set_picture(look.picture(self._plane), self._crop.aspect)
        for column in self.columns:
            self._paint(column, look)

    def _paint(self, column: CandidateColumn, look: Look) -> None:
        plane = None if column.candidate.state == FAILED else column.candidate.plane(self._crop)
        if plane is not None:
            column.view.set_picture(look.picture(plane), self._crop.aspect)
