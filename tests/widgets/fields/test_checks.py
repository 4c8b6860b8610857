from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.prediction import CheckReadings
from napari_tessera.widgets.fields.checks import CheckStrip


@pytest.fixture
def strip(qtbot: QtBot) -> CheckStrip:
    strip = CheckStrip()
    qtbot.addWidget(strip)
    return strip


def test_it_is_hidden_until_a_tile_is_done(strip: CheckStrip) -> None:
    assert strip.isHidden()
    strip.show_readings(CheckReadings(0, 1.0, 0.0))
    assert strip.isHidden()
    strip.show_readings(CheckReadings(1, 0.998, 0.02))
    assert not strip.isHidden()
    strip.show_readings(None)
    assert strip.isHidden()


@pytest.mark.parametrize(
    ("kept", "text", "mark"),
    [
        (0.998, "99.8 %", "●"),
        (0.98, "98.0 %", "●"),
        (1.02, "102.0 %", "●"),
        (0.93, "low 93.0 %", "▲"),
        (1.1, "high 110.0 %", "▲"),
    ],
)
def test_intensity_is_told_in_words_and_by_shape(
    strip: CheckStrip, kept: float, text: str, mark: str
) -> None:
    strip.show_readings(CheckReadings(3, kept, 0.0))
    assert strip.intensity.value.text() == text
    assert strip.intensity.mark.text() == mark
    assert text in strip.intensity.accessibleName()


@pytest.mark.parametrize(
    ("correlation", "text", "mark"),
    [(0.02, "none", "●"), (-0.09, "none", "●"), (0.234, "0.23", "▲"), (-0.3, "-0.30", "▲")],
)
def test_structure_is_none_or_a_number(
    strip: CheckStrip, correlation: float, text: str, mark: str
) -> None:
    strip.show_readings(CheckReadings(3, 1.0, correlation))
    assert strip.residual.value.text() == text
    assert strip.residual.mark.text() == mark


def test_the_help_does_not_let_intensity_prove_too_much(strip: CheckStrip) -> None:
    assert "does not prove that small structures are real" in strip.intensity.toolTip()


def test_the_removed_noise_is_asked_for_with_a_click(strip: CheckStrip, qtbot: QtBot) -> None:
    strip.show_readings(CheckReadings(3, 1.0, 0.0))
    button = strip.noise_button.native
    with qtbot.waitSignal(strip.removed_noise_toggled):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    strip.set_noise_shown(False)
    assert not button.isChecked()
    strip.set_noise_shown(True)
    assert button.isChecked()
