"""Results as layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from tests.prediction.several.folders import SETTINGS, blur, noise, pixels_of, plate

from napari_tessera.prediction.several import FileEntry, Report, predict_files
from napari_tessera.widgets.files.opening import StackArray, open_results


def test_results_lie_where_their_images_do(tmp_path: Path) -> None:
    source = plate(tmp_path / "screen.ome.zarr", ("B/03",))
    report = predict_files(source, tmp_path / "out", blur(), **SETTINGS)
    viewer = ViewerModel()
    assert open_results(viewer, report) == []
    names = [layer.name for layer in viewer.layers]
    assert names == [f"screen_denoised.ome.zarr B 03 {field}" for field in (0, 1)]
    layer = viewer.layers[0]
    assert tuple(layer.scale) == (1.0, 0.5, 0.5)
    assert layer.axis_labels == ("c", "y", "x")
    assert isinstance(layer.data, StackArray)
    assert np.array_equal(np.asarray(layer.data), pixels_of(report.entries[0].output))


def test_large_results_are_shown_by_levels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1200, 1300), np.uint8))
    settings = {**SETTINGS, "patch_size": 600}
    report = predict_files(tmp_path / "a.npy", tmp_path / "out", blur(), **settings)
    viewer = ViewerModel()
    assert open_results(viewer, report) == []
    (layer,) = viewer.layers
    assert layer.multiscale
    assert layer.data[0].shape == (1200, 1300)


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise((8, 9)))
    report = Report(
        (
            FileEntry("a", str(tmp_path / "a.npy"), "done"),
            FileEntry("b", str(tmp_path / "gone.npy"), "done"),
            FileEntry("c", str(tmp_path / "c.npy"), "failed"),
        )
    )
    viewer = ViewerModel()
    (problem,) = open_results(viewer, report)
    assert "gone.npy" in problem
    assert [layer.name for layer in viewer.layers] == ["a.npy"]
    many = Report(tuple([report.entries[0]] * 13))
    assert open_results(viewer, many) == ["12 of 13 results are opened"]
