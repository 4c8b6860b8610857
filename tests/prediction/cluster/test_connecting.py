"""Connecting to real schedulers, to what is none, and over TLS."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dask.config
import pytest
from distributed import Client, LocalCluster

from napari_tessera import predict_to_disk
from napari_tessera.prediction.cluster import ClusterError, cluster_client
from napari_tessera.prediction.cluster import asking as asking_module
from napari_tessera.prediction.cluster import connecting as connecting_module
from napari_tessera.prediction.cluster import gathering as gathering_module
from napari_tessera.prediction.cluster.asking import ask_scheduler, ask_workers
from napari_tessera.prediction.cluster.connecting import check_client, warning_of

from .processes import start_scheduler, start_worker
from .scenes import SETTINGS, left_behind

pytestmark = pytest.mark.slow

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def tessera_threads() -> set[str]:
    names = ("tessera", "IO loop")
    return {each.name for each in threading.enumerate() if each.name.startswith(names)}


def test_each_process_sees_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real processes, whose environment names one GPU each, though there is none here."""
    from napari_tessera.prediction.cluster.local import LocalSize

    size = LocalSize(2, 1, ("0", "1"))
    monkeypatch.setattr(connecting_module, "local_size", lambda *_: size)
    with cluster_client("local") as client:
        seen = client.run(lambda: __import__("os").environ["CUDA_VISIBLE_DEVICES"])
    assert sorted(seen.values()) == ["0", "1"]


def test_nothing_that_dask_logs_reaches_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    """Also where a program has all that is logged on its terminal, as napari has."""
    loggers = [logging.getLogger(f"distributed{part}") for part in ("", ".client", ".comm.core")]
    levels = [logger.level for logger in loggers]
    with connecting_module.quiet_dask():
        for logger in loggers:
            logger.error("a connection was closed")
        with connecting_module.quiet_dask():
            pass
        loggers[1].error("it still is")
    assert caplog.messages == []
    assert [logger.level for logger in loggers] == levels


def test_what_listens_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that takes the connection and says nothing ends in an error, and no thread."""
    monkeypatch.setattr(connecting_module, "CONNECT_SECONDS", 0.5)
    before = tessera_threads()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with (
            pytest.raises(ClusterError, match=r"does not answer as a Dask scheduler within 0\.5 s"),
            cluster_client(address),
        ):
            pass
    assert tessera_threads() <= before


def test_a_worker_is_no_scheduler(client: Any) -> None:
    worker = next(iter(client.nthreads()))
    with (
        pytest.raises(ClusterError, match="is no Dask scheduler but a worker"),
        cluster_client(worker),
    ):
        pass


def test_processes_of_this_computer_are_not_watched_by_dask(client: Any) -> None:
    def settings() -> tuple[bool, Any]:
        import dask.config

        # the second one of Dask's own: the rest of the settings went along
        name = "distributed.worker.multiprocessing-method"
        return dask.config.get("distributed.worker.profile.enabled"), dask.config.get(name)

    assert set(client.run(settings).values()) == {(False, "spawn")}


STARTING = """
import os, signal
import distributed
from napari_tessera.prediction.cluster import cluster_client

class Stopped(BaseException):
    pass

def stop(*_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped

class Nanny(distributed.Nanny):
    async def instantiate(self):
        os.kill(os.getpid(), signal.SIGINT)
        return await super().instantiate()

if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    distributed.Nanny = Nanny
    try:
        with cluster_client("local", workers=2, threads_per_worker=1):
            raise AssertionError
    except Stopped:
        (cluster,) = distributed.SpecCluster._instances
        print("stopped", cluster.status.name)
"""


@posix
def test_a_signal_while_processes_start_leaves_none_and_says_nothing(tmp_path: Path) -> None:
    script = tmp_path / "starting.py"
    script.write_text(STARTING)
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.stdout, ended.stderr) == ("stopped closed\n", "")


@posix
def test_processes_of_this_computer_do_not_hear_ctrl_c(client: Any) -> None:
    def blocked() -> bool:
        import signal

        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert set(client.run(blocked).values()) == {True}


@posix
def test_a_scheduler_that_stalls_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking_module, "SCHEDULER_SECONDS", 0.2)
    process, address = start_scheduler()
    with process, cluster_client(address) as client:
        assert ask_scheduler(client, "ncores") == {}
        process.pause()
        with pytest.raises(ClusterError, match=r"it gave no answer for 0\.2 s"):
            ask_scheduler(client, "ncores")


@posix
def test_a_worker_that_does_not_answer_hides_no_other() -> None:
    """Of one message to all Dask tells nothing as long as one is silent."""
    with cluster_client("local", workers=2, threads_per_worker=1) as client:
        pids = ask_workers(client, os.getpid, workers=list(ask_scheduler(client, "ncores")))
        silent, there = sorted(pids)
        os.kill(pids[silent], signal.SIGSTOP)
        try:
            answers = ask_workers(client, os.getpid, workers=[silent, there], seconds=3600.0)
        finally:
            os.kill(pids[silent], signal.SIGCONT)
        assert answers == {there: pids[there]}


def test_a_worker_that_is_gone_is_not_waited_for() -> None:
    """Dask tries for half a minute to reach it, and would have an error then."""
    with cluster_client("local", workers=1, threads_per_worker=1) as client:
        nobody = "tcp://127.0.0.1:1"
        assert ask_workers(client, os.getpid, workers=[nobody], seconds=3600.0) == {}
        (there,) = ask_scheduler(client, "ncores")
        answers = ask_workers(client, os.getpid, workers=[nobody, there], seconds=3600.0)
        assert list(answers) == [there]


def test_what_fails_at_one_worker_hides_no_other() -> None:
    """An error with a traceback that cannot be sent makes Dask's client fail an assertion."""
    with cluster_client("local", workers=2, threads_per_worker=1) as client:
        here, other = sorted(ask_scheduler(client, "ncores"))

        def deep(n: int) -> int:
            return deep(n + 1) + 1

        def fails(dask_worker: Any) -> int:
            return deep(0) if dask_worker.address == here else 3

        answers = ask_workers(client, fails, workers=[here, other])
        assert answers[other] == 3
        assert "a reason that it cannot send" in str(answers[here])


def test_numbers_of_processes_are_for_local_clusters() -> None:
    with (
        pytest.raises(ValueError, match="workers 3 is for cluster local"),
        cluster_client("tcp://127.0.0.1:1", workers=3),
    ):
        pass


def test_a_public_scheduler_is_warned_of_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    def not_now(*_: object) -> None:
        assert told
        raise OSError("stopped here")

    monkeypatch.setattr(connecting_module, "check_reachable", not_now)
    with (
        pytest.raises(ClusterError, match="stopped here"),
        cluster_client("tcp://8.8.8.8:8786", warn=told.append),
    ):
        pass
    assert len(told) == 1
    assert "use tls://" in told[0]


def test_clients_that_cannot_be_worked_with(client: Any, image: Path, model: Path) -> None:
    address = client.scheduler.address
    with Client(address, set_as_default=False) as other:
        check_client(other)
        assert warning_of(other) is None
    with pytest.raises(ClusterError, match="the Dask client is closed: connect anew"):
        predict_to_disk(image, model, "a.ome.zarr", client=other)
    with pytest.raises(ValueError, match="client str is none of Dask"):
        check_client("tcp://127.0.0.1:8786")

    async def refused() -> None:
        async with Client(address, asynchronous=True, set_as_default=False) as waiting:
            with pytest.raises(ValueError, match="asynchronous=False"):
                check_client(waiting)

    asyncio.run(refused())


def test_workers_in_this_process_write_to_its_memory(
    image: Path, model: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    import fsspec

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=2,
            processes=False,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        predict_to_disk(image, model, "memory://a.ome.zarr", client=client, **SETTINGS)
    memory = fsspec.filesystem("memory")
    memory.get("/a.ome.zarr", str(tmp_path / "a.ome.zarr"), recursive=True)
    memory.rm("/a.ome.zarr", recursive=True)
    assert left_behind(tmp_path / "a.ome.zarr") == alone


def test_no_workers_is_said_with_what_starts_one(
    image: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering_module, "NONE_SECONDS", 1.5)
    notices: list[str] = []
    scheduler, address = start_scheduler()
    with (
        scheduler,
        cluster_client(address) as client,
        pytest.raises(ClusterError, match=f"no workers after 1.5 s.*'dask worker {address}'"),
    ):
        predict_to_disk(
            image,
            model,
            tmp_path / "a.ome.zarr",
            client=client,
            progress=lambda progress: notices.extend(progress.notices),
            **SETTINGS,
        )
    assert any("has no workers yet" in notice for notice in notices)
    assert not (tmp_path / "a.ome.zarr").exists()


def test_tls_with_dasks_own_configuration(
    image: Path, model: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    certificates = write_certificates(tmp_path)
    words = ["--protocol", "tls"]
    env = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": path for name, path in certificates.items()}
    scheduler, address = start_scheduler(*words, env=env)
    assert address.startswith("tls://")
    ca = {"distributed.comm.tls.ca-file": certificates["CA_FILE"]}
    own = {
        **ca,
        "distributed.comm.tls.client.cert": certificates["CLIENT__CERT"],
        "distributed.comm.tls.client.key": certificates["CLIENT__KEY"],
    }
    with scheduler, start_worker(address, tmp_path / "w", env=env):
        with (
            pytest.raises(ClusterError, match=r"no TLS connection.*DASK_DISTRIBUTED__COMM__TLS"),
            cluster_client(address),
        ):
            pass
        with dask.config.set(own), cluster_client(address) as client:
            out = predict_to_disk(image, model, tmp_path / "a.ome.zarr", client=client, **SETTINGS)
    assert left_behind(out) == alone


def write_certificates(folder: Path) -> dict[str, str]:
    """One certificate that signs itself, for scheduler, worker and client."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cluster")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    cert, own = str(folder / "cert.pem"), str(folder / "key.pem")
    named = {"CA_FILE": cert}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        named |= {f"{role}__CERT": cert, f"{role}__KEY": own}
    return named


def test_nothing_of_dask_is_imported_without_a_cluster() -> None:
    code = (
        "import sys, napari_tessera.prediction.to_disk, napari_tessera.prediction.several.running\n"
        "import napari_tessera.prediction.cluster.connecting\n"
        "assert 'distributed' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_local_processes_keep_the_memory_of_tensors(client: Any) -> None:
    """Dask's setting would have each layer of a network ask for its memory anew."""
    told = client.run(lambda: __import__("os").environ.get("MALLOC_TRIM_THRESHOLD_"))
    assert set(told.values()) == {None}
