"""What *Copy as Python* and *Copy as command* put on the clipboard, run by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

import napari_tessera
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW

WAIT_MS = 60_000


@dataclass(frozen=True)
class Case:
    """Settings of a run, and the name it is saved under."""

    name: str
    choose: Callable[[Any], None]


def _everything(settings: Any) -> None:
    settings.area.value = EVERYTHING
    settings.tiles.patch_size, settings.tiles.overlaps = (64, 48), (16, 16)


def _one_channel(settings: Any) -> None:
    settings.area.value = SLICE
    settings.tiles.patch_size = (84, 84)
    settings.advanced.joining.flips.value = "median"
    settings.advanced.joining.joining.value = "gaussian"
    channels = settings.model.channels
    channels.box.value = True
    channels.choosers[1].choose("")
    channels.changed.emit()


def _what_i_see(settings: Any) -> None:
    settings.area.value = VIEW
    settings.save.same_dtype = True
    settings.advanced.batch.value = "3"
    settings.advanced.intensity.range.value = "series"
    settings.advanced.intensity.measured.value = "exact"


CASES = (
    Case("out.ome.zarr", _everything),
    Case("out.ome.tif", _one_channel),
    Case("out.npy", _what_i_see),
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform.startswith("win"), reason="needs a POSIX shell")
def test_both_run_and_give_the_same_bytes(
    make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(3).poisson(100, (2, 2, 90, 100)).astype(np.uint16)
    path = tmp_path / "noisy cells.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "TCYX"}, ome=True)
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    viewer.open(str(path), plugin="napari", axis_labels=("t", "c", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    dock.settings.advanced.set_open(True)
    for case in CASES:
        made = [
            (tmp_path / kind / case.name, copied(dock, case, kind, tmp_path, qtbot))
            for kind in ("Python", "command")
        ]
        at_once = [
            start(code, kind, tmp_path)
            for (_, code), kind in zip(made, ("Python", "command"), strict=True)
        ]
        for process in at_once:
            said, _ = process.communicate(timeout=120)
            assert process.returncode == 0, said
        one, other = (written for written, _ in made)
        with napari_tessera.open_stack(one) as a, napari_tessera.open_stack(other) as b:
            assert (a.original_axes, a.original_data_shape, a.data_dtype) == (
                b.original_axes,
                b.original_data_shape,
                b.data_dtype,
            )
        theirs = contents(other)
        assert len(theirs) > 0
        assert contents(one) == theirs


def copied(dock: DenoiseDock, case: Case, kind: str, folder: Path, qtbot: QtBot) -> str:
    """The code for one case that saves into a folder of its own."""
    settings = dock.settings
    settings.reset()
    case.choose(settings)
    (folder / kind).mkdir(exist_ok=True)
    settings.save.path = folder / kind / case.name
    settings.advanced.device.value = "cpu"
    qtbot.waitUntil(lambda: dock.reason() == "", timeout=WAIT_MS)
    copies = settings.advanced.copies
    button = copies.python_button if kind == "Python" else copies.command_button
    copies.say_copied("")
    qtbot.mouseClick(button.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(copies.message.message), timeout=WAIT_MS)
    assert copies.message.message == f"Copied as {kind}."
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    return clipboard.text()


def start(code: str, kind: str, folder: Path) -> subprocess.Popen[str]:
    """Run code as a person would: a script, or a line typed into a shell."""
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join((scripts, os.environ.get("PATH", "")))}
    if kind == "Python":
        script = folder / "copied.py"
        script.write_text(code, encoding="utf-8")
        words: list[str] | str = [sys.executable, str(script)]
    else:
        words = code
    return subprocess.Popen(
        words,
        shell=kind == "command",
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def contents(written: Path) -> dict[str, bytes]:
    """Bytes of what holds pixels; a file's own metadata may tell when it was written."""
    if written.is_file():
        with napari_tessera.open_stack(written) as stack:
            size = stack.data_shape[2:]
            return {
                str(sample): stack.extract_patch(sample, None, (0,) * len(size), size).tobytes()
                for sample in range(stack.data_shape[0])
            }
    files = (file for file in written.rglob("*") if file.is_file() and file.suffix != ".json")
    return {str(file.relative_to(written)): file.read_bytes() for file in files}
