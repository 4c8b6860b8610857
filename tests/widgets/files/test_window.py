"""The window of *Files…*: buttons clicked, real folders denoised, states looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog, QWidget
from tests.prediction.several.folders import noise, pixels_of, tiff_folder
from tests.widgets.conftest import Blur, GatedBlur
from tests.widgets.dask_cluster import Cluster, start_cluster

from napari_tessera import predict
from napari_tessera.models import Model, load_model
from napari_tessera.prediction.several import REPORT_NAME, find_images, read_report
from napari_tessera.widgets.fields.advanced import AdvancedSection
from napari_tessera.widgets.fields.model import ModelField
from napari_tessera.widgets.fields.tiles import TilesSection
from napari_tessera.widgets.files.runner import FilesRunner
from napari_tessera.widgets.files.table import HEADERS, FilesTable
from napari_tessera.widgets.files.window import FilesWindow
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.writing.files.formats import NPY, OME_ZARR

WAIT_MS = 8_000
LEFT = Qt.MouseButton.LeftButton


@dataclass
class Scene:
    """The window with fields as the dock has them, and ways to wait; no napari window."""

    window: FilesWindow
    runner: FilesRunner
    models: ModelCache
    settings: Any
    qtbot: Any
    monkeypatch: pytest.MonkeyPatch

    def use(self, network: Any) -> None:
        """Let the model be a network, which is tried before: only tiles run from now on."""
        model = load_model(network, device="cpu")
        model.geometry  # noqa: B018
        self.monkeypatch.setattr(self.models, "get", lambda *asked: model)

    def open(self, *sources: Path) -> None:
        """Add what is to be denoised, and wait until it is looked at."""
        self.window.add(sources)
        self.qtbot.waitUntil(lambda: not self.window.finder.busy, timeout=WAIT_MS)

    def click(self) -> None:
        self.qtbot.mouseClick(self.window.main_button, LEFT)

    def until(self, *states: str) -> None:
        self.qtbot.waitUntil(lambda: self.runner.state in states, timeout=WAIT_MS)

    def states(self) -> dict[str, str]:
        table = self.window.table
        return {
            table.data(table.index(row, 0)): table.data(table.index(row, 2))
            for row in range(table.rowCount())
        }


@pytest.fixture
def scene(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    dock = QWidget()
    qtbot.addWidget(dock)
    settings = SimpleNamespace(model=ModelField(), tiles=TilesSection(), advanced=AdvancedSection())
    for field in (settings.model, settings.tiles, settings.advanced):
        qtbot.addWidget(field)
    settings.tiles.patch_size = (32, 32)
    models = ModelCache()
    runner = FilesRunner(models, dock)
    window = FilesWindow(settings, runner, lambda: "", dock)  # type: ignore[arg-type]
    window.show()
    scene = Scene(window, runner, models, settings, qtbot, monkeypatch)
    scene.use(Blur())
    yield scene
    runner.close()
    window.finder.stop()


def test_a_folder_is_denoised_without_an_open_image(scene: Scene, tmp_path: Path) -> None:
    folder = tiff_folder(tmp_path)
    scene.open(folder)
    window = scene.window
    assert window.found_label.text() == "6 found, 2 left out"
    assert scene.states()["notes.txt"] == "– left out: no image that can be opened"
    assert window.main_button.text() == "▶ Denoise 6 images"
    assert window.options.folder == tmp_path / "images_denoised"
    scene.click()
    scene.until("done")
    states = scene.states()
    assert states["a1.tif"].startswith("● done")
    assert states["cut.tif"].startswith("✕ failed: cut.tif")
    assert window.message.message.startswith("5 of 8 images done, 1 skipped, 2 failed")
    assert REPORT_NAME in window.message.message
    out = tmp_path / "images_denoised"
    report = read_report(out)
    assert report is not None
    assert report.count("done") == 5
    expected = predict(folder / "a1.tif", load_model(Blur(), device="cpu"), patch_size=32)
    assert np.array_equal(pixels_of(out / "a1_denoised.ome.zarr"), expected)


def test_what_the_dock_has_chosen_is_what_is_done(scene: Scene, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    scene.settings.advanced.joining.joining.value = "linear"
    scene.open(tmp_path / "a.tif")
    window = scene.window
    window.options.out.setText(str(tmp_path / "here"))
    window.options.how.format.native.setCurrentText("OME-TIFF")
    window.options.how.same_dtype = True
    scene.click()
    scene.until("done")
    found = tifffile.imread(tmp_path / "here" / "a_denoised.ome.tif")
    assert found.dtype == np.uint16
    report = read_report(tmp_path / "here")
    assert report is not None
    assert report.run["settings"]["blending"] == "linear"
    assert report.run["settings"]["patch_size"] == [32, 32]
    assert report.run["format"] == "ome-tiff"


def test_it_is_stopped_and_goes_on_within_an_image(scene: Scene, tmp_path: Path) -> None:
    for name in "abc":
        tifffile.imwrite(tmp_path / f"{name}.tif", noise((70, 90), ord(name)))
    gate = GatedBlur()
    scene.use(gate)
    scene.open(tmp_path)
    window = scene.window
    scene.click()
    assert window.main_button.text() == "■ Stop"
    # an image has 12 tiles
    gate.let(12 + 2)
    runner = scene.runner
    scene.qtbot.waitUntil(
        lambda: window.label.text().startswith("file 2/3") and "2/" in window.label.text(),
        timeout=WAIT_MS,
    )
    assert not window.options.isEnabled()
    scene.click()
    assert runner.state == "stopping"
    assert not window.main_button.isEnabled()
    gate.let(1)
    scene.until("stopped")
    assert window.main_button.text() == "▶ Continue"
    assert scene.states()["b.tif"].startswith("‖ stopped: ")
    assert window.label.text() == "stopped"
    assert "Continue goes on" in window.message.message
    done = runner.report.entries[0]
    gate.let(1000)
    scene.click()
    scene.until("done")
    assert runner.report.summary == "3 of 3 images done"
    assert runner.report.entries[0] == done
    for name in "abc":
        expected = predict(tmp_path / f"{name}.tif", load_model(Blur()), patch_size=32)
        path = runner.order.out / f"{name}_denoised.ome.zarr"
        assert np.array_equal(pixels_of(path), expected)


def test_other_options_begin_anew(scene: Scene, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    scene.open(tmp_path / "a.tif")
    scene.click()
    scene.until("done")
    scene.window.options.exists.native.setCurrentText("rename")
    assert scene.runner.state == "idle"
    assert not scene.window.message.message
    scene.click()
    scene.until("done")
    out = scene.window.options.folder
    assert out is not None
    assert (out / "a_denoised_1.ome.zarr").is_dir()


def test_a_stopped_run_of_other_settings_of_the_dock_is_begun_anew(
    scene: Scene, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    gate = GatedBlur()
    scene.use(gate)
    scene.open(tmp_path / "a.tif")
    scene.click()
    scene.qtbot.waitUntil(gate.waiting.is_set, timeout=WAIT_MS)
    scene.click()
    gate.let(1000)
    scene.until("stopped")
    scene.window.settings_changed()
    assert scene.window.main_button.text() == "▶ Continue"
    scene.settings.tiles.patch_size = (48, 48)
    scene.window.settings_changed()
    assert scene.window.main_button.text() == "▶ Denoise 1 image"
    assert scene.states() == {"a.tif": ""}


def test_why_nothing_can_start_is_said(scene: Scene, tmp_path: Path) -> None:
    window = scene.window
    assert window.reason() == "Add files, a folder or a plate first"
    assert not window.main_button.isEnabled()
    (tmp_path / "notes.txt").write_text("nothing")
    scene.open(tmp_path / "notes.txt")
    assert window.reason() == "None of these is an image that can be denoised"
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    scene.open(tmp_path / "a.tif")
    assert not window.reason()
    window.options.out.setText("")
    window.options.settle()
    assert window.reason() == "choose a folder for the results"
    window.options.out.setText(str(tmp_path / "a.tif"))
    window.options.settle()
    scene.qtbot.waitUntil(lambda: not window.finder.busy, timeout=WAIT_MS)
    assert window.reason() == "a.tif is a file: choose a folder for the results"
    window.options.out.setText(str(tmp_path / "out"))
    window.options.axes_entry.setText("QX")
    window.options.settle()
    scene.qtbot.waitUntil(lambda: not window.finder.busy, timeout=WAIT_MS)
    assert "Q" in window.reason()
    scene.qtbot.mouseClick(window.clear_button, LEFT)
    assert not window.images


def test_a_model_that_cannot_be_loaded_ends_it_with_one_line(scene: Scene, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    (tmp_path / "model.pt").write_bytes(b"no model")
    scene.open(tmp_path / "a.tif")
    scene.monkeypatch.undo()
    scene.runner.start(replace(scene.window.order(), source=tmp_path / "model.pt"))
    scene.until("failed")
    assert "model.pt" in scene.window.message.message
    assert scene.window.message.level == "error"
    out = scene.window.options.folder
    assert out is not None
    assert out == tmp_path.with_name(f"{tmp_path.name}_denoised")
    assert not out.exists()


def test_files_are_chosen_in_dialogs_or_dropped(scene: Scene, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((70, 90)))
    window = scene.window
    for button in (window.add_files_button, window.add_folder_button):
        scene.qtbot.mouseClick(button, LEFT)
        dialog = window.findChildren(QFileDialog)[-1]
        assert dialog.isVisible()
        dialog.filesSelected.emit([str(tmp_path / "a.tif")])
        dialog.reject()
    scene.qtbot.waitUntil(lambda: len(window.images) == 1, timeout=WAIT_MS)
    scene.qtbot.mouseClick(window.clear_button, LEFT)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.tif"))])
    none = Qt.KeyboardModifier.NoModifier
    drop = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, LEFT, none)
    window.dropEvent(drop)
    scene.qtbot.waitUntil(lambda: len(window.images) == 1, timeout=WAIT_MS)
    scene.qtbot.mouseClick(window.options.browse_button, LEFT)
    dialog = window.findChildren(QFileDialog)[-1]
    dialog.fileSelected.emit(str(tmp_path / "there"))
    dialog.reject()
    assert window.options.folder == tmp_path / "there"


def test_thousands_of_images_are_listed_at_no_cost(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((8, 9)))
    (image,) = find_images(tmp_path)
    table = FilesTable()
    table.show_images([image] * 100_000)
    assert table.rowCount() == 100_000
    assert table.columnCount() == len(HEADERS)
    assert table.data(table.index(99_999, 1)) == "Y8 X9 · uint16"
    assert str(tmp_path) in table.data(table.index(5, 0), Qt.ItemDataRole.ToolTipRole)
    assert table.headerData(0, Qt.Orientation.Horizontal) == "Image"


def use_file(scene: Scene, path: Path) -> Model:
    """Let the model be one that workers can load."""
    torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 64, 64)).save(str(path))
    model = load_model(path, device="cpu")
    assert isinstance(model, Model)
    scene.monkeypatch.setattr(scene.models, "get", lambda *asked: model)
    return model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_files_are_denoised_by_a_cluster_that_the_dock_names(
    scene: Scene, cluster: Cluster, tmp_path: Path
) -> None:
    model = use_file(scene, tmp_path / "blur.pt")
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(folder / f"{name}.tif", noise((60, 70)), photometric="minisblack")
    run_on = scene.settings.advanced.run_on
    run_on.value = "tcp://127.0.0.1:1"
    scene.open(folder)
    scene.qtbot.waitUntil(lambda: "no scheduler at" in scene.window.reason(), timeout=WAIT_MS)
    run_on.value = cluster.address
    scene.window.options.how.chosen = NPY
    assert "Workers of a cluster save to OME-Zarr" in scene.window.reason()
    scene.window.options.how.chosen = OME_ZARR
    assert scene.window.reason() == ""
    scene.window.refresh()
    scene.click()
    scene.qtbot.waitUntil(lambda: scene.runner.state in ("done", "failed"), timeout=120_000)
    assert scene.runner.failure == ""
    assert scene.window.message.message.startswith("2 of 2 images done")
    expected = predict(folder / "a.tif", model, patch_size=32)
    made = pixels_of(tmp_path / "images_denoised" / "a_denoised.ome.zarr")
    assert np.array_equal(made, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_scheduler_of_other_versions_is_told_of(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    use_file(scene, tmp_path / "blur.pt")
    (tmp_path / "toolz-0.0.1.dist-info").mkdir()
    facts = "Metadata-Version: 2.1\nName: toolz\nVersion: 0.0.1\n"
    (tmp_path / "toolz-0.0.1.dist-info" / "METADATA").write_text(facts)
    other = tmp_path / "another_version.py"
    other.write_text(f"import sys\n\nsys.path.insert(0, {str(tmp_path)!r})\n")
    own = start_cluster(tmp_path, 0, "--preload", str(other))
    try:
        (tmp_path / "images").mkdir()
        tifffile.imwrite(tmp_path / "images" / "a.tif", noise((60, 70)))
        scene.settings.advanced.run_on.value = own.address
        scene.window.options.how.chosen = OME_ZARR
        scene.open(tmp_path / "images")
        scene.qtbot.waitUntil(lambda: scene.window.reason() == "", timeout=WAIT_MS)
        scene.window.refresh()
        message = scene.window.message
        scene.click()
        scene.qtbot.waitUntil(lambda: "other versions of toolz" in message.message, timeout=60_000)
        assert message.level == "warning"
        scene.click()
        scene.qtbot.waitUntil(lambda: scene.runner.state == "stopped", timeout=60_000)
        told, warning = message.message.splitlines()
        assert told.endswith("Continue goes on.")
        assert "other versions of toolz" in warning
    finally:
        own.end()
