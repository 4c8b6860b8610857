"""A sign where a field to type in is too narrow for what stands in it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QLabel, QLineEdit, QStyle, QStyleOptionFrame

MARK = "…"
_MARGIN = 2
"""What Qt leaves free at both sides of a field's text, px."""

_CHANGES = (
    QEvent.Type.Resize,
    QEvent.Type.Show,
    QEvent.Type.FocusIn,
    QEvent.Type.FocusOut,
    QEvent.Type.FontChange,
    QEvent.Type.StyleChange,
)


class CutMark(QObject):
    """Shows the end of a text that is too long, and "…" before it, unless somebody types there.

    Of a path the name is at the end: that is what people look for.

    Parameters
    ----------
    edit : QLineEdit
        The field; this object is its child.
    """

    def __init__(self, edit: QLineEdit) -> None:
        super().__init__(edit)
        self._edit = edit
        self.label = QLabel(MARK, edit)
        self.label.setStyleSheet("QLabel { background: transparent; padding: 0; }")
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.hide()
        edit.textChanged.connect(self._show)
        edit.installEventFilter(self)

    @property
    def is_cut(self) -> bool:
        """Whether the field, without its frame and padding, is too narrow for its text."""
        edit, option = self._edit, QStyleOptionFrame()
        option.initFrom(edit)
        style = edit.style()
        if style is None:
            return False
        room = style.subElementRect(QStyle.SubElement.SE_LineEditContents, option, edit)
        needed = edit.fontMetrics().horizontalAdvance(edit.text())
        return needed > room.width() - 2 * _MARGIN

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look again where the field has another size, or is typed into."""
        if event is not None and event.type() in _CHANGES:
            self._show()
        return super().eventFilter(watched, event)

    def _show(self) -> None:
        edit, label = self._edit, self.label
        cut = not edit.hasFocus() and self.is_cut
        if cut:
            edit.end(False)
        label.adjustSize()
        margins = edit.textMargins()
        margins.setLeft(label.width() if cut else 0)
        edit.setTextMargins(margins)
        label.move(_MARGIN + 1, (edit.height() - label.height()) // 2)
        label.setVisible(cut)
