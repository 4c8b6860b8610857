"""What people are told of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy
from zarr.storage import MemoryStore

from napari_tessera.prediction import RunResult
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.request import RunRequest
from napari_tessera.widgets.run_messages import describe_failure, plan_warnings, result_warnings
from napari_tessera.widgets.save_target import ResolvedTarget


@pytest.fixture
def run() -> LayerRun:
    viewer = ViewerModel()
    image = noisy((100, 100), dtype=np.uint8)
    image[:10] = 0
    layer = viewer.add_image(image, name="cells", contrast_limits=(0, 1))
    request = RunRequest((layer,), Blur(), patch_size=(64, 64), overlaps=(0, 0), device="cpu")
    run = LayerRun.of(viewer, request, layer)
    run.prepare(ModelCache(), None)
    return run


class CudaError(RuntimeError):
    """As torch raises it."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            CudaError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            "Denoising cells stopped, out of memory on cpu with tiles of 64×64, 1 at once: make "
            "tiles or batch smaller (CUDA out of memory. Tried to allocate 2.00 GiB)",
        ),
        (
            MemoryError(),
            "Denoising cells stopped, out of memory on cpu with tiles of 64×64, 1 at once: make "
            "tiles or batch smaller (MemoryError)",
        ),
        (OSError("disk full\nmore"), "Denoising cells stopped: disk full"),
        (KeyError(), "Denoising cells stopped: KeyError"),
    ],
)
def test_why_a_run_ended(run: LayerRun, error: Exception, message: str) -> None:
    assert describe_failure(run, error) == message


def test_only_what_comes_from_the_image_is_told_beside_the_settings(run: LayerRun) -> None:
    assert any("seams" in warning for warning in run.settings_warnings)
    told = plan_warnings(run)
    assert all(warning.startswith("cells: ") for warning in told)
    assert any("are 0" in warning for warning in told)
    assert not any("seams" in warning for warning in told)


def test_how_many_pixels_were_not_finite(run: LayerRun) -> None:
    assert result_warnings(run) == []
    settings: dict[str, Any] = {"completed": True, "n_done": 4, "total": 4, "seconds": 1.0}
    run.result = RunResult(nonfinite=1234, **settings)
    (told,) = result_warnings(run)
    assert told.startswith("cells: 1,234 pixels are NaN, infinite or beyond float32 and")


def test_what_a_run_noticed(run: LayerRun) -> None:
    settings: dict[str, Any] = {"completed": True, "n_done": 4, "total": 4, "seconds": 1.0}
    run.result = RunResult(nonfinite=0, notices=("out of memory on cuda:0",), **settings)
    assert result_warnings(run) == ["cells: out of memory on cuda:0"]


def test_why_what_was_saved_does_not_say_how_it_is_shown(run: LayerRun) -> None:
    run.save = ResolvedTarget(Path("out.ome.zarr"))
    run.look.problem = "no space left"
    (told,) = result_warnings(run)
    assert told.startswith(
        "out.ome.zarr has all pixels and does not say how the layer is shown: no"
    )


def test_how_many_chunks_were_absent(run: LayerRun) -> None:
    array = zarr.create_array(MemoryStore(), shape=(64, 64), chunks=(16, 64), dtype="u1")
    array[:32] = noisy((32, 64), dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(array, name="sparse", contrast_limits=(0, 1))
    request = RunRequest((layer,), Blur(), patch_size=(64, 64), overlaps=(0, 0), device="cpu")
    sparse = LayerRun.of(viewer, request, layer)
    sparse.prepare(ModelCache(), None)
    sparse.run()
    assert result_warnings(sparse) == [
        "2 chunks of sparse are not in the store and were read as the fill value 0"
    ]
