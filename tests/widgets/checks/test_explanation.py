"""Explanations of readings, opened and closed with real clicks and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QWidget
from tests.prediction.check_scenes import (
    BAD,
    Pixels,
    blobs,
    blurry,
    photons,
    read,
    striped,
    tiles,
)

from napari_tessera.prediction import CheckReadings
from napari_tessera.prediction.autocorrelation import autocorrelation
from napari_tessera.prediction.check_readings import NAMES
from napari_tessera.widgets.checks.colours import colours_for
from napari_tessera.widgets.checks.plots import CorrelationMap, CorrelationProfile, largest
from napari_tessera.widgets.checks.words import explain
from napari_tessera.widgets.fields.check_rows import CheckRows

CLEAN = blobs(200, 6, 200, 100)
NOISY = photons(CLEAN)


@pytest.fixture
def rows(qtbot: QtBot) -> CheckRows:
    rows = CheckRows()
    qtbot.addWidget(rows)
    rows.show_readings(read(tiles(NOISY, blurry(NOISY))))
    return rows


def measured(rows: CheckRows, qtbot: QtBot) -> NDArray[np.float64]:
    assert rows.explanation is not None
    plot = rows.explanation.map
    qtbot.waitUntil(lambda: plot.correlation is not None)
    assert plot.correlation is not None
    return plot.correlation


def test_a_click_explains_a_reading_with_its_plot_and_esc_closes_it(
    rows: CheckRows, qtbot: QtBot
) -> None:
    qtbot.mouseClick(rows.rows["residual"], Qt.MouseButton.LeftButton)
    window = rows.explanation
    assert window is not None
    assert window.isVisible()
    assert not window.isModal()
    assert window.windowTitle() == "Structure in residual"
    assert "resembles itself one pixel further" in window.meaning.text()
    assert "Removed noise" in window.to_do.text()
    assert not window.plots.isHidden()
    found = measured(rows, qtbot)
    assert rows.readings is not None
    assert np.array_equal(found, autocorrelation(rows.readings.residuals))
    assert found[10, 11] == pytest.approx(rows.readings.residual_correlation, abs=0.05)
    assert "1 px further: 0.1" in window.figures.text()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_keys_do_what_a_click_does(rows: CheckRows, qtbot: QtBot, key: Qt.Key) -> None:
    row = rows.rows["intensity"]
    assert row.focusPolicy() & Qt.FocusPolicy.TabFocus
    qtbot.keyClick(row, key)
    window = rows.explanation
    assert window is not None
    assert window.isVisible()
    assert window.windowTitle() == "Intensity kept"
    assert window.plots.isHidden()
    qtbot.mouseClick(window.close_button, Qt.MouseButton.LeftButton)
    assert not window.isVisible()


def test_it_follows_the_tiles_and_closes_with_the_readings(rows: CheckRows, qtbot: QtBot) -> None:
    rows.explain("residual")
    first = measured(rows, qtbot)
    window = rows.explanation
    assert window is not None
    more = tiles(striped(CLEAN), CLEAN, 32)
    rows.show_readings(read(more))
    assert "64 tiles" in window.value.text()
    qtbot.waitUntil(lambda: not np.array_equal(window.map.correlation, first))
    rows.explain("noise")
    assert rows.explanation is window
    assert "% of what varies" in window.meaning.text()
    rows.show_readings(None)
    assert not window.isVisible()
    rows.explain("noise")
    assert not window.isVisible()


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("denoiser", [*BAD.values(), lambda image: CLEAN, lambda image: 2 * image])
def test_each_reading_of_each_denoiser_has_words(
    key: str, denoiser: Callable[[Pixels], Pixels]
) -> None:
    for before in (NOISY, striped(CLEAN), np.minimum(NOISY, 150), np.maximum(NOISY, 130) - 130):
        readings = read(tiles(before, denoiser(before) * 1.0))
        row = next(row for row in readings.rows() if row.key == key)
        words = explain(row, readings)
        assert words.meaning.endswith((".", ")."))
        assert "nan" not in words.meaning
        assert bool(words.to_do) == (not row.good)


def test_a_sum_of_about_0_and_stripes_have_words_of_their_own() -> None:
    odd = CheckReadings(3, float("nan"), 0.3, 0.9, row_correlation=0.5)
    words = {row.key: explain(row, odd) for row in odd.rows()}
    assert "cancel out" in words["intensity"].meaning
    assert "see Stripes in the noise" in words["residual"].meaning
    calm = replace(odd, row_correlation=0.0)
    assert "see Stripes" not in explain(calm.rows()[1], calm).meaning


@pytest.mark.parametrize("background", ["#1d2026", "#f0f0f0"])
@pytest.mark.parametrize("kind", [CorrelationMap, CorrelationProfile])
def test_the_plots_are_drawn_on_dark_and_light(
    qtbot: QtBot, background: str, kind: type[CorrelationMap | CorrelationProfile]
) -> None:
    plot = kind()
    qtbot.addWidget(plot)
    plot.setStyleSheet(f"background-color: {background}")
    plot.resize(200, 200)
    plot.show()
    empty = grabbed(plot)
    plot.show_correlation(autocorrelation([striped(CLEAN) - CLEAN]))
    drawn = grabbed(plot)
    assert drawn != empty
    colours = colours_for(plot)
    ends = colours.above if kind is CorrelationProfile else colours.at(0.7)
    assert near(drawn, ends)
    assert "1 px further: 0.6" in plot.accessibleDescription()
    plot.show_correlation(autocorrelation([]))
    assert grabbed(plot) != drawn
    assert not plot.accessibleDescription()


def test_chance_does_not_get_the_full_colour() -> None:
    white = np.random.default_rng(0).normal(0, 1, (256, 256))
    assert largest(autocorrelation([white])) == 0.2
    assert largest(autocorrelation([striped(CLEAN) - CLEAN])) == pytest.approx(0.67, abs=0.05)


def grabbed(widget: QWidget) -> QImage:
    return widget.grab().toImage()


def near(image: QImage, colour: QColor) -> bool:
    """Whether a colour, or nearly that, is somewhere in an image."""
    pixels = (image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height()))
    wanted = colour.getRgb()[:3]
    return any(
        max(abs(a - b) for a, b in zip(found.getRgb()[:3], wanted, strict=True)) < 40
        for found in pixels
    )
