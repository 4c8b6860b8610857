"""The dock for everybody: keyboard alone, read aloud, large fonts, both themes, 320 px wide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from napari.settings import get_settings
from napari.utils.theme import get_theme
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollBar,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QToolButton,
    QWidget,
)
from superqt import QElidingLabel
from tests.widgets.fields.test_look import contrast

from napari_tessera.widgets.dock import WIDTH, DenoiseDock
from napari_tessera.widgets.fields.form import FieldLabel
from napari_tessera.widgets.run_state import DONE

WAIT_MS = 30_000
FIELDS = (QAbstractButton, QComboBox, QLineEdit, QSlider)


@pytest.fixture
def font_size() -> Iterator[None]:
    """napari's own font size, put back afterwards."""
    appearance = get_settings().appearance
    before = appearance.font_size
    yield
    appearance.font_size = before


@pytest.fixture
def dock(make_napari_viewer: Any, qtbot: QtBot) -> DenoiseDock:
    """A dock with an image in view and every section open, after a run."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1100, 850)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    viewer.add_image(
        np.random.default_rng(0).poisson(100, (2, 64, 64)).astype(np.uint16),
        name="cells",
        axis_labels=("c", "y", "x"),
    )
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    dock.press_main()
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    for section in (dock.settings.tiles, dock.settings.save, dock.settings.advanced):
        section.set_open(True)
    dock.settings.image.axes_button.setChecked(True)
    dock.settings.model.about_button.setChecked(True)
    return dock


def narrow(dock: DenoiseDock, qtbot: QtBot) -> None:
    """Make the dock as narrow as it is meant to be, or can be."""
    holder = dock.parent()
    assert isinstance(holder, QWidget)
    window = dock.viewer.window._qt_window
    window.resizeDocks([holder], [WIDTH], Qt.Orientation.Horizontal)
    qtbot.wait(200)


def shown(dock: DenoiseDock, kinds: Any = QWidget) -> list[Any]:
    """Widgets of the dock that can be scrolled to, from top to bottom, but for Qt's own parts."""
    found = [
        widget
        for widget in dock.column.content.findChildren(kinds)
        if widget.isVisibleTo(dock) and not isinstance(widget, QScrollBar) and not is_inner(widget)
    ]
    return sorted(found, key=lambda widget: (place(widget, dock).y(), place(widget, dock).x()))


def is_inner(widget: QWidget) -> bool:
    """Whether a widget is a part that Qt made, as the list of a chooser."""
    parent = widget.parent()
    while parent is not None:
        if isinstance(parent, (QComboBox, QLineEdit, QProgressBar)):
            return True
        parent = parent.parent()
    return widget.objectName().startswith("qt_")


def place(widget: QWidget, dock: DenoiseDock) -> QRect:
    return QRect(widget.mapTo(dock.column.content, QPoint(0, 0)), widget.size())


def words(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    return f"{type(widget).__name__} {text() if callable(text) else widget.accessibleName()!r}"


def cut(dock: DenoiseDock, large: bool = False) -> list[str]:
    """What cannot be read as a whole, or lies over something else."""
    faults = []
    room = dock.column.viewport()
    assert room is not None
    for widget in shown(dock):
        where = place(widget, dock)
        if where.left() < 0 or where.right() >= room.width():
            faults.append(f"{words(widget)} reaches {where.right()} of {room.width()}")
        parent = widget.parentWidget()
        if parent is not None and not parent.rect().contains(widget.geometry()):
            faults.append(f"{words(widget)} {widget.geometry()} is outside of {parent.rect()}")
        faults += [f"{words(widget)}: {fault}" for fault in faults_of_text(widget, large)]
        children = [
            child
            for child in widget.findChildren(
                QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly
            )
            if child.isVisibleTo(dock) and not is_inner(child)
        ]
        faults += [
            f"{words(one)} {one.geometry()} lies over {words(other)} {other.geometry()}"
            for one, other in combinations(children, 2)
            if one.geometry().intersects(other.geometry())
        ]
    return faults


def faults_of_text(widget: QWidget, large: bool) -> list[str]:
    if isinstance(widget, QElidingLabel):
        text = widget.fontMetrics().horizontalAdvance(widget.text())
        fits = text <= widget.width() or has_tip(widget)
        return [] if fits else [f"{text} px in {widget.width()}, with no tooltip"]
    if isinstance(widget, QLabel) and widget.wordWrap():
        needed = widget.heightForWidth(widget.width())
        return [] if widget.height() >= needed else [f"{widget.height()} of {needed} px high"]
    if isinstance(widget, QComboBox):
        text = widget.fontMetrics().horizontalAdvance(widget.currentText())
        room = text_room(widget)
        # In large letters a long name may be cut where the tooltip begins with it.
        tells = large and widget.toolTip().startswith(widget.currentText())
        return [] if text <= room or tells else [f"{text} px in {room}: {widget.currentText()}"]
    if isinstance(widget, (QLabel, QPushButton, QToolButton, QCheckBox)) and words(widget):
        # A button whose text is in labels of its own, or that may be narrow, says its least size.
        ignored = widget.sizePolicy().horizontalPolicy().name == "Ignored"
        text = getattr(widget, "text", str)()
        advance = widget.fontMetrics().horizontalAdvance(text.replace("&", ""))
        needed = 0 if not text else advance if ignored else widget.sizeHint().width()
        tall = widget.fontMetrics().height() if text else 0
        faults = [f"{widget.width()} of {needed} px"] if widget.width() < needed else []
        return faults + ([f"{widget.height()} of {tall} px high"] if widget.height() < tall else [])
    if isinstance(widget, QLineEdit):
        tall = widget.fontMetrics().height()
        return [f"{widget.height()} of {tall} px high"] if widget.height() < tall else []
    return []


def text_room(combo: QComboBox) -> int:
    """Width that the text of a chooser has, px."""
    option = QStyleOptionComboBox()
    combo.initStyleOption(option)
    style = combo.style()
    assert style is not None
    complex_control = QStyle.ComplexControl.CC_ComboBox
    part = QStyle.SubControl.SC_ComboBoxEditField
    return style.subControlRect(complex_control, option, part, combo).width()


def has_tip(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    return bool(widget.toolTip() or (parent is not None and parent.toolTip()))


def test_nothing_is_cut_at_320_px(dock: DenoiseDock, qtbot: QtBot) -> None:
    narrow(dock, qtbot)
    assert dock.width() <= WIDTH
    faults = cut(dock)
    assert not faults, "\n".join(faults)
    for section in (dock.settings.tiles, dock.settings.save, dock.settings.advanced):
        buddies = [label.buddy() for label in section.findChildren(FieldLabel)]
        assert len({place(buddy, dock).left() for buddy in buddies}) == 1, "one column of fields"


def test_nothing_is_cut_at_one_and_a_half_times_the_font(
    dock: DenoiseDock, qtbot: QtBot, font_size: None
) -> None:
    height = dock.fontMetrics().height()
    get_settings().appearance.font_size = round(1.5 * get_settings().appearance.font_size)
    qtbot.waitUntil(lambda: dock.settings.tiles.header.fontMetrics().height() > 1.3 * height)
    narrow(dock, qtbot)
    faults = cut(dock, large=True)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("with_image", [False, True])
def test_large_letters_that_were_there_before_the_dock_leave_it_narrow(
    make_napari_viewer: Any, qtbot: QtBot, font_size: None, with_image: bool
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1100, 850)
    get_settings().appearance.font_size = round(1.5 * get_settings().appearance.font_size)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    if with_image:
        viewer.add_image(np.ones((64, 64), np.uint16), name="cells")
    narrow(dock, qtbot)
    assert dock.width() <= WIDTH
    faults = cut(dock, large=True)
    assert not faults, "\n".join(faults)


def test_every_field_is_reached_by_tab_as_it_is_read(dock: DenoiseDock, qtbot: QtBot) -> None:
    fields = [field for field in shown(dock, FIELDS) if field.isEnabled()]
    window = dock.window()
    window.activateWindow()
    first = fields[0]
    first.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(first.hasFocus)
    reached = [first]
    for _ in range(3 * len(fields)):
        now = QApplication.focusWidget()
        assert now is not None
        qtbot.keyClick(now, Qt.Key.Key_Tab)
        now = QApplication.focusWidget()
        if now is first or now is None or not dock.isAncestorOf(now):
            break
        reached.append(now)
    missed = [words(field) for field in fields if field not in reached]
    assert missed == []
    tops = [place(widget, dock).center().y() for widget in reached]
    backwards = [
        (words(reached[i]), words(reached[i + 1]))
        for i in range(len(tops) - 1)
        if tops[i + 1] < tops[i] - reached[i].height() / 2
    ]
    assert backwards == []


def test_space_and_enter_work_every_button(dock: DenoiseDock, qtbot: QtBot) -> None:
    dock.window().activateWindow()
    for section in (dock.settings.tiles, dock.settings.save):
        section.header.setFocus()
        qtbot.waitUntil(section.header.hasFocus)
        qtbot.keyClick(section.header, Qt.Key.Key_Space)
        assert not section.is_open
        qtbot.keyClick(section.header, Qt.Key.Key_Return)
        assert section.is_open


def test_every_field_says_what_it_is_and_what_for(dock: DenoiseDock) -> None:
    check_names(dock)
    check_labels(dock)
    bare = [words(field) for field in shown(dock, FIELDS) if not has_tip(field)]
    assert bare == []
    for entry in (dock.settings.tiles.size_entry, dock.settings.tiles.overlap_entry):
        for number in entry.entries.values():
            assert "pixels" in number.edit.toolTip()
    assert "Tiles" in dock.settings.advanced.batch.edit.toolTip()


def check_names(dock: DenoiseDock) -> None:
    silent = [
        f"{type(field).__name__} {field.objectName()}"
        for field in shown(dock, FIELDS)
        if not field.accessibleName() and not getattr(field, "text", str)()
    ]
    assert silent == []
    # a text alone, as a symbol, is no name
    symbols = [
        field.text()
        for field in shown(dock, QAbstractButton)
        if not field.accessibleName() and not any(c.isalpha() for c in field.text())
    ]
    assert symbols == []


def check_labels(dock: DenoiseDock) -> None:
    labels = [label for label in shown(dock, QLabel) if label.buddy() is not None]
    assert {label.text() for label in labels} >= {
        *("Image", "Area", "Axes", "Tile size", "Overlap", "To", "Format", "Type"),
        *("Device", "Batch", "Precision", "Intensity", "Measured", "Joining", "Flips"),
        *("Camera", "Offset", "Gain"),
    }
    for label in labels:
        buddy = label.buddy()
        assert buddy is not None
        assert buddy.accessibleName() or buddy.focusProxy() is not None


def test_text_can_be_read_in_both_themes(dock: DenoiseDock) -> None:
    for theme in ("light", "dark"):
        dock.viewer.theme = theme
        QApplication.processEvents()
        assert faint(dock, theme) == []


def faint(dock: DenoiseDock, theme: str) -> list[str]:
    """Labels that stand out too little from what is behind them."""
    background = rgb(get_theme(theme).background)
    panel = rgb(get_theme(theme).foreground)
    found = []
    for label in shown(dock, QLabel):
        if not label.text().strip() or not label.isEnabled():
            continue
        colour = label.palette().color(label.foregroundRole())
        behind = panel if isinstance(label.parentWidget(), QPushButton) else background
        ratio = contrast((colour.red(), colour.green(), colour.blue()), behind)
        if ratio < 4.5:
            found.append(f"{label.text()[:30]!r} {colour.name()}: {ratio:.1f}")
    return found


def rgb(colour: Any) -> tuple[int, ...]:
    text = colour.as_hex("long")
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))
