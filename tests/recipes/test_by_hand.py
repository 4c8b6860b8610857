"""The scripts for a scheduler and workers, run as they are, with TLS and without."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path

import dask.config
import pytest
from distributed import Security
from tests.recipes.programs import (
    JOIN_SECONDS,
    Denoised,
    Programs,
    connected,
    free_port,
    seen_by_workers,
)

pytestmark = [pytest.mark.slow, pytest.mark.weekly]


def test_a_scheduler_and_workers_by_hand_denoise_an_image(
    recipes: Path, programs: Programs, settings: Path, tmp_path: Path, denoised: Denoised
) -> None:
    shutil.copy(recipes / "dask.yaml", settings)
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}"
    programs.start("sh", recipes / "scheduler.sh", "127.0.0.1", port)
    programs.start("sh", recipes / "worker.sh", address, "2", "1")
    with connected(address, 2) as client:
        told = seen_by_workers(client)
    assert len(told) == 2
    for one in told:
        assert one["threads"] == 1
        assert not one["memory limit"]
        assert one["ends processes"] is False
        assert one["folder"].is_relative_to(tmp_path)
    result = tmp_path / "out.ome.zarr"
    programs.run(*denoised.command(result), "--cluster", address)
    assert denoised.is_made_again(result)


def test_each_process_sees_one_gpu(recipes: Path, programs: Programs) -> None:
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}"
    programs.start("sh", recipes / "scheduler.sh", "127.0.0.1", port)
    workers = programs.start("sh", recipes / "gpu-worker-plain.sh", address, "3", "1")
    with connected(address, 3) as client:
        told = seen_by_workers(client)
        assert sorted(one["gpu"] for one in told) == ["0", "1", "2"]
        # what ends the script ends its workers
        workers.terminate()
        assert workers.wait(JOIN_SECONDS) == 143


def test_tls_as_the_page_sets_it_up(
    recipes: Path,
    programs: Programs,
    settings: Path,
    tmp_path: Path,
    denoised: Denoised,
) -> None:
    programs.run("sh", recipes / "tls.sh", tmp_path / "tessera-tls")
    for path in (tmp_path / "tessera-tls").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    text = (recipes / "tls.yaml").read_text("utf-8")
    (settings / "tls.yaml").write_text(text.replace("/home/me", str(tmp_path)))
    (loaded,) = dask.config.collect_yaml([str(settings)])

    port = free_port()
    address = f"tls://127.0.0.1:{port}"
    programs.start("sh", recipes / "scheduler.sh", "127.0.0.1", str(port))
    programs.start("sh", recipes / "worker.sh", address, "2", "1")
    with dask.config.set(dask.config.merge(dask.config.config, loaded)):
        security = Security()
    with connected(address, 2, security) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        assert all(worker.startswith("tls://") for worker in workers)
    result = tmp_path / "out.ome.zarr"
    programs.run(*denoised.command(result), "--cluster", address)
    assert denoised.is_made_again(result)

    # one that shows no certificate is sent away
    stranger = ssl.create_default_context(cafile=tmp_path / "tessera-tls" / "cluster.pem")
    stranger.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), timeout=JOIN_SECONDS) as plain,
        stranger.wrap_socket(plain) as encrypted,
        pytest.raises(ssl.SSLError, match="certificate required"),
    ):
        encrypted.recv(1)
