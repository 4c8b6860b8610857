"""The legend tells what marks mean and how many tiles have each, and fits into the dock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.fields.tile_legend import TileLegend, TileMark
from napari_tessera.widgets.fields.tiles import TilesSection
from napari_tessera.widgets.grid.look import LOOKS
from napari_tessera.widgets.grid.tile_states import STATE_NAMES


@pytest.fixture
def legend(qtbot: QtBot) -> TileLegend:
    legend = TileLegend()
    qtbot.addWidget(legend)
    return legend


def told(legend: TileLegend) -> list[str]:
    texts = []
    for entry in legend.entries:
        row = entry.parentWidget()
        assert row is not None
        if not row.isHidden():
            texts.append(entry.text())
    return texts


def test_tells_numbers_of_those_states_that_tiles_are_in(legend: TileLegend) -> None:
    assert legend.isHidden()
    legend.show_counts((12_000, 1, 30, 0, 5))
    assert not legend.isHidden()
    assert told(legend) == ["waiting 12,000", "running 1", "done 30", "skipped 5"]
    assert legend.accessibleDescription() == "12,000 waiting, 1 running, 30 done, 5 skipped"
    legend.show_counts((0, 0, 30, 2, 0))
    assert told(legend) == ["done 30", "failed 2"]
    legend.show_counts(None)
    assert legend.isHidden()


def test_each_state_says_what_it_means(legend: TileLegend) -> None:
    tips = {entry.parentWidget().toolTip() for entry in legend.entries}  # type: ignore[union-attr]
    assert len(tips) == len(STATE_NAMES)
    assert "" not in tips


def pixels(widget: QWidget) -> Any:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def test_marks_differ_in_shape_and_not_in_colour_alone(qtbot: QtBot) -> None:
    seen = []
    for state in range(len(STATE_NAMES)):
        mark = TileMark(state)
        qtbot.addWidget(mark)
        seen.append(pixels(mark))
    for i, one in enumerate(seen):
        for other in seen[:i]:
            grey = np.abs(one.mean(axis=-1) - other.mean(axis=-1))
            assert (grey > 25).mean() > 0.04
    strokes = {LOOKS[state].strokes for state in range(len(STATE_NAMES))}
    assert len(strokes) == len(STATE_NAMES)


def test_is_part_of_its_section_and_wraps_in_a_narrow_dock(qtbot: QtBot) -> None:
    section = TilesSection()
    qtbot.addWidget(section)
    section.setFixedWidth(300)
    section.show()
    section.set_open(True)
    section.show_states((100_000, 10, 100_000, 10, 100_000))
    qtbot.waitUntil(lambda: section.legend.width() > 100)
    section.adjustSize()
    for entry in section.legend.entries:
        row = entry.parentWidget()
        assert row is not None
        assert row.geometry().right() < section.legend.width()
        assert entry.width() >= entry.sizeHint().width()
    tops = {entry.parentWidget().y() for entry in section.legend.entries}  # type: ignore[union-attr]
    assert len(tops) > 1
    section.show_states(None)
    assert section.legend.isHidden()
