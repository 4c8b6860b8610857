"""One column of fields that scrolls up and down, and is never cut on the right."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_tessera.widgets.fields.look import GAP


class Column(QScrollArea):
    """Scroll area as wide as its fields need, at least.

    Parameters
    ----------
    fields : iterable of QWidget
        From top to bottom.
    """

    def __init__(self, fields: Iterable[QWidget], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = QWidget()
        layout = QVBoxLayout(self.content)
        layout.setContentsMargins(6, 4, 6, 8)
        layout.setSpacing(GAP + 2)
        for field in fields:
            layout.addWidget(field)
        layout.addStretch()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Only its fields take the keyboard.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self.content)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Let Enter do what Space does: Qt knows it in dialogs alone."""
        at = QApplication.focusWidget()
        is_enter = event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and at is not None and self.isAncestorOf(at):
            if isinstance(at, QAbstractButton):
                at.click()
                return
            if isinstance(at, QComboBox):
                at.showPopup()
                return
        super().keyPressEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Least size: the fields' least width beside the scroll bar, and a few lines."""
        bar = self.verticalScrollBar()
        beside = 0 if bar is None else bar.sizeHint().width()
        return QSize(self.content.minimumSizeHint().width() + beside, 120)
