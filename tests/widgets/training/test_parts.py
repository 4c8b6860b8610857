"""What the dock that trains is made of, without a window."""

from __future__ import annotations

import math
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QLabel

from napari_tessera.models.own_format.document import EPSILON
from napari_tessera.models.recent import VARIABLE as STATE
from napari_tessera.prediction import Outline, PlacedMask
from napari_tessera.training import TrainingProgress, TrainingSettings, checkpoint_of
from napari_tessera.training.data.source import Statistics
from napari_tessera.training.stop import Stop
from napari_tessera.widgets.docking import _MENU_TITLE
from napari_tessera.widgets.training.box import MOST_POINTS, Curve, TrainingBox
from napari_tessera.widgets.training.curve import (
    LossCurve,
    load_pyqtgraph,
    loss_range,
    steps_shown,
)
from napari_tessera.widgets.training.mask import filled, sampled
from napari_tessera.widgets.training.pace import PaceBook, pace_key
from napari_tessera.widgets.training.places import (
    default_name,
    fresh_path,
    models_folder,
    suggested_path,
    typed_path,
    unfinished,
)
from napari_tessera.widgets.training.run_view import TrainingView
from napari_tessera.widgets.training.view_denoiser import with_grey_levels
from napari_tessera.widgets.training.wish import StopWish
from napari_tessera.widgets.training.words import progress_text, trained_text


def progress(step: int, loss: float | None, validation: float | None = None) -> TrainingProgress:
    return TrainingProgress(step, 100, 30.0, 60.0, 12.0, loss, validation, 4, 1e-4)


@given(st.text())
def test_any_layer_name_makes_a_file_name(name: str) -> None:
    stem = default_name(name, "n2v")
    assert Path(stem).name == stem
    assert stem.endswith("_n2v")
    assert not stem.startswith(".")


def test_a_model_goes_where_nothing_is_or_a_training_was_stopped(models: Path) -> None:
    assert models_folder() == models
    first = suggested_path("cells", "n2v")
    assert first == models / "cells_n2v.safetensors"
    models.mkdir()
    first.touch()
    second = suggested_path("cells", "n2v")
    assert second.name == "cells_n2v_2.safetensors"
    # the engine's own name for it
    checkpoint_of(first).touch()
    assert unfinished(first)
    assert not unfinished(models / f"{'a' * 240}.safetensors"), "no file has a name as long"
    assert suggested_path("cells", "n2v") == first
    assert fresh_path("cells", "n2v") == second


def test_names_as_typed(models: Path, tmp_path: Path) -> None:
    assert typed_path("  ") is None
    assert typed_path("mine") == models / "mine.safetensors"
    assert typed_path("mine.v2") == models / "mine.v2.safetensors"
    assert typed_path(str(tmp_path / "a.safetensors")) == tmp_path / "a.safetensors"
    for wrong in ("http://x/y", f"{tmp_path}/", "folder/", "~nobody-of-that-name/a"):
        with pytest.raises(ValueError):
            typed_path(wrong)
    with pytest.raises(ValueError, match="too long; choose another name or folder"):
        typed_path(str(tmp_path / ("a" * 300)))


def test_a_wish_is_the_first_one_and_napari_pauses() -> None:
    wish = StopWish()
    assert wish() is None
    wish.stop(Stop.USE)
    wish.set()
    assert wish() is Stop.USE
    assert wish.is_set()
    other = StopWish()
    other.set()
    assert other() is Stop.PAUSE


def test_a_box_tells_notices_once_and_losses_as_they_come() -> None:
    box = TrainingBox()
    box.put(progress(1, 0.9))
    box.put(progress(2, 0.8, 0.7))
    box.put(replace(progress(3, 0.7, 0.7), notice="memory ran out: batch 4 → 2"))
    told, curve, notices = box.look()
    assert told is not None
    assert told.step == 3
    assert curve.training == ((1, 0.9), (2, 0.8), (3, 0.7))
    assert curve.validation == ((2, 0.7),)
    assert notices == ("memory ran out: batch 4 → 2",)
    assert box.look()[2] == ()


def test_a_long_curve_keeps_its_ends() -> None:
    curve = Curve()
    for step in range(3 * MOST_POINTS):
        curve = curve.with_point(step, 1.0, None)
    assert len(curve.training) <= MOST_POINTS
    assert curve.training[0][0] == 0
    assert curve.training[-1][0] == 3 * MOST_POINTS - 1


def test_the_first_losses_do_not_flatten_the_rest() -> None:
    points = [(1, 100.0), *((step, 1.0 + 1 / step) for step in range(50, 1000, 50))]
    low, high = loss_range(Curve(tuple(points)))
    assert high < 2 < 100
    assert low <= 1.0 + 1 / 950
    # level, and not a number
    assert loss_range(Curve(((1, 0.5),)))[0] < 0.5 < loss_range(Curve(((1, 0.5),)))[1]
    assert all(map(math.isfinite, loss_range(Curve(((1, math.nan),)))))


@given(last=st.integers(0, 20_000), steps=st.integers(1, 20_000))
def test_half_of_the_plot_is_filled_from_the_hundredth_step_on(last: int, steps: int) -> None:
    last = min(last, steps)
    shown = steps_shown(Curve(((last, 1.0),)), steps)
    assert last <= shown <= steps
    assert last >= 100 or shown <= max(200, last)
    assert last < 100 or last >= shown // 2
    assert steps_shown(Curve(((steps, 1.0),)), steps) == steps


def test_how_far_it_is_has_room_again_when_there_is_more_to_say(qtbot: QtBot) -> None:
    view = TrainingView()
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show_state("training")
    view.show()
    for text in ("1/5", "1,200/4,000 · 12 min left"):
        view.label.setText(text)
        view.label.updateGeometry()
        qtbot.waitUntil(lambda: "…" not in QLabel.text(view.label))
    qtbot.waitUntil(lambda: view.label.width() > view.label.fontMetrics().horizontalAdvance(text))


def test_the_menu_finds_the_docks_that_are_opened_otherwise() -> None:
    manifest = PluginManifest.from_distribution("napari-tessera")
    assert _MENU_TITLE.format("Denoise") == f"Denoise ({manifest.display_name})"


def test_the_plotting_library_leaves_the_hooks_for_errors_alone() -> None:
    hooks = sys.excepthook, threading.excepthook
    load_pyqtgraph()
    assert (sys.excepthook, threading.excepthook) == hooks


def test_a_curve_is_made_when_there_is_something_to_show(qtbot: QtBot) -> None:
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.show_curve(Curve(), 100)
    assert not curve.is_made
    assert curve.isHidden()
    curve.show_curve(Curve(((1, 0.5), (2, 0.4)), ((2, 0.6),)), 100)
    assert curve.points["training"][1].tolist() == [0.5, 0.4]
    assert curve.points["validation"][0].tolist() == [2]
    curve.set_theme("light")
    pens = {name: line.opts["pen"] for name, line in curve._lines.items()}
    assert pens["training"].color() != pens["validation"].color()
    # told apart without colours, too
    assert pens["training"].style() != pens["validation"].style()


def test_how_long_it_takes_is_known_once_it_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE, str(tmp_path / "state"))
    settings = TrainingSettings()
    key = pace_key(settings, 1, "auto")
    assert PaceBook().read().seconds(key, 4000) is None
    PaceBook().note(key, 0.05)
    later = PaceBook().read()
    assert later.seconds(key, 4000) == pytest.approx(200)
    # the length does not matter, the network does
    assert pace_key(TrainingSettings(steps=7), 1, "auto") == key
    assert later.seconds(pace_key(TrainingSettings(features=64), 1, "auto"), 4000) is None


def test_words() -> None:
    assert progress_text(progress(12, None)) == "12/100 · 1 min left"
    assert trained_text("m", progress(100, 0.1)) == (
        "Trained 100 steps in 30 s: m is in the list of models"
    )
    assert "12 steps of 100" in trained_text("m", progress(12, 0.1))


def test_a_network_takes_and_gives_grey_levels() -> None:
    statistics = Statistics((100.0, 10.0), (20.0, 2.0), (50.0,), (5.0,))

    class First(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1]

    out = with_grey_levels(First(), statistics)(torch.full((1, 2, 4, 4), 120.0))
    expected = 20.0 / (20.0 + EPSILON) * (5.0 + EPSILON) + 50.0
    assert out.shape == (1, 1, 4, 4)
    assert torch.allclose(out, torch.full_like(out, expected))


def test_shapes_are_filled() -> None:
    sizes = {"T": 2, "Z": 3, "Y": 20, "X": 30}
    square = Outline(((2, 3), (2, 10), (8, 10), (8, 3)))
    plane = filled([square], sizes)
    assert plane.shape == (20, 30)
    assert plane.sum() == 7 * 8
    assert plane[2:9, 3:11].all()
    deep = filled([Outline(square.points, at={"Z": 1}), Outline(square.points, at={"Z": 9})], sizes)
    assert deep.shape == (3, 20, 30)
    assert deep.any((1, 2)).tolist() == [False, True, False]
    # what comes behind T may not be left out
    timed = filled([Outline(square.points, at={"T": 1})], sizes)
    assert timed.shape == (2, 3, 20, 30)
    assert timed.any((2, 3)).tolist() == [[False] * 3, [True] * 3]
    line = filled([Outline(((0, 0), (0, 29)), "path")], sizes)
    assert line[0].all()
    assert not line[1:].any()


def test_an_ellipse_is_as_large_as_one() -> None:
    corners = ((10, 10), (10, 50), (30, 50), (30, 10))
    mask = filled([Outline(corners, "ellipse")], {"Y": 60, "X": 60})
    assert mask.sum() == pytest.approx(math.pi * 20 * 10, rel=0.08)
    assert mask[20, 30]
    assert not mask[11, 11]


def test_labels_are_sampled_where_they_lie() -> None:
    marks = np.zeros((4, 6), int)
    marks[1, 2] = 5
    # a pixel of the mask is 2 × 2 of the image
    mask = PlacedMask(marks, "YX", ((0.5, 0), (0, 0.5)), (-0.25, -0.25))
    found = sampled(mask, {"Y": 8, "X": 12})
    assert found.shape == (8, 12)
    assert np.argwhere(found).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    same = PlacedMask(marks, "YX", ((1, 0), (0, 1)), (0, 0))
    assert np.array_equal(sampled(same, {"Y": 4, "X": 6}), marks != 0)


def test_a_mask_of_channels_counts_where_any_of_them_does() -> None:
    marks = np.zeros((2, 4, 4), int)
    marks[0, 0, 0] = marks[1, 3, 3] = 1
    eye = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    mask = sampled(PlacedMask(marks, "CYX", eye, (0, 0, 0)), {"C": 2, "Y": 4, "X": 4})
    assert mask.shape == (4, 4)
    assert mask.sum() == 2
