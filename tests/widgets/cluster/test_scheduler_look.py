"""What a real scheduler says of itself, and what is said of one that is none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.widgets.dask_cluster import Cluster

from napari_tessera.prediction.cluster import addresses
from napari_tessera.widgets.cluster.scheduler_look import (
    SchedulerError,
    SchedulerLook,
    checked_address,
    look_at_scheduler,
)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("tcp://host:8786", "tcp://host:8786"),
        ("  host:99/ ", "tcp://host:99"),
        ("host", "tcp://host:8786"),
        ("TLS://10.0.0.7", "tls://10.0.0.7:8786"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
    ],
)
def test_an_address_is_taken_as_people_type_it(typed: str, address: str) -> None:
    assert checked_address(typed) == address


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "type the address"),
        ("tcp://:8786", "is no address of a Dask scheduler"),
        ("tcp://host:x", "is no address of a Dask scheduler"),
        ("tcp://host:0", "is no address of a Dask scheduler"),
        ("http://host:8786", "is no address of a Dask scheduler"),
        ("dask worker:8786", "is no address of a Dask scheduler"),
        ("x" * 5000 + "://", "x… is no address of a Dask scheduler"),
    ],
)
def test_what_is_no_address_is_told_with_one_that_is(typed: str, told: str) -> None:
    with pytest.raises(SchedulerError, match=told) as error:
        checked_address(typed)
    assert "tcp://HOST:8786" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_one_is_one() -> None:
    assert SchedulerLook(1, 1).text == "1 worker, 1 thread"
    assert SchedulerLook(1200, 0).text == "1,200 workers, 0 threads"
    assert SchedulerLook(None, None).text == "a scheduler is there"


def test_a_scheduler_tells_its_workers(cluster: Cluster) -> None:
    assert look_at_scheduler(cluster.address) == SchedulerLook(2, 2)


def test_where_nobody_listens_it_is_told_how_one_is_started() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(SchedulerError, match=f"no scheduler at {address}.*dask scheduler"):
            look_at_scheduler(address, 0.3)


def test_who_listens_and_never_answers_is_waited_for_no_longer_than_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(SchedulerError, match=f"{address} does not answer as a Dask scheduler"):
            look_at_scheduler(address, 0.3)


def test_who_speaks_another_protocol_is_no_scheduler() -> None:
    def answer(server: socket.socket) -> None:
        # the first only looks whether anybody listens
        server.accept()[0].close()
        with server.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as web:
        thread = threading.Thread(target=answer, args=(web,))
        thread.start()
        address = f"tcp://127.0.0.1:{web.getsockname()[1]}"
        with pytest.raises(SchedulerError, match=r"another protocol.*8787 is its dashboard"):
            look_at_scheduler(address)
        thread.join()


def test_a_worker_is_no_scheduler(cluster: Cluster) -> None:
    worker, _ = cluster.wait_for_workers(2)
    with pytest.raises(SchedulerError, match="is no Dask scheduler but a worker"):
        look_at_scheduler(worker)


def test_without_certificates_the_way_out_is_told(cluster: Cluster) -> None:
    address = cluster.address.replace("tcp", "tls")
    with pytest.raises(SchedulerError, match=r"set the certificates in Dask's configuration"):
        look_at_scheduler(address, 0.3)


def test_without_dask_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SchedulerError, match=r"napari-tessera\[cluster\]"):
        look_at_scheduler("tcp://127.0.0.1:8786")


def test_a_way_that_others_can_read_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "look_up", lambda scheduler: ("8.8.8.8",))
    look = look_at_scheduler(cluster.address)
    assert "is not on a private address" in look.warning
    assert look.n_workers == 2


def test_the_dock_needs_no_dask() -> None:
    """It is an extra: a cluster's client comes with the first address that is asked."""
    code = "import sys; sys.modules['distributed'] = None; import napari_tessera.widgets.dock"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path.cwd(),
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
