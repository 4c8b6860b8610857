"""A line under a field that says what is wrong with it, or what to know about it."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_tessera.widgets.fields.look import set_property

_SYMBOLS = {"error": "✕ ", "warning": "▲ ", "good": "● ", "muted": ""}
_BREAK = "\u200b"
_LONG = 20
"""Letters from which on a word may be wider than a narrow dock has room for."""

_WORD = re.compile(r"\S+")
_ENDING = re.compile(r"(?<=\w)(?:\.[A-Za-z]\w{0,4}){1,2}\W*$")
# Not after a point or minus before a digit: 0.01, 1e-05 and -3 stay in one piece.
_BREAKABLE = re.compile(r"[/\\_]|[.-](?!\d)")


def breakable(text: str) -> str:
    """Text that may wrap inside long file names, not inside endings, numbers and short words."""
    return _WORD.sub(lambda word: _with_breaks(word.group()), text)


def _with_breaks(word: str) -> str:
    if len(word) < _LONG:
        return word
    found = _ENDING.search(word)
    name, ending = (word[: found.start()], found.group()) if found else (word, "")
    text = _BREAKABLE.sub(lambda mark: mark.group() + _BREAK, name)
    # An ending stays with what it ends, unless that fills a line by itself.
    fills = ending and len(text) - text.rfind(_BREAK) > _LONG
    return f"{text}{_BREAK if fills else ''}{ending}"


class Message(QLabel):
    """A wrapping line that takes no room while it has nothing to say.

    The level is told by a symbol in the text as well as by colour.

    Parameters
    ----------
    parent : QWidget, optional
        Owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._message = ""
        self._level = ""
        self.hide()

    @property
    def message(self) -> str:
        """What is said now, without symbol; empty where nothing is."""
        return self._message

    @property
    def level(self) -> str:
        """``"error"``, ``"warning"``, ``"good"``, ``"muted"``; empty where nothing is said."""
        return self._level

    def say(self, text: str, level: str = "error") -> None:
        """Show a text; an empty one hides the line."""
        self._message = text
        self._level = level if text else ""
        if text:
            lines = (_SYMBOLS[level] + breakable(line) for line in text.splitlines())
            set_property(self, "level", level)
            self.setText("\n".join(lines))
        else:
            self.clear()
        self.setVisible(bool(text))
