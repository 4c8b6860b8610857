"""Whole numbers along (Z), Y and X, or automatic ones: how tile size and overlap are typed."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets import LineEdit
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QWidget

from napari_tessera.widgets.fields.line_entry import fit
from napari_tessera.widgets.fields.look import GAP, set_property
from napari_tessera.widgets.fields.typing_rest import TypingRest

AUTO = "auto"
_ORDER = "ZYX"


def parse_number(text: str, name: str) -> int | None:
    """Read a number as typed; None where it is left to the software.

    Raises
    ------
    ValueError
        Naming the field, what was typed, and what to type.
    """
    typed = text.strip()
    if typed.lower() in ("", AUTO):
        return None
    try:
        return int(typed)
    except ValueError:
        raise ValueError(
            f"{name}: {typed!r} is no whole number; type one, or nothing for auto"
        ) from None


class NumberEntry(LineEdit):
    """One number, or auto where nothing is typed; what auto comes to stands in the empty field."""

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__(name=name, tooltip=tooltip)
        fit(self.edit, name)
        self.set_auto(None)

    @property
    def edit(self) -> QLineEdit:
        """The Qt widget."""
        native: QLineEdit = self.native
        return native

    @property
    def typed(self) -> int | None:
        """The number typed; None for auto; ValueError where it is no number."""
        return parse_number(self.value, self.name)

    def set_auto(self, value: int | None) -> None:
        """Show what auto comes to, where that is known."""
        self.edit.setPlaceholderText(AUTO if value is None else f"{AUTO} {value}")


class AxisLetters(QWidget):
    """The letters (Z), Y, X above the columns of one or more `SizesEntry`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels = {letter: QLabel(letter) for letter in _ORDER}
        layout = _columns(self)
        for label in self._labels.values():
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            set_property(label, "level", "muted")
            layout.addWidget(label, 1)
        self.set_letters("YX")

    def set_letters(self, letters: str) -> None:
        """Show these letters only."""
        for letter, label in self._labels.items():
            label.setVisible(letter in letters)


class SizesEntry(QWidget):
    """A number for each of Y and X, and before them for Z where tiles are volumes.

    Parameters
    ----------
    name : str
        What the numbers are: ``"tile size"``, ``"overlap"``.
    tooltip : str
        What larger numbers bring.

    Attributes
    ----------
    changed : Signal()
        A number was typed to its end, or removed.
    """

    changed = Signal()

    def __init__(self, name: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._auto: dict[str, int] = {}
        self._letters = "YX"
        self.entries: dict[str, NumberEntry] = {}
        self._rest = TypingRest(self)
        self._rest.settled.connect(self.changed)
        layout = _columns(self)
        for letter in _ORDER:
            entry = NumberEntry(f"{name} {letter}", f"{tooltip}\nIn pixels. Empty: automatic.")
            layout.addWidget(entry.edit, 1)
            self._rest.watch(entry.edit)
            self.entries[letter] = entry
        self.setFocusProxy(self.entries["Y"].edit)
        self.set_letters("YX")

    @property
    def letters(self) -> str:
        """Axes that tiles have: ``"YX"`` or ``"ZYX"``."""
        return self._letters

    def set_letters(self, letters: str) -> None:
        """Ask for these axes only."""
        self._letters = letters
        for letter, entry in self.entries.items():
            entry.edit.setVisible(letter in letters)

    def set_auto(self, values: Sequence[int]) -> None:
        """What auto comes to along the axes asked for, in (Z)YX."""
        self._auto = dict(zip(self._letters, values, strict=True))
        for letter, entry in self.entries.items():
            entry.set_auto(self._auto.get(letter))

    @property
    def value(self) -> str | tuple[int, ...]:
        """``"auto"``, or the numbers in (Z)YX.

        A field left empty beside others that are not takes what auto came to.

        Raises
        ------
        ValueError
            If what was typed is no number, or a number is missing that auto does not give yet.
        """
        typed = {letter: self.entries[letter].typed for letter in self._letters}
        if all(number is None for number in typed.values()):
            return AUTO
        numbers = []
        for letter, number in typed.items():
            chosen = self._auto.get(letter) if number is None else number
            if chosen is None:
                raise ValueError(f"{self._name} {letter}: give it too, or none for auto")
            numbers.append(chosen)
        return tuple(numbers)

    @value.setter
    def value(self, sizes: str | Sequence[int]) -> None:
        numbers = [""] * len(self._letters) if isinstance(sizes, str) else [str(s) for s in sizes]
        if len(numbers) != len(self._letters):
            raise ValueError(f"{self._name} {sizes} does not go with the axes {self._letters}")
        for letter, number in zip(self._letters, numbers, strict=True):
            self.entries[letter].value = number
        for letter in set(self.entries) - set(self._letters):
            self.entries[letter].value = ""
        self._rest.finish()

    @property
    def typed_nothing(self) -> bool:
        """Whether all numbers are left to the software."""
        return not any(self.entries[letter].value.strip() for letter in self._letters)

    def mark_wrong(self, wrong: bool) -> None:
        """Frame the numbers in the colour of errors, or no longer."""
        for entry in self.entries.values():
            set_property(entry.edit, "wrong", "true" if wrong else "false")


def _columns(widget: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    return layout
