"""What comes out of runs over images of every kind, and where it is saved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import psutil
import pytest
import torch
import zarr
from tests.widgets.conftest import Blur, GatedBlur, Stage, blurred, folder_of, noisy
from torch import nn

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets import kept_tiles
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW, SaveTarget
from napari_tessera.widgets.run_state import DONE, IDLE, RUNNING, STOPPED
from napari_tessera.writing import read_unfinished


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    return model_stage


@pytest.mark.parametrize("channels", [3, 4])
def test_rgb_gives_uint8_rgb_with_alpha_copied(stage: Stage, channels: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (100, 120, channels), np.uint8)
    layer = stage.viewer.add_image(image.copy(), rgb=True, name="slide")
    output = stage.run(layer)
    assert output.rgb
    assert (output.data.dtype, output.data.shape) == (np.uint8, image.shape)
    np.testing.assert_array_equal(output.data[..., :3], np.rint(blurred(image[..., :3], "YXC")))
    np.testing.assert_array_equal(output.data[..., 3:], image[..., 3:])
    np.testing.assert_array_equal(layer.data, image)
    stage.controller.show_removed_noise()
    assert stage.controller.results.removed_noise[0].data.shape == (100, 120)


def test_multiscale_gives_level_0(stage: Stage) -> None:
    image = noisy((256, 256))
    layer = stage.viewer.add_image([image, image[::2, ::2]], multiscale=True, name="pyramid")
    output = stage.run(layer)
    assert not output.multiscale
    np.testing.assert_array_equal(output.data, blurred(image, "YX"))
    np.testing.assert_allclose(output.scale, layer.scale)


@pytest.mark.parametrize("make", [da.from_array, zarr.array], ids=["dask", "zarr"])
def test_images_that_are_not_in_memory(stage: Stage, make: Callable[..., Any]) -> None:
    image = noisy((5, 100, 100))
    layer = stage.viewer.add_image(make(image), name="cells", contrast_limits=(50, 150))
    output = stage.run(layer)
    assert isinstance(output.data, np.ndarray)
    np.testing.assert_array_equal(output.data, blurred(image, "ZYX"))


def test_scale_units_and_labels_are_the_inputs(stage: Stage) -> None:
    place: dict[str, Any] = {
        "scale": (2, 0.25, 0.25),
        "translate": (10, 20, 30),
        "units": ("um", "um", "um"),
        "axis_labels": ("z", "y", "x"),
    }
    layer = stage.viewer.add_image(noisy((5, 100, 100)), colormap="green", gamma=0.8, **place)
    units, ranges = stage.viewer.dims.units, stage.viewer.dims.range
    output = stage.run(layer)
    for name in ("scale", "translate"):
        np.testing.assert_allclose(getattr(output, name), place[name])
    assert (output.units, output.axis_labels) == (layer.units, layer.axis_labels)
    assert (output.colormap.name, output.gamma) == ("green", 0.8)
    assert output.contrast_limits == layer.contrast_limits
    assert stage.viewer.dims.units == units
    np.testing.assert_allclose(stage.viewer.dims.range, ranges)


def test_a_transposed_view_denoises_the_planes_it_cuts(stage: Stage) -> None:
    image = noisy((6, 100, 120))
    layer = stage.viewer.add_image(image, name="cells")
    stage.viewer.dims.order = (1, 0, 2)
    stage.viewer.dims.set_current_step(1, 50)
    output = stage.run(layer, area=SLICE, axes="ZYX")
    assert np.isfinite(output.data[:, 50]).all()
    assert np.isnan(output.data[:, 99]).all()


def test_a_time_series_gets_the_time_point_on_display(stage: Stage) -> None:
    image = noisy((6, 5, 64, 64))
    layer = stage.viewer.add_image(image, name="cells", axis_labels=("t", "z", "y", "x"))
    stage.viewer.dims.set_current_step((0, 1), (4, 2))
    output = stage.run(layer, area=SLICE, normalization="time_point")
    assert np.isfinite(output.data[4, 2]).all()
    assert np.isfinite(output.data).sum() == 64 * 64
    plan = PredictionPlan.from_json(output.metadata["napari_tessera"])
    assert plan.normalization.samples == (4,)


def test_a_3d_model_denoises_the_tiles_that_meet_the_plane(stage: Stage) -> None:
    image = noisy((20, 64, 64))
    layer = stage.viewer.add_image(image, name="cells")
    stage.viewer.dims.set_current_step(0, 15)
    output = stage.run(
        layer, area=VIEW, axes="ZYX", model=Blur(3), patch_size=(8, 64, 64), overlaps=(2, 2, 2)
    )
    planes = np.isfinite(output.data).all(axis=(1, 2))
    assert planes[15]
    assert 1 < planes.sum() < 12


def test_channels_go_together_where_the_model_takes_them(stage: Stage) -> None:
    image = noisy((2, 64, 64))
    layer = stage.viewer.add_image(image, name="cells", axis_labels=("c", "y", "x"))
    stage.viewer.dims.set_current_step(0, 1)
    assert np.isfinite(stage.run(layer, area=VIEW, model=Blur(2, 2)).data).all()
    output = stage.run(layer, area=VIEW, model=Blur())
    assert np.isfinite(output.data[1]).all()
    assert np.isnan(output.data[0]).all()


def test_a_model_that_makes_channels_gets_an_axis_before_the_others(stage: Stage) -> None:
    class Two(Blur):
        def forward(self, x: Any) -> Any:
            return super().forward(x).repeat(1, 2, 1, 1)

    image = noisy((5, 64, 64))
    layer = stage.viewer.add_image(image, name="cells", scale=(2, 1, 1))
    output = stage.run(layer, axes="TYX", model=Two())
    assert output.data.shape == (2, 5, 64, 64)
    np.testing.assert_allclose(output.scale, (1, 2, 1, 1))
    stage.controller.show_removed_noise()
    assert "other channels" in stage.log.of("warned")[-1]


def test_saved_while_it_runs_from_one_prediction(stage: Stage, tmp_path: Path) -> None:
    image = noisy((5, 100, 100), dtype=np.uint16)
    layer = stage.viewer.add_image(image, name="cells", scale=(2, 0.5, 0.5))
    calls: list[int] = []

    class Counted(Blur):
        def __deepcopy__(self, memo: Any) -> Counted:
            return self

        def forward(self, x: Any) -> Any:
            calls.append(1)
            return super().forward(x)

    path = tmp_path / "cells.ome.zarr"
    model = Counted()
    output = stage.run(layer, axes="ZYX", model=model, save=SaveTarget(path, same_dtype=True))
    tiles = stage.log.of("progress_changed")[-1].total
    saved = zarr.open_array(str(path), path="0", mode="r")
    assert saved.dtype == np.uint16
    assert output.data.dtype == np.float32
    np.testing.assert_array_equal(saved[...], np.rint(output.data))
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.completed
    before = len(calls)
    stage.run(layer, axes="ZYX", model=model)
    # Planning tries the model a few times, the same in both runs or less in the second.
    assert len(calls) - before >= tiles
    assert before < 2 * tiles + 60


def test_what_exists_is_asked_about_before_anything_runs(stage: Stage, tmp_path: Path) -> None:
    layer = stage.viewer.add_image(noisy((64, 64)), name="cells")
    path = tmp_path / "cells.ome.zarr"
    stage.run(layer, save=SaveTarget(path))
    n_layers = len(stage.viewer.layers)
    stage.start(layer, save=SaveTarget(path))
    stage.until(IDLE)
    problem = stage.log.of("problem_changed")[-1]
    assert (problem.field, problem.message) == (
        "save",
        "cells.ome.zarr exists: rename, Resume, or Overwrite",
    )
    assert len(stage.viewer.layers) == n_layers
    stage.run(layer, save=SaveTarget(path, if_exists="rename"))
    assert (tmp_path / "cells_1.ome.zarr").exists()
    stage.run(layer, save=SaveTarget(path, if_exists="overwrite"))


def test_a_stopped_save_goes_on_now_and_in_another_session(stage: Stage, tmp_path: Path) -> None:
    image = noisy((3, 150, 150))
    layer = stage.viewer.add_image(image, name="cells")
    path = tmp_path / "cells.ome.zarr"
    expected = blurred(image, "ZYX")
    gate = GatedBlur()
    stage.start(layer, axes="ZYX", model=gate, save=SaveTarget(path))
    stage.until(RUNNING)
    for _ in range(2):
        gate.let(3)
        stage.wait(lambda: gate.tickets._value == 0)  # type: ignore[attr-defined]
        stage.controller.stop()
        gate.let(1)
        stage.until(STOPPED)
        stage.controller.resume()
        stage.until(RUNNING)
    stage.wait(gate.waiting.is_set)
    stage.controller.stop()
    gate.let(1)
    stage.until(STOPPED)
    stored = read_unfinished(path)
    assert stored is not None
    assert 0 < len(stored.done) < stored.total_tiles

    gate.let(10_000)
    continued = SaveTarget(path, if_exists="continue")
    stage.run(layer, axes="ZYX", model=gate, save=continued)
    output = stage.controller.results.outputs[-1]
    np.testing.assert_array_equal(output.data, expected)
    np.testing.assert_array_equal(zarr.open_array(str(path), path="0", mode="r")[...], expected)
    first = [p for p in stage.log.of("progress_changed") if p.total == stored.total_tiles]
    assert first[-1].done == stored.total_tiles


def test_another_run_is_not_continued(stage: Stage, tmp_path: Path) -> None:
    layer = stage.viewer.add_image(noisy((64, 64)), name="cells")
    path = tmp_path / "cells.ome.zarr"
    stage.run(layer, save=SaveTarget(path))
    stage.start(layer, patch_size=(48, 48), save=SaveTarget(path, if_exists="continue"))
    stage.until(IDLE)
    problem = stage.log.of("problem_changed")[-1]
    assert problem.field == "save"
    assert "tile size 64×64 there, 48×48 now" in problem.message


def test_several_layers_are_saved_side_by_side(stage: Stage, tmp_path: Path) -> None:
    layers = [stage.viewer.add_image(noisy((64, 64), i), name=f"c{i}") for i in range(2)]
    stage.run(*layers, save=SaveTarget(tmp_path / "all.ome.zarr"))
    assert {p.name for p in tmp_path.iterdir()} == {"all_c0.ome.zarr", "all_c1.ome.zarr"}


def test_layers_with_names_alike_on_disk_do_not_replace_each_other(
    stage: Stage, tmp_path: Path
) -> None:
    layers = [stage.viewer.add_image(noisy((64, 64), i), name=f"a{c}b") for i, c in enumerate("/:")]
    stage.run(*layers, save=SaveTarget(tmp_path / "all.ome.zarr", if_exists="overwrite"))
    for name, output in zip(("a_b", "a_b_2"), stage.controller.results.outputs, strict=True):
        written = zarr.open_group(tmp_path / f"all_{name}.ome.zarr", mode="r")["0"][:]
        np.testing.assert_array_equal(written, output.data)


class Memory(NamedTuple):
    available: int


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes all memory seem taken."""
    return lambda: monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(0))


def test_what_is_too_large_is_on_disk_and_goes_with_its_layer(
    stage: Stage, no_memory: Callable[[], None]
) -> None:
    image = noisy((5, 100, 100))
    expected = blurred(image, "ZYX")
    no_memory()
    layer = stage.viewer.add_image(image, name="cells")
    gate = GatedBlur()
    stage.start(layer, axes="ZYX", model=gate)
    stage.until(RUNNING)
    gate.let(1)
    stage.wait(lambda: "cells_denoised" in stage.viewer.layers)
    output = stage.viewer.layers["cells_denoised"]
    assert isinstance(output.data, zarr.Array)
    assert np.isnan(np.asarray(output.data)).any()
    (told,) = stage.log.of("warned")
    gate.let(10_000)
    stage.until(DONE)
    np.testing.assert_array_equal(np.asarray(output.data), expected)
    where = folder_of(output)
    assert str(where) in told
    assert where.exists()
    stage.viewer.layers.remove(output)
    assert not where.exists()


def test_removed_while_it_runs_the_temporary_folder_goes_too(
    stage: Stage, no_memory: Callable[[], None]
) -> None:
    no_memory()
    layer = stage.viewer.add_image(noisy((150, 150)), name="cells")
    gate = GatedBlur()
    stage.start(layer, model=gate)
    stage.until(RUNNING)
    gate.let(1)
    stage.wait(lambda: "cells_denoised" in stage.viewer.layers)
    output = stage.viewer.layers["cells_denoised"]
    where = folder_of(output)
    stage.viewer.layers.remove(output)
    gate.let(10_000)
    stage.until(IDLE)
    assert not where.exists()
    assert stage.log.of("failed") == []


def test_too_large_and_saved_there_is_one_copy(
    stage: Stage, no_memory: Callable[[], None], tmp_path: Path
) -> None:
    no_memory()
    image = noisy((64, 100))
    layer = stage.viewer.add_image(image, name="cells")
    path = tmp_path / "cells.ome.zarr"
    output = stage.run(layer, save=SaveTarget(path))
    assert folder_of(output) == path
    assert stage.log.of("warned") == []
    stage.viewer.layers.remove(output)
    assert path.exists()


def test_rgb_on_disk_is_shown_in_colours(stage: Stage, no_memory: Callable[[], None]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (100, 120, 4), np.uint8)
    expected = np.rint(blurred(image[..., :3], "YXC"))
    no_memory()
    layer = stage.viewer.add_image(image, rgb=True, name="slide")
    output = stage.run(layer)
    assert output.rgb
    shown = np.asarray(output.data)
    np.testing.assert_array_equal(shown[..., :3], expected)
    np.testing.assert_array_equal(shown[..., 3], image[..., 3])


def test_a_preview_too_large_for_memory_as_a_whole_is_kept_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noisy((10, 64, 64))
    expected = blurred(image, "ZYX")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(image.nbytes // 2))
    layer = stage.viewer.add_image(image, name="cells", scale=(3, 1, 1))
    stage.viewer.dims.set_current_step(0, 7)
    output = stage.run(layer, area=SLICE)
    assert output.data.shape == (1, 64, 64)
    assert output.data_to_world((0, 0, 0))[0] == 21
    np.testing.assert_array_equal(output.data[0], expected[7])
    stage.viewer.dims.set_current_step(0, 2)
    assert stage.run(layer, area=SLICE) is output
    assert output.data_to_world((0, 0, 0))[0] == 6


class Louder(nn.Module):
    """Three times the intensity."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.conv.weight, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def test_what_was_clipped_on_disk_is_counted_and_told(stage: Stage, tmp_path: Path) -> None:
    image = np.full((64, 64), 50, np.uint8)
    image[:4] = 200
    layer = stage.viewer.add_image(image, name="cells")
    save = SaveTarget(tmp_path / "out.ome.zarr", same_dtype=True)
    stage.run(layer, area=EVERYTHING, model=Louder(), save=save)
    (told,) = [line for line in stage.log.of("warned") if "clipped" in line]
    assert told == "cells: 256 saved pixels were outside the range of uint8 and were clipped to it"


def test_a_place_that_is_gone_at_the_end_leaves_the_run_done(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    askers: list[threading.Thread] = []

    def gone(path: Path) -> None:
        askers.append(threading.current_thread())
        raise OSError(f"the server of {path} is gone")

    monkeypatch.setattr(kept_tiles, "read_unfinished", gone)
    layer = stage.viewer.add_image(np.full((64, 64), 200, np.uint8), name="cells")
    save = SaveTarget(tmp_path / "out.ome.zarr", same_dtype=True)
    stage.run(layer, area=EVERYTHING, model=Louder(), save=save)
    assert askers
    assert threading.main_thread() not in askers
    assert not [line for line in stage.log.of("warned") if "clipped" in line]
