"""Layers that are saved as a person does, and what is there afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from napari._app_model import get_app_model
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QPushButton,
)

PLUGIN = "napari-tessera"
LOOKS = 200
"""How often a dialog is looked at, every 20 ms, before it counts as one that nobody expected."""

ENDINGS = (".ome.zarr", ".ome.tif")
RNG = np.random.default_rng(0)


class Hands:
    """Answers dialogs as a person does, one after another; keeps what they said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._waited = 0
        self._todo: list[Callable[[Any], bool]] = []
        self._timer = QTimer(QApplication.instance())
        self._timer.timeout.connect(self._look)
        self._timer.start(20)

    def type_name(self, name: str, kind: str) -> None:
        """Type a name in the file dialog, choose a kind of file, and press Save."""

        def do(dialog: Any) -> bool:
            if not isinstance(dialog, QFileDialog):
                return False
            kinds = dialog.findChild(QComboBox, "fileTypeCombo")
            at = next(n for n in range(kinds.count()) if kinds.itemText(n).startswith(kind))
            kinds.setCurrentIndex(at)
            kinds.activated.emit(at)
            dialog.setDirectory(str(Path(name).parent))
            dialog.findChild(QLineEdit, "fileNameEdit").setText(Path(name).name)
            self._press_save(dialog)
            return True

        self._todo.append(do)

    def press_save_again(self) -> None:
        """Press Save in a file dialog that went into a folder instead."""

        def do(dialog: Any) -> bool:
            if not isinstance(dialog, QFileDialog):
                return False
            self.said.append(f"in {Path(dialog.directory().path()).name}")
            self._press_save(dialog)
            return True

        self._todo.append(do)

    def press(
        self,
        button: str,
        kind: type = QMessageBox,
        when: Callable[[], bool] = lambda: True,
    ) -> None:
        """Press a button of a question, or of another kind of dialog."""

        def do(dialog: Any) -> bool:
            if not isinstance(dialog, kind) or not when():
                return False
            self.said.append(dialog.text() if isinstance(dialog, QMessageBox) else "")
            buttons = {one.text().replace("&", ""): one for one in dialog.findChildren(QPushButton)}
            QTimer.singleShot(0, buttons[button].click)
            return True

        self._todo.append(do)

    def then(self, act: Callable[[], None]) -> None:
        """Do something a while after the last answer."""

        def do(_: Any) -> bool:
            act()
            return True

        self._todo.append(do)

    def _press_save(self, dialog: QFileDialog) -> None:
        save = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save)
        # the click ends only when all that follows from it is answered
        QTimer.singleShot(0, save.click)

    def _look(self) -> None:
        dialog = QApplication.activeModalWidget()
        self._waited = 0 if dialog is None else self._waited + 1
        if self._todo and self._todo[0](dialog):
            self._todo.pop(0)
            self._waited = 0
        elif self._waited > LOOKS:
            self.said.append("nobody expected this")
            dialog.reject()

    def stop(self) -> None:
        self._timer.stop()
        assert not self._todo, "a dialog did not come"


def save_selected() -> None:
    """File → Save Selected Layers."""
    name = "napari.window.file.save_layers_dialog.selected"
    get_app_model().commands.execute_command(name).result()


def made_image(**given: Any) -> Image:
    data = RNG.integers(0, 4000, (30, 40)).astype(np.uint16)
    return Image(
        **{
            "data": data,
            "name": "cells",
            "scale": (0.5, 0.25),
            "translate": (7, -8),
            "units": ("um", "um"),
            "axis_labels": ("y", "x"),
            "contrast_limits": (100, 3000),
            **given,
        }
    )


def contents(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def check_zarr(path: Path, layer: Image) -> None:
    group = zarr.open_group(path, mode="r")
    ome: Any = group.attrs["ome"]
    multiscale = ome["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["y", "x"]
    assert [axis["unit"] for axis in multiscale["axes"]] == ["micrometer"] * 2
    assert multiscale["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [0.5, 0.25]},
        {"type": "translation", "translation": [7, -8]},
    ]
    (channel,) = ome["omero"]["channels"]
    assert channel["label"] == layer.name
    window = channel["window"]
    assert (window["start"], window["end"]) == (100, 3000)
    np.testing.assert_array_equal(group["0"][...], layer.data)


def check_tiff(path: Path, layer: Image) -> None:
    with tifffile.TiffFile(path) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (0.5, 0.25)
        assert pixels["PhysicalSizeXUnit"] == "µm"
        assert pixels["Channel"]["Name"] == layer.name
        np.testing.assert_array_equal(tiff.asarray(), layer.data)


CHECKS = {".ome.zarr": check_zarr, ".ome.tif": check_tiff}


def read_back(path: Path) -> Any:
    if path.is_dir():
        return zarr.open_array(path / "0", mode="r")[...]
    return tifffile.imread(path)
