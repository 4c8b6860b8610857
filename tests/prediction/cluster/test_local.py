"""Processes of this computer that die: they come back, or the run says that they do not."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from napari_tessera import predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.prediction.cluster import cluster_client
from napari_tessera.prediction.cluster import run as run_module
from napari_tessera.prediction.cluster.failures import BlockError
from napari_tessera.writing import read_unfinished

from .scenes import SETTINGS, left_behind, one_machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without signals"),
]


def kill_all(client: Any) -> None:
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)


def test_a_process_that_is_started_anew_may_take_its_time(
    image: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask would give up who is not there again in 15 s, which a busy computer needs for torch."""
    import dask.config

    alone = one_machine(image, model, tmp_path / "alone.ome.zarr")
    monkeypatch.setattr(run_module, "ALONE_SECONDS", 0.1)
    killed = []
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}),
        cluster_client("local", workers=1, threads_per_worker=1) as client,
    ):

        def kill(progress: Progress) -> None:
            if progress.done >= 10 and not killed:
                killed.append(progress.done)
                kill_all(client)

        with pytest.warns(UserWarning, match="the processes of this computer ended, and were"):
            out = predict_to_disk(
                image, model, tmp_path / "a.ome.zarr", client=client, progress=kill, **SETTINGS
            )
    assert killed
    assert left_behind(out) == alone


def test_processes_that_do_not_come_back_end_the_run(
    image: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else will ever join them: waiting would be for nothing."""
    monkeypatch.setattr(run_module, "LOCAL_ALONE_SECONDS", 0.3)
    killed = []
    out = tmp_path / "a.ome.zarr"
    with cluster_client("local", workers=1, threads_per_worker=1) as client:

        def kill(progress: Progress) -> None:
            if progress.done >= 10 and not killed:
                killed.append(progress.done)
                kill_all(client)

        with pytest.raises(BlockError, match="the processes of this computer ended, and could not"):
            predict_to_disk(image, model, out, client=client, progress=kill, **SETTINGS)
    stored = read_unfinished(out)
    assert stored is not None
    assert stored.state == "stopped"
