"""A section that folds away behind a header which still tells what is in it."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.tips import plain_tip

_CLOSED, _OPEN = "▸", "▾"


class _Header(QPushButton):
    """A button that is as large as the labels in it need, at any size of font."""

    def sizeHint(self) -> QSize:
        inside = self.layout()
        return super().sizeHint() if inside is None else inside.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class Section(QWidget):
    """Header with title and summary; below it a body that opens and closes with a click.

    Parameters
    ----------
    title : str
        One word.
    body : QWidget
        What is shown while the section is open.

    Attributes
    ----------
    toggled : Signal(bool)
        Whether the section is open now.
    """

    toggled = Signal(bool)

    def __init__(self, title: str, body: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._body = body
        self._summary_text = ""
        self._problem = self._warning = ""
        self.header = _Header()
        self.header.setObjectName("header")
        self._name = QLabel()
        self._summary_label = QElidingLabel()
        self._summary_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for label in (self._name, self._summary_label):
            # The header is one button: its labels let clicks and hovering through.
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        inside = QHBoxLayout(self.header)
        inside.setContentsMargins(2, 4, 2, 4)
        inside.addWidget(self._name)
        inside.addWidget(self._summary_label, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addWidget(self.header)
        layout.addWidget(body)
        self.header.clicked.connect(self._toggle)
        body.hide()
        self._show_title()

    @property
    def is_open(self) -> bool:
        """Whether the body is shown."""
        return not self._body.isHidden()

    def set_open(self, is_open: bool) -> None:
        """Open or close the section."""
        if is_open == self.is_open:
            return
        self._body.setVisible(is_open)
        self._show_title()
        self.toggled.emit(is_open)

    @property
    def summary(self) -> str:
        """What the header says beside the title: the problem or warning where there is one."""
        return self._problem or self._shown_warning or self._summary_text

    def set_summary(self, text: str) -> None:
        """Say in the header what the settings inside come to."""
        self._summary_text = text
        self._show_title()

    def set_problem(self, text: str) -> None:
        """Say in the header what is wrong inside, so that a closed section hides no reason."""
        self._problem = text
        self._show_title()

    def set_warning(self, text: str) -> None:
        """Say in the header, while it is closed, what should be known of what is inside."""
        self._warning = text
        self._show_title()

    @property
    def _shown_warning(self) -> str:
        return "" if self.is_open else self._warning

    def _toggle(self) -> None:
        self.set_open(not self.is_open)

    def _show_title(self) -> None:
        self._name.setText(f"{_OPEN if self.is_open else _CLOSED} {self._title}")
        level, mark = "muted", ""
        if self._problem:
            level, mark = "error", "✕ "
        elif self._shown_warning:
            level, mark = "warning", "▲ "
        set_property(self._summary_label, "level", level)
        self._summary_label.setText(f"{mark}{self.summary}")
        state = "open" if self.is_open else "closed"
        self.header.setAccessibleName(f"{self._title}, {state}: {self.summary}")
        self.header.setToolTip(plain_tip(self.summary))
