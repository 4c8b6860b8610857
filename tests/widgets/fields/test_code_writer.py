"""What is on display, copied as the run takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tifffile
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication
from tests.widgets.conftest import Blur, noisy

from napari_tessera.widgets.fields.code_writer import CodeWriter
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.request import SLICE, VIEW, RunRequest


def copied(qtbot: QtBot, viewer: ViewerModel, request: RunRequest, kind: str) -> str:
    owner = QObject()
    writer = CodeWriter(viewer, ModelCache(), owner)
    refused: list[str] = []
    writer.refused.connect(refused.append)
    with qtbot.waitSignal(writer.copied, timeout=30_000):
        writer.copy(request, kind)
    assert refused == []
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    return clipboard.text()


def regions(code: str) -> list[str]:
    return [line.strip() for line in code.splitlines() if "region" in line]


@pytest.mark.parametrize(("channels", "says_c"), [(1, True), (2, False)])
def test_channels_that_a_model_takes_together_go_together(
    qtbot: QtBot, channels: int, says_c: bool
) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((2, 64, 64)), name="cells")
    viewer.dims.set_current_step(0, 1)
    request = RunRequest((layer,), Blur(2, channels), axes="CYX", area=VIEW, device="cpu")
    code = copied(qtbot, viewer, request, "Python")
    (region,) = regions(code)
    assert ("'C': 1" in region) == says_c
    assert "'Y': slice(0, 64)" in region


def test_a_slice_that_is_everything_is_no_region(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, noisy((64, 64)), metadata={"axes": "YX"})
    viewer = ViewerModel()
    layer = viewer.add_image(tifffile.imread(path), name="cells")
    request = RunRequest((layer,), axes="YX", area=SLICE)
    assert regions(copied(qtbot, viewer, request, "Python")) == []


def test_a_model_that_cannot_be_loaded_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((2, 64, 64)), name="cells")
    owner = QObject()
    writer = CodeWriter(viewer, ModelCache(), owner)
    request = RunRequest((layer,), tmp_path / "missing.pt", axes="CYX", area=VIEW)
    told: list[Any] = []
    writer.refused.connect(told.append)
    with qtbot.waitSignal(writer.refused, timeout=30_000):
        writer.copy(request, "Python")
    assert "missing.pt" in told[0]
