"""One column of the window: what is shown, how it was made, and how it reads."""

from __future__ import annotations

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_tessera.widgets.compare.side_by_side.candidate import (
    DONE,
    FAILED,
    LOADING,
    RUNNING,
    WAITING,
    Candidate,
)
from napari_tessera.widgets.compare.side_by_side.picture_view import PictureView
from napari_tessera.widgets.fields.check_rows import CheckRows
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.tips import plain_tip

_LONGEST = "Saturated  99.9 % top · 99.9 % zero"
_BESIDE = 36
"""What stands beside the longest reading, px: its mark and margins."""


class Column(QWidget):
    """Head of a column; the picture and the foot lie in the window's own rows.

    Parameters
    ----------
    title, subtitle : str
        What is shown, and how it differs from the others.
    closable : bool
        Whether it can be taken out.

    Attributes
    ----------
    view : PictureView
        The picture.
    foot : QWidget
        What stands below the picture.
    removed : Signal()
        The column is to be taken out.
    """

    removed = Signal()

    def __init__(self, title: str, subtitle: str, *, closable: bool) -> None:
        super().__init__()
        self.title = _eliding(title)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.subtitle = _eliding(subtitle)
        self.remove_button = QToolButton()
        self.remove_button.setText("✕")
        self.remove_button.setToolTip("Take this column out.")
        self.remove_button.setAccessibleName(f"Take {title} out")
        self.remove_button.clicked.connect(self._on_remove)
        self.remove_button.setVisible(closable)
        self.view = PictureView(title)
        self.view.setMinimumWidth(least_width(self))
        self.foot = QWidget()
        for part in (self, self.foot):
            # as wide as the other columns, whatever stands in it
            part.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.title, 1)
        row.addWidget(self.remove_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self.subtitle)
        self.below = QVBoxLayout(self.foot)
        self.below.setContentsMargins(0, 0, 0, 0)
        self.below.setSpacing(GAP)

    @property
    def parts(self) -> tuple[QWidget, QWidget, QWidget]:
        """Head, picture and foot, from top to bottom."""
        return self, self.view, self.foot

    def _on_remove(self) -> None:
        self.removed.emit()


class InputColumn(Column):
    """The input, with how to look around below it."""

    def __init__(self, where: str) -> None:
        super().__init__("Input", where, closable=False)
        set_property(self.subtitle, "level", "muted")
        self.problem = Message()
        hint = QLabel("Wheel: zoom. Drag: move.\nDouble click: show all.")
        set_property(hint, "level", "muted")
        self.below.addWidget(self.problem)
        self.below.addWidget(hint)
        self.below.addStretch()


class CandidateColumn(Column):
    """A candidate: how far it is, its readings, and the button that takes it.

    Parameters
    ----------
    candidate : Candidate
        The candidate.
    title, subtitle : str
        The model, and what of the settings differs from the dock's.

    Attributes
    ----------
    chosen : Signal()
        Its model and settings are to be the dock's.
    """

    chosen = Signal()

    def __init__(self, candidate: Candidate, title: str, subtitle: str) -> None:
        super().__init__(title, subtitle, closable=True)
        self.candidate = candidate
        self.status = QLabel()
        self.problem = Message()
        self.warnings = Message()
        self.checks = CheckRows()
        self.checks.hide()
        self.use_button = PushButton(
            text="Use this", tooltip="Put this model and these settings into the dock."
        )
        self._use.setAccessibleName(f"Use {title}, {subtitle}")
        self._use.clicked.connect(self._on_use)
        for widget in (self.status, self.problem, self.warnings, self.checks):
            self.below.addWidget(widget)
        self.below.addStretch()
        self.below.addWidget(self._use)
        self.show_candidate()

    @property
    def _use(self) -> QPushButton:
        native: QPushButton = self.use_button.native
        return native

    def show_candidate(self, *, paused: bool = False) -> None:
        """Show how far the candidate is."""
        candidate = self.candidate
        self.status.setText(status_text(candidate, paused=paused))
        self.status.setVisible(candidate.state != FAILED)
        self.problem.say(candidate.problem)
        self.warnings.say("\n".join(candidate.warnings), "warning")
        self.checks.show_readings(candidate.readings)
        self._use.setEnabled(candidate.state != FAILED)

    def _on_use(self) -> None:
        self.chosen.emit()


class EmptyColumn(QFrame):
    """What stands in the place of a second candidate.

    Parameters
    ----------
    menu : QMenu
        What can be added.
    """

    def __init__(self, menu: QMenu) -> None:
        super().__init__()
        self.setObjectName("nothing-to-compare")
        self.setStyleSheet("QFrame#nothing-to-compare { border: 1px dashed gray; }")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(least_width(self))
        text = QLabel("Nothing to compare with yet.\nAdd another model or other settings.")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        self.add_button = QPushButton("+ Add model or settings")
        self.add_button.setAutoDefault(False)
        self.add_button.setMenu(menu)
        layout = QVBoxLayout(self)
        layout.addStretch()
        layout.addWidget(text)
        layout.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch()


def least_width(widget: QWidget) -> int:
    """Width of a column in which the longest reading is not cut, px, in the widget's font."""
    return widget.fontMetrics().horizontalAdvance(_LONGEST) + _BESIDE


def status_text(candidate: Candidate, *, paused: bool = False) -> str:
    """How far a candidate is, in a few words."""
    if candidate.state == WAITING:
        return "waits for the run to end" if paused else "waiting"
    if candidate.state == LOADING:
        return "getting ready…"
    if candidate.state == RUNNING:
        return f"{candidate.done:,}/{candidate.total:,} tiles"
    if candidate.state == DONE and candidate.seconds is not None:
        tiles = "1 tile" if candidate.total == 1 else f"{candidate.total:,} tiles"
        return f"{_seconds_text(candidate.seconds)}, {tiles}"
    return ""


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def _eliding(text: str) -> QElidingLabel:
    label = QElidingLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setToolTip(plain_tip(text))
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label
