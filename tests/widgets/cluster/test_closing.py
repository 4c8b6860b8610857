"""Docks and viewers that are closed while a cluster is at work: nothing is left, here or there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tifffile
from napari.layers._source import layer_source
from pytestqt.qtbot import QtBot
from tests.widgets.cluster.test_cluster_run import LONG_MS, PLAIN, Slow, on_cluster, traced
from tests.widgets.cluster.test_in_window import WAIT_MS
from tests.widgets.conftest import noisy
from tests.widgets.dask_cluster import Cluster, start_cluster
from tests.widgets.test_leaks import held, nothing_left

from napari_tessera.prediction.cluster.connecting import CLIENT_NAME
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import RUNNING
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places.lock import lock_store

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)


def left_there(address: str) -> tuple[list[str], list[str], list[str]]:
    """What a scheduler has of ours: clients, tasks, and plugins of its workers."""
    from distributed import Client

    def look(dask_scheduler: Any) -> tuple[list[str], list[str], list[str]]:
        ours = [str(each) for each in dask_scheduler.clients if CLIENT_NAME in str(each)]
        return ours, list(map(str, dask_scheduler.tasks)), list(dask_scheduler.worker_plugins)

    with Client(address, set_as_default=False) as client:
        found: tuple[list[str], list[str], list[str]] = client.run_on_scheduler(look)
        return found


def wait_for(dock: DenoiseDock, qtbot: QtBot, *, at_work: bool) -> None:
    """Wait until workers have done some tiles, or only get ready."""
    controller, row = dock.controller, dock.run_row
    qtbot.waitUntil(lambda: controller.state == RUNNING, timeout=LONG_MS)
    if at_work:
        qtbot.waitUntil(lambda: row.progress is not None and row.progress.done > 0, timeout=LONG_MS)
    else:
        qtbot.waitUntil(lambda: row.label.text() == "Workers get ready…", timeout=LONG_MS)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else makes any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers: a run waits until there are some."""
    pytest.importorskip("distributed")
    started = start_cluster(tmp_path, 0)
    yield started
    started.end()


@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.parametrize("end", ["closed", "deleted", "viewer"])
@pytest.mark.parametrize("where", ["idle", "cluster"])
def test_nothing_is_left_of_a_run_whose_dock_is_closed(
    make_napari_viewer: Any,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    qtbot: QtBot,
    where: str,
    end: str,
) -> None:
    cluster, at_work = request.getfixturevalue(where), where == "cluster"
    slow, path = traced(Slow(), tmp_path / "slow.pt"), tmp_path / "out.ome.zarr"
    image = noisy((24, 128, 128))
    tifffile.imwrite(tmp_path / "cells.tif", image, metadata={"axes": "TYX"})
    viewer = make_napari_viewer(show=True)
    with layer_source(path=str(tmp_path / "cells.tif"), reader_plugin="napari"):
        layer = viewer.add_image(image, name="cells")
    before = held(viewer)
    there = left_there(cluster.address)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    asked = on_cluster(cluster, slow, path, **PLAIN)
    dock.start(RunRequest((layer,), area=EVERYTHING, patch_size=(64, 64), device="cpu", **asked))
    wait_for(dock, qtbot, at_work=at_work)
    if end == "closed":
        viewer.window.remove_dock_widget(dock.parent())
        dock.deleteLater()
    elif end == "deleted":
        with qtbot.waitSignal(dock.destroyed, timeout=WAIT_MS):
            dock.deleteLater()
    if end == "viewer":
        del dock, layer
        viewer.close()
    else:
        del dock
        now = held(viewer)
        assert {name: now[name] for name in before} == before
    nothing_left(qtbot, set())
    stored = read_unfinished(path)
    if at_work:
        assert stored is not None
        assert stored.state == "stopped"
        assert 0 < stored.n_done < stored.total_tiles
    else:
        assert stored is None
    with lock_store(path):
        assert left_there(cluster.address) == there


def test_a_dock_that_is_closed_asks_no_scheduler_any_more(
    make_napari_viewer: Any, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    run_on = dock.settings.advanced.run_on
    run_on.value = "tcp://127.0.0.1:1"
    qtbot.waitUntil(lambda: "no scheduler at" in run_on.wrong, timeout=WAIT_MS)
    assert run_on._again.isActive(), "one may be started there meanwhile"
    viewer.window.remove_dock_widget(dock.parent())
    assert not run_on._again.isActive()
