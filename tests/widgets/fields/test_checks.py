from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_tessera.prediction import CheckReadings
from napari_tessera.widgets.fields.check_rows import CheckRow
from napari_tessera.widgets.fields.checks import CheckStrip
from napari_tessera.widgets.fields.text import unbroken_percent

GOOD = CheckReadings(3, 1.0, 0.0, 0.9)


@pytest.fixture
def strip(qtbot: QtBot) -> CheckStrip:
    strip = CheckStrip()
    qtbot.addWidget(strip)
    return strip


def shown(strip: CheckStrip, readings: CheckReadings, key: str) -> CheckRow:
    strip.show_readings(readings)
    return strip.rows.rows[key]


def test_it_is_hidden_until_a_tile_is_done(strip: CheckStrip) -> None:
    assert strip.isHidden()
    strip.show_readings(replace(GOOD, tiles=0))
    assert strip.isHidden()
    strip.show_readings(replace(GOOD, tiles=1))
    assert not strip.isHidden()
    strip.show_readings(None)
    assert strip.isHidden()


def test_it_is_set_aside_while_another_image_is_chosen(strip: CheckStrip) -> None:
    strip.show_readings(GOOD)
    strip.rows.explain("noise")
    assert strip.rows.explanation is not None
    assert strip.rows.explanation.isVisible()
    strip.set_aside(True)
    assert strip.isHidden()
    assert not strip.rows.explanation.isVisible()
    strip.show_readings(GOOD)
    assert strip.isHidden()
    strip.set_aside(False)
    assert not strip.isHidden()


@pytest.mark.parametrize(
    ("kept", "text", "mark"),
    [
        (0.998, "99.8 %", "●"),
        (0.98, "98.0 %", "●"),
        (1.02, "102.0 %", "●"),
        (0.93, "low 93.0 %", "▲"),
        (1.1, "high 110.0 %", "▲"),
        (float("nan"), "sum is about 0", "●"),
    ],
)
def test_intensity_is_told_in_words_and_by_shape(
    strip: CheckStrip, kept: float, text: str, mark: str
) -> None:
    row = shown(strip, replace(GOOD, intensity_kept=kept), "intensity")
    assert row.value.text() == unbroken_percent(text)
    assert row.mark.text() == mark
    assert text in row.accessibleName()
    assert ("look at it" in row.accessibleName()) == (mark == "▲")


def test_a_number_stays_with_its_percent_where_it_is_narrow(strip: CheckStrip) -> None:
    row = shown(strip, replace(GOOD, intensity_kept=1.041, saturated=0.02, zeros=0.3), "intensity")
    assert row.value.text() == "high 104.1\N{NO-BREAK SPACE}%"
    strip.rows.explain("saturated")
    explained = strip.rows.explanation
    assert explained is not None
    for label in (explained.value, explained.meaning, explained.method):
        assert "\N{NO-BREAK SPACE}%" in label.text()
        assert " %" not in label.text()


@pytest.mark.parametrize(
    ("correlation", "text", "mark"),
    [(0.02, "none", "●"), (-0.09, "none", "●"), (0.234, "0.23", "▲"), (-0.3, "−0.30", "▲")],
)
def test_structure_is_none_or_a_number(
    strip: CheckStrip, correlation: float, text: str, mark: str
) -> None:
    row = shown(strip, replace(GOOD, residual_correlation=correlation), "residual")
    assert (row.value.text(), row.mark.text()) == (unbroken_percent(text), mark)


@pytest.mark.parametrize(
    ("removed", "text", "mark"),
    [
        (0.92, "92 %", "●"),
        (1.3, "100 %", "●"),
        (0.5, "50 %", "●"),
        (0.1, "only 10 %", "▲"),
        (-0.1, "none, it grew", "▲"),
        (None, "little to remove", "●"),
    ],
)
def test_noise_removed(strip: CheckStrip, removed: float | None, text: str, mark: str) -> None:
    row = shown(strip, replace(GOOD, noise_removed=removed), "noise")
    assert (row.value.text(), row.mark.text()) == (unbroken_percent(text), mark)


@pytest.mark.parametrize(
    ("top", "zero", "text", "mark"),
    [
        (0.001, 0.001, "none", "●"),
        (0.02, 0.0, "2.0 % top", "▲"),
        (0.0, 0.313, "31 % zero", "▲"),
        (0.004, 0.313, "0.4 % top · 31 % zero", "▲"),
    ],
)
def test_saturation(strip: CheckStrip, top: float, zero: float, text: str, mark: str) -> None:
    row = shown(strip, replace(GOOD, saturated=top, zeros=zero), "saturated")
    assert (row.value.text(), row.mark.text()) == (unbroken_percent(text), mark)


@pytest.mark.parametrize(
    ("rows", "columns", "text", "mark"),
    [(0.3, 0.2, "none", "●"), (0.5, 0.1, "rows 0.40", "▲"), (0.0, 0.31, "columns 0.31", "▲")],
)
def test_stripes(strip: CheckStrip, rows: float, columns: float, text: str, mark: str) -> None:
    readings = replace(GOOD, row_correlation=rows, column_correlation=columns)
    row = shown(strip, readings, "stripes")
    assert (row.value.text(), row.mark.text()) == (unbroken_percent(text), mark)


def test_the_help_does_not_let_a_reading_prove_too_much(strip: CheckStrip) -> None:
    row = shown(strip, GOOD, "intensity")
    assert "does not prove that small structures are real" in row.toolTip()


def test_the_longest_values_fit_into_a_narrow_dock(strip: CheckStrip) -> None:
    strip.show_readings(
        CheckReadings(3, 0.345, -0.3, 0.07, saturated=0.123, zeros=0.456, row_correlation=0.7)
    )
    # what a dock of 320 px leaves beside margins and a scroll bar
    strip.setFixedWidth(290)
    strip.show()
    for row in strip.rows.rows.values():
        for label in (row.name, row.value, row.mark):
            assert label.width() >= label.fontMetrics().horizontalAdvance(label.text()), row.key


def test_a_reading_is_one_line_where_there_is_room(strip: CheckStrip) -> None:
    strip.setStyleSheet("QLabel { padding: 1px; }")
    strip.setFixedWidth(450)
    strip.show()
    strip.show_readings(CheckReadings(3, 1.041, 0.0, 0.9, saturated=0.123, zeros=0.456))
    QApplication.processEvents()
    for key in ("intensity", "saturated"):
        value = strip.rows.rows[key].value
        assert value.heightForWidth(value.width()) < 2 * value.fontMetrics().height(), value.text()


def test_the_removed_noise_is_asked_for_with_a_click(strip: CheckStrip, qtbot: QtBot) -> None:
    strip.show_readings(GOOD)
    button = strip.noise_button.native
    with qtbot.waitSignal(strip.removed_noise_toggled):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    strip.set_noise_shown(False)
    assert not button.isChecked()
    strip.set_noise_shown(True)
    assert button.isChecked()


def test_flip_disagreement_is_asked_for_where_it_can_be_made(
    strip: CheckStrip, qtbot: QtBot
) -> None:
    strip.show_readings(GOOD)
    button = strip.flips_button.native
    with qtbot.waitSignal(strip.disagreement_toggled):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    strip.set_flips_shown(False, can_run=False)
    assert not button.isEnabled()
    strip.set_flips_shown(True, can_run=False)
    assert button.isEnabled()
