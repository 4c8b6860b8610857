"""Tile size and overlap, and whether the grid is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from magicgui.widgets import CheckBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tessera.patching.checks import check_overlaps, check_sizes
from napari_tessera.widgets.fields.form import Form
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.section import Section
from napari_tessera.widgets.fields.sizes import AUTO, AxisLetters, SizesEntry
from napari_tessera.widgets.fields.text import in_peoples_words, overlap_text, sizes_text
from napari_tessera.widgets.fields.tile_legend import TileLegend
from napari_tessera.widgets.fields.wrapping import WrappingRow

_LABELS = 68
_LARGEST = 1_000_000
"""Pixels beyond the plane of any image."""
_OF_AXIS = re.compile(r"overlap ([ZYX]) (.*)")
_OTHER_AXES = re.compile(r"give (Z?YX)$")


class TilesSection(Section):
    """Tile size and overlap along Y, X (and Z), automatic unless typed.

    Attributes
    ----------
    changed : Signal()
        A number was typed or removed.
    grid_wanted : Signal(bool)
        The tile grid is to be shown, or taken away: shown while this section is open.
    tools : QWidget
        A row below tile size and overlap for what else sets them.
    tools_message : Message
        What is told of that.
    """

    changed = Signal()
    grid_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        body = QWidget()
        super().__init__("Tiles", body, parent)
        self._resolved: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        self._reach: tuple[int, ...] | None = None
        self._reach_known = self._one_tile = False
        self._reported: tuple[str, str] = ("", "")
        self.letters = AxisLetters()
        self.size_entry = SizesEntry("tile size", "Larger: faster, more memory.")
        self.overlap_entry = SizesEntry(
            "overlap", "What neighbouring tiles share, in total, in pixels."
        )
        self.size_message = Message()
        self.overlap_message = Message()
        self.overlap_warning = Message()
        self.note = Message()
        self.grid_box = CheckBox(
            text="Show grid",
            value=True,
            tooltip="Draw tiles on the image while this section is open. Point at one to see its "
            "core and what it reads around it.",
        )
        self.legend = TileLegend()
        self.tools = QWidget()
        self.tools.setLayout(WrappingRow())
        self.tools_message = Message()
        form = Form(body, _LABELS)
        form.setContentsMargins(12, 0, 0, 4)
        form.add_below(self.letters)
        form.add_row("Tile size", self.size_entry)
        form.add_below(self.size_message)
        form.add_row("Overlap", self.overlap_entry)
        form.add_below(self.overlap_message)
        form.add_below(self.overlap_warning)
        form.add_below(self.note)
        form.add_row("Speed", self.tools)
        form.add_across(self.tools_message)
        form.add_below(self.grid_box.native)
        form.add_across(self.legend)
        for entry in (self.size_entry, self.overlap_entry):
            entry.changed.connect(self._on_changed)
        self.grid_box.changed.connect(self._on_grid)
        self.toggled.connect(self._on_grid)
        self._show()

    @property
    def patch_size(self) -> str | tuple[int, ...]:
        """Tile size as the engine takes it; ValueError where what was typed is no number."""
        return self.size_entry.value

    @patch_size.setter
    def patch_size(self, sizes: str | Sequence[int]) -> None:
        self._ask_for(sizes)
        self.size_entry.value = sizes

    @property
    def overlaps(self) -> str | tuple[int, ...]:
        """Overlap as the engine takes it; ValueError where what was typed is no number."""
        return self.overlap_entry.value

    @overlaps.setter
    def overlaps(self, sizes: str | Sequence[int]) -> None:
        self._ask_for(sizes)
        self.overlap_entry.value = sizes

    @property
    def problem(self) -> str:
        """What is wrong with the numbers typed, as far as numbers alone tell; else empty."""
        return next((text for text in self._own_problems() if text), "")

    @property
    def grid_is_wanted(self) -> bool:
        """Whether the grid is to be on display now."""
        return self.is_open and bool(self.grid_box.value)

    def show_plan(
        self,
        letters: str,
        patch_size: Sequence[int],
        overlaps: Sequence[int],
        reach: Sequence[int] | None,
        *,
        auto_size: bool,
        auto_overlap: bool,
        one_tile: bool = False,
    ) -> None:
        """Show what a plan came to.

        Parameters
        ----------
        letters : str
            Axes that tiles have.
        patch_size, overlaps : sequence of int
            Sizes the run uses, (Z)YX in pixels.
        reach : sequence of int or None
            How far the model looks, (Z)YX in pixels; None: at all of the tile.
        auto_size, auto_overlap : bool
            Whether they were left to the software.
        one_tile : bool, default False
            Whether there is nothing to overlap with.
        """
        self._set_letters(letters)
        for entry, values, auto in (
            (self.size_entry, patch_size, auto_size),
            (self.overlap_entry, overlaps, auto_overlap),
        ):
            if auto:
                entry.set_auto(values)
        self._resolved = tuple(patch_size), tuple(overlaps)
        self._reach = None if reach is None else tuple(reach)
        self._reach_known = True
        self._one_tile = one_tile
        self._show()

    def show_states(self, counts: Sequence[int] | None) -> None:
        """Show how many tiles of the grid are in each state; None where no grid is shown."""
        self.legend.show_counts(counts)

    def show_warnings(self, warnings: Iterable[str]) -> None:
        """Show what to know of the overlap though tiles can be run with it."""
        text = "\n".join(in_peoples_words(warning) for warning in _axes_together(warnings))
        self.overlap_warning.say(text, "warning")
        self.set_warning(text.partition("\n")[0])

    def report(self, size_problem: str, overlap_problem: str) -> None:
        """Show what planning found wrong with tile size and overlap; empty: nothing.

        Where the model needs other axes than were asked for so far, these are asked for.
        """
        self._reported = in_peoples_words(size_problem), in_peoples_words(overlap_problem)
        wanted = _OTHER_AXES.search(size_problem or overlap_problem)
        if wanted is not None and wanted[1] != self.size_entry.letters:
            self._set_letters(wanted[1])
            self._on_changed()
        self._show()

    def reset(self) -> None:
        """Leave everything to the software again."""
        self.patch_size = AUTO
        self.overlaps = AUTO
        self.grid_box.value = True

    def _ask_for(self, sizes: str | Sequence[int]) -> None:
        """Ask for as many numbers as are about to be set."""
        letters = "" if isinstance(sizes, str) else {2: "YX", 3: "ZYX"}.get(len(sizes), "")
        if letters and letters != self.size_entry.letters:
            self._set_letters(letters)

    def _set_letters(self, letters: str) -> None:
        for axes in (self.letters, self.size_entry, self.overlap_entry):
            axes.set_letters(letters)

    def _own_problems(self) -> tuple[str, str]:
        """What is wrong with the numbers alone: tile size, overlap."""
        try:
            sizes = self.size_entry.value
            if not isinstance(sizes, str):
                check_sizes("tile size", sizes, len(sizes), minimum=1)
                _check_not_above("tile size", self.size_entry.letters, sizes)
        except ValueError as error:
            return str(error), ""
        try:
            overlaps = self.overlap_entry.value
            if not isinstance(overlaps, str):
                _check_not_above("overlap", self.overlap_entry.letters, overlaps)
                # An automatic tile size grows with the overlap: it is no bound then.
                bounds = (2 * _LARGEST,) * len(overlaps) if isinstance(sizes, str) else sizes
                check_overlaps(overlaps, bounds)
        except ValueError as error:
            return "", in_peoples_words(str(error))
        return "", ""

    def _on_changed(self) -> None:
        self._reported = ("", "")
        self.show_warnings(())
        self._show()
        self.changed.emit()

    def _on_grid(self) -> None:
        self.grid_wanted.emit(self.grid_is_wanted)

    def _show(self) -> None:
        own = self._own_problems()
        size, overlap = (mine or told for mine, told in zip(own, self._reported, strict=True))
        self.size_message.say(size)
        self.overlap_message.say(overlap)
        self.size_entry.mark_wrong(bool(size))
        self.overlap_entry.mark_wrong(bool(overlap))
        self.set_problem(size or overlap)
        self.note.say(self._note(bool(size or overlap)), "muted")
        self.set_summary(self._settled_text())

    def _note(self, wrong: bool) -> str:
        if self._resolved is None or wrong:
            return ""
        if self._one_tile:
            return "One tile covers the image."
        half = overlap_text([overlap // 2 for overlap in self._resolved[1]])
        text = f"{half} px each side."
        if not self._reach_known:
            return text
        if self._reach is None:
            return f"{text} The model looks at the whole tile."
        return f"{text} The model looks {overlap_text(self._reach)} px around each pixel."

    def _settled_text(self) -> str:
        if self._resolved is None:
            return AUTO
        size, overlap = sizes_text(self._resolved[0]), overlap_text(self._resolved[1])
        auto_size = self.size_entry.typed_nothing
        auto_overlap = self.overlap_entry.typed_nothing
        if auto_size and auto_overlap:
            return f"{size}, overlap {overlap} (auto)"
        return (
            f"{size}{' (auto)' if auto_size else ''}, "
            f"overlap {overlap}{' (auto)' if auto_overlap else ''}"
        )


def is_about_overlap(warning: str) -> bool:
    """Whether a warning of a plan is about how far tiles overlap."""
    return warning.startswith(("overlap ", "overlaps "))


def _check_not_above(name: str, letters: str, sizes: Sequence[int]) -> None:
    """Raise ValueError for a number of pixels that nobody means."""
    for letter, size in zip(letters, sizes, strict=True):
        if size > _LARGEST:
            raise ValueError(
                f"{name} {letter}: {size} is above {_LARGEST}: use less, or nothing for auto"
            )


def _axes_together(warnings: Iterable[str]) -> list[str]:
    """One line where the same is said of several axes."""
    found: dict[str, list[str]] = {}
    for warning in warnings:
        named = _OF_AXIS.fullmatch(warning)
        letter, rest = (named[1], named[2]) if named else ("", warning)
        found.setdefault(rest, []).append(letter)
    return [
        f"overlap {rest}"
        if len(letters) > 1
        else f"overlap {letters[0]} {rest}"
        if letters[0]
        else rest
        for rest, letters in found.items()
    ]
