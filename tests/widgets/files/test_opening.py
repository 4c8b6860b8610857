"""Results as layers, opened off the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QObject
from tests.prediction.several.folders import SETTINGS, blur, noise, pixels_of, plate

from napari_tessera.prediction.several import FileEntry, Report, predict_files
from napari_tessera.widgets.files import opening
from napari_tessera.widgets.files.opening import ResultOpener, StackArray

WAIT_MS = 30_000


@dataclass
class Scene:
    """A viewer, what opens results in it, and the threads that pixels and metadata are read in."""

    viewer: ViewerModel
    opener: ResultOpener
    problems: list[str]
    threads: list[threading.Thread]
    qtbot: Any

    def open(self, report: Report) -> list[str]:
        self.problems.clear()
        self.opener.open(report)
        self.qtbot.waitUntil(lambda: not self.opener.busy, timeout=WAIT_MS)
        return self.problems


@pytest.fixture
def scene(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    owner, viewer = QObject(), ViewerModel()
    opener = ResultOpener(viewer, owner)
    scene = Scene(viewer, opener, [], [], qtbot)
    opener.problem.connect(scene.problems.append)
    for name in ("open_stack", "read_metadata", "read_block", "_levels"):
        real = getattr(opening, name)

        def noted(*given: Any, real: Any = real) -> Any:
            scene.threads.append(threading.current_thread())
            return real(*given)

        monkeypatch.setattr(opening, name, noted)
    yield scene
    opener.stop()


def tiffs(folder: Path, *images: NDArray[Any]) -> Report:
    """A report of TIFFs that are results."""
    entries = []
    for number, image in enumerate(images):
        path = folder / f"r{number}.ome.tif"
        tifffile.imwrite(path, image, ome=True, metadata={"axes": "ZYX"[-image.ndim :]})
        entries.append(FileEntry(str(path), str(path), "done"))
    return Report(tuple(entries))


def test_results_lie_where_their_images_do(scene: Scene, tmp_path: Path) -> None:
    source = plate(tmp_path / "screen.ome.zarr", ("B/03",))
    report = predict_files(source, tmp_path / "out", blur(), **SETTINGS)
    assert scene.open(report) == []
    names = [layer.name for layer in scene.viewer.layers]
    assert names == [f"screen_denoised.ome.zarr B 03 {field}" for field in (0, 1)]
    layer = scene.viewer.layers[0]
    assert tuple(layer.scale) == (1.0, 0.5, 0.5)
    assert layer.axis_labels == ("c", "y", "x")
    assert isinstance(layer.data, StackArray)
    assert np.array_equal(np.asarray(layer.data), pixels_of(report.entries[0].output))


def test_large_results_are_shown_by_levels(scene: Scene, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise((1200, 1300)))
    settings = {**SETTINGS, "patch_size": 600}
    report = predict_files(tmp_path / "a.npy", tmp_path / "out", blur(), **settings)
    assert scene.open(report) == []
    (layer,) = scene.viewer.layers
    assert layer.multiscale
    assert layer.data[0].shape == (1200, 1300)
    low, high = layer.contrast_limits
    assert 0 < low < high < 4000


@pytest.mark.parametrize("first", [True, False])
def test_nothing_is_opened_or_read_in_the_gui_thread(
    scene: Scene, tmp_path: Path, first: bool
) -> None:
    image = noise((5, 300, 280)).astype(np.float32)
    image[0, 0, 0] = np.nan
    if not first:
        scene.viewer.add_image(np.zeros((9, 20, 20), np.uint8))
        scene.viewer.dims.set_point(0, 3)
    assert scene.open(tiffs(tmp_path, image, image[0], image + 1)) == []
    assert len([each for each in scene.viewer.layers if each.name.startswith("r")]) == 3
    assert len(scene.threads) >= 9
    assert threading.main_thread() not in scene.threads
    shown = image[2 if first else 3]
    layer = next(each for each in scene.viewer.layers if each.name == "r0.ome.tif")
    assert tuple(layer.contrast_limits) == (shown.min(), shown.max())
    assert np.array_equal(layer._slice.image.raw, shown)


def test_an_even_image_has_limits(scene: Scene, tmp_path: Path) -> None:
    blank = np.full((20, 30), np.nan, np.float32)
    assert scene.open(tiffs(tmp_path, blank, np.full((20, 30), 7, np.uint8))) == []
    limits = [tuple(layer.contrast_limits) for layer in scene.viewer.layers]
    assert limits == [(0.0, 1.0), (7.0, 8.0)]


def test_what_cannot_be_opened_is_told(scene: Scene, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise((8, 9)))
    report = Report(
        (
            FileEntry("b", str(tmp_path / "gone.npy"), "done"),
            FileEntry("a", str(tmp_path / "a.npy"), "done"),
            FileEntry("c", str(tmp_path / "c.npy"), "failed"),
        )
    )
    (problem,) = scene.open(report)
    assert "gone.npy" in problem
    assert [layer.name for layer in scene.viewer.layers] == ["a.npy"]
    many = Report(tuple([report.entries[1]] * 13))
    assert scene.open(many) == ["12 of 13 results are opened"]
    assert len(scene.viewer.layers) == 1 + 12


@pytest.mark.parametrize("how", ["stop", "let_go"])
def test_what_is_being_opened_is_left_at_the_end(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    gate, begun = threading.Event(), threading.Event()
    real = opening.read_result

    def gated(*given: Any) -> Any:
        begun.set()
        assert gate.wait(WAIT_MS / 1000)
        return real(*given)

    monkeypatch.setattr(opening, "read_result", gated)
    scene.opener.open(tiffs(tmp_path, noise((8, 9)), noise((8, 9))))
    assert begun.wait(WAIT_MS / 1000)
    worker = scene.opener._worker
    assert worker is not None
    {"stop": scene.opener.stop, "let_go": scene.opener.leash.let_go}[how]()
    gate.set()
    scene.qtbot.waitUntil(lambda: worker.job.outcome is not None, timeout=WAIT_MS)
    scene.qtbot.waitUntil(lambda: not scene.opener.busy, timeout=WAIT_MS)
    assert not scene.viewer.layers
    assert not scene.problems
