"""What runs save: while tiles come or when all is done, stopped, resumed, and in the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
import tifffile
import zarr
from tests.widgets.conftest import WAIT_MS, GatedBlur, Stage, blurred, folder_of, noisy

from napari_tessera.widgets import live_levels
from napari_tessera.widgets.file_when_done import ResultPixels
from napari_tessera.widgets.request import VIEW, SaveTarget
from napari_tessera.widgets.run_state import (
    DONE,
    IDLE,
    PLANNING,
    RUNNING,
    STOPPED,
    STOPPING,
    WRITING,
)
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places.lock import lock_store


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    return model_stage


class Memory(NamedTuple):
    available: int


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes all memory seem taken."""
    return lambda: monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(0))


def test_a_plane_too_large_to_be_shown_whole_is_live_in_every_zoom(
    stage: Stage, no_memory: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_levels, "LEVELS_FROM", 500)
    monkeypatch.setattr(live_levels, "SMALLEST_SIDE", 400)
    image = noisy((700, 1300))
    expected = blurred(image, "YX", patch_size=(256, 256))
    no_memory()
    layer = stage.viewer.add_image(image, name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate, patch_size=(256, 256))
    stage.until(RUNNING)
    gate.let(3)
    stage.wait(lambda: "cells_denoised" in stage.viewer.layers)
    output = stage.viewer.layers["cells_denoised"]
    assert output.multiscale
    assert [level.shape for level in output.data] == [(700, 1300), (350, 650), (175, 325)]
    # The window is smaller than the plane: what is on display is the smallest level.
    stage.wait(lambda: bool(np.isfinite(output._slice.image.raw).any()))
    assert np.isnan(output._slice.image.raw).any()
    gate.let(10_000)
    stage.until(DONE)
    np.testing.assert_array_equal(np.asarray(output.data[0]), expected)
    stage.wait(lambda: bool(np.isfinite(output._slice.image.raw).all()))
    stage.controller.show_removed_noise()
    assert stage.log.of("failed") == []
    stage.viewer.layers.remove(output)


@pytest.mark.parametrize("name", ["out.ome.tif", "out.tif", "out.npy"])
def test_a_file_is_written_when_all_is_done(stage: Stage, tmp_path: Path, name: str) -> None:
    image = noisy((3, 100, 100), dtype=np.uint16)
    layer = stage.viewer.add_image(image, name="cells")
    save = SaveTarget(tmp_path / name, same_dtype=True)
    output = stage.run(layer, axes="TYX", save=save)
    assert stage.log.of("state_changed") == [PLANNING, RUNNING, WRITING, DONE]
    assert stage.log.of("progress_changed")[-1].writing == name
    read = np.load if name.endswith("npy") else tifffile.imread
    written = read(save.path)
    assert written.dtype == np.uint16
    np.testing.assert_array_equal(written, np.rint(output.data))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_too_large_for_memory_waits_on_disk_for_its_file(
    stage: Stage, no_memory: Callable[[], None], tmp_path: Path
) -> None:
    image = noisy((3, 100, 100))
    expected = blurred(image, "ZYX")
    no_memory()
    layer = stage.viewer.add_image(image, name="cells")
    output = stage.run(layer, axes="ZYX", save=SaveTarget(tmp_path / "out.ome.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif"), expected)
    where = folder_of(output)
    assert str(where) in stage.log.of("warned")[0]
    stage.viewer.layers.remove(output)
    assert not where.exists()


def test_writing_can_be_stopped_and_goes_on(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    read = ResultPixels._compute

    def slow(self: ResultPixels, bounds: Any) -> Any:
        begun.set()
        assert go.wait(WAIT_MS / 1000)
        return read(self, bounds)

    monkeypatch.setattr(ResultPixels, "_compute", slow)
    path = tmp_path / "out.ome.tif"
    layer = stage.viewer.add_image(noisy((64, 64)), name="cells")
    stage.start(layer, save=SaveTarget(path))
    stage.until(WRITING)
    stage.wait(begun.is_set)
    stage.controller.stop()
    assert stage.controller.state == STOPPING
    go.set()
    stage.until(STOPPED)
    assert list(tmp_path.iterdir()) == []
    assert stage.log.of("kept_changed")[-1] == "All tiles are done, out.ome.tif is not written yet"
    stage.controller.resume()
    stage.until(DONE)
    assert tifffile.imread(path).shape == (64, 64)
    assert stage.log.of("kept_changed")[-1] == ""


def test_what_keeps_a_file_from_being_written_is_told_and_can_be_mended(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "out.ome.tif"
    gate = GatedBlur()
    layer = stage.viewer.add_image(noisy((64, 64)), name="cells")
    stage.start(layer, model=gate, save=SaveTarget(path))
    stage.until(RUNNING)
    path.mkdir()
    gate.let(10_000)
    stage.until(STOPPED)
    (told,) = stage.log.of("failed")
    assert told.startswith("out.ome.tif was not written: ")
    assert "is no file, so it is never replaced" in told
    assert "\n" not in told
    path.rmdir()
    stage.controller.resume()
    stage.until(DONE)
    assert path.is_file()


def test_a_stopped_run_says_what_is_kept(stage: Stage, tmp_path: Path) -> None:
    gate = GatedBlur()
    layer = stage.viewer.add_image(noisy((3, 150, 150)), name="cells")
    path = tmp_path / "out.ome.zarr"
    stage.start(layer, axes="TYX", model=gate, save=SaveTarget(path))
    stage.until(RUNNING)
    gate.let(3)
    stage.wait(lambda: stage.log.of("progress_changed")[-1:] != [])
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(1)
    stage.until(STOPPED)
    stored = read_unfinished(path)
    assert stored is not None
    total = stored.total_tiles
    kept = f"{len(stored.done)} of {total} tiles are in out.ome.zarr"
    assert stage.log.of("kept_changed")[-1] == kept


def test_a_store_that_another_process_writes_is_told_beside_the_field(
    stage: Stage, tmp_path: Path
) -> None:
    layer = stage.viewer.add_image(noisy((64, 64)), name="cells")
    path = tmp_path / "cells.ome.zarr"
    stage.run(layer, save=SaveTarget(path))
    n_layers = len(stage.viewer.layers)
    with lock_store(path):
        stage.start(layer, save=SaveTarget(path, if_exists="overwrite"))
        stage.until(IDLE)
    problem = stage.log.of("problem_changed")[-1]
    assert problem.field == "save"
    assert "is being written by" in problem.message
    assert len(stage.viewer.layers) == n_layers


def test_channels_that_were_not_denoised_are_copied_and_resumed(
    stage: Stage, tmp_path: Path
) -> None:
    image = noisy((2, 150, 150), dtype=np.uint16)
    layer = stage.viewer.add_image(image, name="cells", axis_labels=("c", "y", "x"))
    stage.viewer.dims.set_current_step(0, 1)
    path = tmp_path / "cells.ome.zarr"
    gate = GatedBlur()
    settings = {"model": gate, "area": VIEW, "axes": "CYX"}
    stage.start(layer, save=SaveTarget(path), **settings)
    stage.until(RUNNING)
    gate.let(2)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(10_000)
    stage.until(STOPPED, DONE)
    output = stage.run(layer, save=SaveTarget(path, if_exists="continue"), **settings)
    saved = zarr.open_array(str(path), path="0", mode="r")[...]
    np.testing.assert_array_equal(saved[0], image[0])
    np.testing.assert_array_equal(saved[1], output.data[1])
    assert np.isnan(output.data[0]).all()


def omero_of(path: Path) -> Any:
    ome: Any = zarr.open_group(path, mode="r").attrs["ome"]
    return [
        (
            channel["label"],
            channel["color"],
            (channel["window"]["start"], channel["window"]["end"]),
            channel["active"],
        )
        for channel in ome["omero"]["channels"]
    ]


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_result_is_saved_as_its_layer_looks(
    stage: Stage, no_memory: Callable[[], None], tmp_path: Path, where: str
) -> None:
    if where == "disk":
        no_memory()
    look = {"colormap": "green", "contrast_limits": (60, 120)}
    layer = stage.viewer.add_image(noisy((3, 64, 64)), name="GFP", **look)
    path = tmp_path / "out.ome.zarr"
    stage.run(layer, axes="TYX", save=SaveTarget(path))
    assert omero_of(path) == [("GFP_denoised", "00FF00", (60, 120), True)]


def test_a_stopped_result_is_saved_as_its_layer_looks_and_as_it_looks_when_it_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    gate = GatedBlur()
    layer = stage.viewer.add_image(noisy((150, 150)), name="GFP", contrast_limits=(60, 120))
    path = tmp_path / "out.ome.zarr"
    stage.start(layer, model=gate, save=SaveTarget(path))
    stage.until(RUNNING)
    gate.let(3)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(1)
    stage.until(STOPPED)
    assert omero_of(path) == [("GFP_denoised", "FFFFFF", (60, 120), True)]
    output = stage.viewer.layers["GFP_denoised"]
    output.name, output.contrast_limits, output.colormap = "kept", (70, 110), "magenta"
    # Somebody may compare it with its input meanwhile.
    output.visible = False
    gate.let(10_000)
    stage.controller.resume()
    stage.until(DONE)
    assert omero_of(path) == [("kept", "FF00FF", (70, 110), True)]


@pytest.mark.parametrize("same_dtype", [False, True])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_colours_are_saved_as_colours(
    stage: Stage, tmp_path: Path, same_dtype: bool, dtype: Any, top: int
) -> None:
    image = np.random.default_rng(0).integers(0, top, (64, 80, 4)).astype(dtype)
    layer = stage.viewer.add_image(image, rgb=True, name="slide")
    for name in ("out.ome.zarr", "out.ome.tif"):
        stage.run(layer, save=SaveTarget(tmp_path / name, same_dtype=same_dtype))
    assert omero_of(tmp_path / "out.ome.zarr") == [
        ("Red", "FF0000", (0, top), True),
        ("Green", "00FF00", (0, top), True),
        ("Blue", "0000FF", (0, top), True),
    ]
    expected = blurred(image[..., :3], "YXC").transpose(2, 0, 1)
    written = zarr.open_array(str(tmp_path / "out.ome.zarr"), path="0", mode="r")[...]
    assert written.dtype == (dtype if same_dtype else np.float32)
    np.testing.assert_array_equal(written, np.rint(expected) if same_dtype else expected)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        np.testing.assert_array_equal(tiff.asarray(), written)
    assert [channel["Name"] for channel in pixels["Channel"]] == ["Red", "Green", "Blue"]


def test_a_file_has_the_name_of_its_layer_and_no_other_shape(stage: Stage, tmp_path: Path) -> None:
    layer = stage.viewer.add_image(noisy((3, 64, 64)), name="GFP")
    for name in ("out.ome.tif", "out.npy"):
        stage.run(layer, axes="TYX", save=SaveTarget(tmp_path / name))
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert tiff.asarray().shape == (3, 64, 64)
    assert pixels["Channel"]["Name"].startswith("GFP_denoised")
    assert np.load(tmp_path / "out.npy").shape == (3, 64, 64)
