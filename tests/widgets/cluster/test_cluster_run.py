"""Runs on a real cluster: saved by its workers, shown here, stopped and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from napari.layers._source import layer_source
from tests.widgets.conftest import ENDS, Blur, Stage, noisy
from tests.widgets.dask_cluster import Cluster, start_cluster
from torch import nn

from napari_tessera.models import load_model
from napari_tessera.prediction import predict
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.cluster.cluster_run import ClusterRun
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.widgets.run_state import DONE, PLANNING, RUNNING, STOPPED, STOPPING
from napari_tessera.writing import read_unfinished

LONG_MS = 120_000
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)


class Slow(nn.Module):
    """A blur that takes a while: so many convolutions of which nothing is left."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = Blur()
        self.more = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.expand(-1, 32, -1, -1) * 0
        for layer in self.more:
            wide = torch.tanh(layer(wide))
        return self.blur(x) + 0 * wide[:, :1]


@pytest.fixture
def stage(model_stage: Stage) -> Stage:
    return model_stage


def traced(network: nn.Module, path: Path, size: int = 64) -> Path:
    torch.jit.trace(network.eval(), torch.zeros(1, 1, size, size)).save(str(path))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return traced(Blur(), tmp_path / "blur.pt")


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    return traced(Slow(), tmp_path / "slow.pt")


def opened(stage: Stage, image: Any, path: Path, **settings: Any) -> Any:
    """A layer of a file, as napari has it that opened it."""
    tifffile.imwrite(path, image, metadata={"axes": "TYX"[-image.ndim :]})
    with layer_source(path=str(path), reader_plugin="napari"):
        return stage.viewer.add_image(image, name="cells", **settings)


def on_cluster(cluster: Cluster, model: Path, path: Path, **settings: Any) -> dict[str, Any]:
    """What a run is asked for with."""
    save = SaveTarget(path, if_exists=settings.pop("if_exists", "ask"))
    return {"model": model, "save": save, "cluster": cluster.address, **settings}


def expected_of(image: Any, model: Path, axes: str = "TYX", **settings: Any) -> Any:
    settings = {"patch_size": (64, 64), "normalization": "none", **settings}
    return predict(ArrayStack(image, axes), load_model(model, device="cpu"), **settings)


def until(stage: Stage, *states: str) -> None:
    stage.qtbot.waitUntil(lambda: stage.controller.state in states, timeout=LONG_MS)
    assert stage.controller.state in states


def saved(path: Path) -> Any:
    return zarr.open_array(str(path), path="0", mode="r")[...]


PLAIN = {"axes": "TYX", "normalization": "none"}


def test_it_makes_the_very_result_in_a_layer_that_fills(
    stage: Stage, cluster: Cluster, model: Path, tmp_path: Path
) -> None:
    image = noisy((5, 300, 280), dtype=np.uint16)
    layer = opened(stage, image, tmp_path / "cells.tif")
    path = tmp_path / "out.ome.zarr"
    stage.start(layer, **on_cluster(cluster, model, path, **PLAIN))
    until(stage, *ENDS)
    assert stage.controller.state == DONE, stage.log.said[-3:]
    assert stage.log.of("state_changed") == [PLANNING, RUNNING, DONE]
    output = stage.viewer.layers["cells_denoised"]
    np.testing.assert_array_equal(saved(path), expected_of(image, model))
    np.testing.assert_array_equal(np.asarray(output.data), saved(path))
    report = stage.log.of("progress_changed")[-1]
    assert (report.done, report.total) == (125, 125)
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.completed
    speed = stage.controller.speed
    (made,) = stage.controller.results.runs
    assert made.plan is not None
    assert made.model is not None
    assert speed.seconds_per_tile(made.plan, made.model) is None, "this computer made none of it"


@pytest.mark.slow
def test_it_stops_and_goes_on_and_what_is_in_view_comes_first(
    stage: Stage, cluster: Cluster, slow: Path, tmp_path: Path
) -> None:
    image = noisy((24, 128, 128))
    layer = opened(stage, image, tmp_path / "cells.tif")
    stage.viewer.dims.set_current_step(0, 17)
    path = tmp_path / "out.ome.zarr"
    stage.start(layer, **on_cluster(cluster, slow, path, **PLAIN))
    until(stage, RUNNING)
    stage.qtbot.waitUntil(
        lambda: any(report.done for report in stage.log.of("progress_changed")), timeout=LONG_MS
    )
    # two are handed out at once, and the other may be there before it
    stage.qtbot.waitUntil(lambda: bool(np.isfinite(saved(path)[17]).all()), timeout=LONG_MS)
    stage.controller.stop()
    assert stage.controller.state == STOPPING
    until(stage, STOPPED)
    stored = read_unfinished(path)
    assert stored is not None
    (kept,) = stage.log.of("kept_changed")[-1:]
    assert kept == f"{len(stored.done)} of 216 tiles are in out.ome.zarr"
    finished = np.isfinite(saved(path)).all((1, 2))
    assert finished[17]
    assert finished.sum() <= 8, "it was one of the first, of 24"
    stage.controller.resume()
    until(stage, DONE)
    np.testing.assert_array_equal(saved(path), expected_of(image, slow))


@pytest.mark.slow
def test_a_worker_that_dies_is_told_and_a_scheduler_that_does_is_gone_on_without(
    stage: Stage, slow: Path, tmp_path: Path
) -> None:
    image = noisy((24, 128, 128))
    layer = opened(stage, image, tmp_path / "cells.tif")
    path = tmp_path / "out.ome.zarr"
    own = start_cluster(tmp_path, 2)
    try:
        stage.start(layer, **on_cluster(own, slow, path, **PLAIN))
        until(stage, RUNNING)
        stage.qtbot.waitUntil(
            lambda: any(report.done for report in stage.log.of("progress_changed")),
            timeout=LONG_MS,
        )
        own.processes[-1].kill()
        stage.qtbot.waitUntil(
            lambda: any("worker" in line for line in stage.log.of("warned")), timeout=LONG_MS
        )
        (told,) = [line for line in stage.log.of("warned") if "worker" in line]
        assert told.startswith("cells: ")
        own.processes[0].kill()
        until(stage, *ENDS)
        assert stage.controller.state == STOPPED
        told = stage.log.of("failed")[-1]
        assert told.startswith("cells: the scheduler at tcp://127.0.0.1:")
        assert " is gone (the connection was closed): " in told
        assert told.endswith(f" of 216 tiles are in {path}; Continue tries again")
        stored = read_unfinished(path)
        assert stored is not None
        assert stored.state == "stopped"
        assert stage.controller.can_resume
        stage.controller.resume()
        until(stage, *ENDS)
        assert stage.controller.state == STOPPED, "it is not there again"
        assert "dask scheduler" in stage.log.of("failed")[-1]
    finally:
        own.end()
    # the same store, on this computer
    stage.start(layer, model=slow, save=SaveTarget(path, if_exists="continue"), cluster="", **PLAIN)
    until(stage, *ENDS)
    assert stage.controller.state == DONE, stage.log.said[-3:]
    np.testing.assert_array_equal(saved(path), expected_of(image, slow))


@pytest.mark.slow
def test_a_block_that_fails_is_told_with_its_tiles_and_tried_again(
    stage: Stage, cluster: Cluster, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noisy((16, 64, 64))
    place = tmp_path / "in.zarr"
    array = zarr.create_array(str(place), shape=image.shape, chunks=(1, 64, 64), dtype="f4")
    array[...] = image
    chunk = place / "c" / "5" / "0" / "0"
    whole = chunk.read_bytes()
    layer = stage.viewer.add_image(array, name="cells")
    path = tmp_path / "out.ome.zarr"
    show = ClusterRun.opened

    def damage_and_show(run: ClusterRun, store: Any) -> None:
        chunk.write_bytes(whole[:50])
        show(run, store)

    monkeypatch.setattr(ClusterRun, "opened", damage_and_show)
    stage.start(layer, **on_cluster(cluster, model, path, **PLAIN))
    until(stage, *ENDS)
    assert stage.controller.state == STOPPED, stage.log.said[-3:]
    (told,) = stage.log.of("failed")
    assert told.startswith("cells: 1 block with ")
    assert "could not be made, all others are there; tiles " in told
    assert told.endswith("; Continue tries again")
    stored = read_unfinished(path)
    assert stored is not None
    assert 0 < len(stored.done) < stored.total_tiles
    chunk.write_bytes(whole)
    monkeypatch.undo()
    stage.controller.resume()
    until(stage, *ENDS)
    assert stage.controller.state == DONE, stage.log.said[-3:]
    np.testing.assert_array_equal(saved(path), expected_of(image, model))
