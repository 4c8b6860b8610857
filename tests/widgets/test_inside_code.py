"""Shapes and labels as code that runs, and does the same as the dock."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication
from tests.widgets.conftest import noisy

import napari_tessera
from napari_tessera.cli import run as command_line
from napari_tessera.widgets.fields.code_writer import CodeWriter
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.request import EVERYTHING, INSIDE, VOLUME, RunRequest, SaveTarget

SHAPES: dict[str, tuple[list[Any], list[str]]] = {
    "polygons": ([[[5, 5], [5, 30], [30, 30]], [[60, 60], [60, 70], [70, 70]]], ["polygon"] * 2),
    "an ellipse": ([[[5, 5], [5, 40], [40, 40], [40, 5]]], ["ellipse"]),
    "a line of one plane": ([[[1, 5, 5], [1, 80, 80]]], ["line"]),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, noisy((3, 90, 100)), imagej=True, metadata={"axes": "ZYX"})
    return path


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer()


def opened(viewer: Any, path: Path) -> Any:
    (layer,) = viewer.open(str(path), plugin="napari")
    return layer


def request_of(layer: Any, **settings: Any) -> RunRequest:
    defaults = {"device": "cpu", "patch_size": (48, 48), "overlaps": (44, 44), "axes": "ZYX"}
    return RunRequest((layer,), **{**defaults, **settings})


def code_of(qtbot: QtBot, viewer: Any, request: RunRequest, kind: str) -> str:
    owner = QObject()
    writer = CodeWriter(viewer, ModelCache(), owner)
    said: list[str] = []
    writer.refused.connect(said.append)
    writer.copied.connect(said.append)
    writer.copy(request, kind)
    qtbot.waitUntil(lambda: bool(said), timeout=30_000)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    return clipboard.text() if said == [kind] else said[0]


def of_the_dock(viewer: Any, request: RunRequest) -> np.ndarray:
    run = LayerRun.of(viewer, request, request.layers[0])
    plan, model = run.make_plan(ModelCache())
    return napari_tessera.predict(run.stack, model, plan=plan)


def of_python(code: str) -> np.ndarray:
    names: dict[str, Any] = {}
    exec(compile(code, "copied", "exec"), names)
    return names["denoised"]


def of_command(code: str, output: Path) -> np.ndarray:
    assert command_line(shlex.split(code)[1:]) == 0
    return np.load(output)


@pytest.mark.parametrize(
    "which",
    ["polygons", pytest.param("an ellipse", marks=pytest.mark.slow), "a line of one plane"],
)
def test_shapes_are_written_out(
    qtbot: QtBot, viewer: Any, source: Path, tmp_path: Path, which: str
) -> None:
    layer, (corners, kinds) = opened(viewer, source), SHAPES[which]
    marks = viewer.add_shapes(corners, shape_type=kinds)
    request = request_of(layer, area=INSIDE, inside=marks)
    expected = of_the_dock(viewer, request)
    assert np.isnan(expected).any()
    assert np.isfinite(expected).any()
    python = code_of(qtbot, viewer, request, "Python")
    assert "current_viewer" not in python
    np.testing.assert_array_equal(of_python(python), expected)
    output = tmp_path / "out.npy"
    saved = request_of(layer, area=INSIDE, inside=marks, save=SaveTarget(output))
    found = of_command(code_of(qtbot, viewer, saved, "command"), output)
    np.testing.assert_array_equal(found, expected)


def test_labels_from_a_file_are_named_by_it(
    qtbot: QtBot, viewer: Any, source: Path, tmp_path: Path
) -> None:
    labels = np.zeros((3, 90, 100), np.uint16)
    labels[1, 80:, 90:] = 7
    tifffile.imwrite(tmp_path / "nuclei.tif", labels, photometric="minisblack")
    layer = opened(viewer, source)
    (marks,) = viewer.open(str(tmp_path / "nuclei.tif"), plugin="napari", layer_type="labels")
    output = tmp_path / "out.npy"
    request = request_of(layer, area=INSIDE, inside=marks, save=SaveTarget(output))
    unsaved = request_of(layer, area=INSIDE, inside=marks)
    expected = of_the_dock(viewer, unsaved)
    python = code_of(qtbot, viewer, unsaved, "Python")
    assert f"inside={str(tmp_path / 'nuclei.tif')!r}" in python
    np.testing.assert_array_equal(of_python(python), expected)
    found = of_command(code_of(qtbot, viewer, request, "command"), output)
    np.testing.assert_array_equal(found, expected)

    # what is painted is not in the file
    marks.paint((0, 10, 10), 3)
    expected = of_the_dock(viewer, unsaved)
    python = code_of(qtbot, viewer, unsaved, "Python")
    assert "inside=napari.current_viewer().layers['nuclei'].data" in python
    np.testing.assert_array_equal(of_python(python), expected)
    refusal = code_of(qtbot, viewer, request, "command")
    assert "nuclei is no file as it is shown here: save the labels and open that file" in refusal


def test_labels_of_another_scale_are_placed(qtbot: QtBot, viewer: Any, source: Path) -> None:
    layer = opened(viewer, source)
    labels = np.zeros((9, 10), np.uint8)
    labels[8, 9] = 1
    marks = viewer.add_labels(labels, scale=(10, 10), translate=(4.5, 4.5), name="coarse")
    request = request_of(layer, area=INSIDE, inside=marks)
    expected = of_the_dock(viewer, request)
    python = code_of(qtbot, viewer, request, "Python")
    assert "from napari_tessera.prediction import PlacedMask" in python
    np.testing.assert_array_equal(of_python(python), expected)
    refusal = code_of(qtbot, viewer, request, "command")
    assert "coarse has other pixels than the image: a command cannot place it" in refusal


@pytest.mark.slow
def test_channels_and_volumes(qtbot: QtBot, viewer: Any, tmp_path: Path) -> None:
    path, output = tmp_path / "cells.tif", tmp_path / "out.npy"
    tifffile.imwrite(path, noisy((2, 2, 3, 40, 50)), imagej=True, metadata={"axes": "TZCYX"})
    layer = opened(viewer, path)
    viewer.dims.set_current_step(0, 1)
    for settings in (
        {"area": VOLUME, "channels": (0, 2)},
        {"area": EVERYTHING, "channels": (1,)},
    ):
        unsaved = request_of(layer, axes="TZCYX", **settings)
        expected = of_the_dock(viewer, unsaved)
        python = code_of(qtbot, viewer, unsaved, "Python")
        np.testing.assert_array_equal(of_python(python), expected)
        target = SaveTarget(output, if_exists="overwrite")
        saved = request_of(layer, axes="TZCYX", save=target, **settings)
        found = of_command(code_of(qtbot, viewer, saved, "command"), output)
        if "channels" in settings:
            # the others are copied, as the dock does
            found = found[:, :, list(settings["channels"])]
        np.testing.assert_array_equal(found, expected)


def test_nothing_is_copied_of_shapes_that_are_not_there(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((3, 90, 100)))
    for kind in ("Python", "command"):
        said = code_of(qtbot, viewer, request_of(layer, area=INSIDE), kind)
        assert said.startswith("Add a Shapes or Labels layer")
